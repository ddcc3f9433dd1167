#include "cli/response.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"

enum { RESPONSE_DEPTH_MAX = 16, RESPONSE_FILE_MAX = 64 << 20 };

static int add_word(const char *word, int depth, struct arguments *ret, struct error *err);

/* One word at `text`, without its quotes, into `word`; returns what follows it. */
static const char *take_word(const char *text, struct buf *word)
{
	char quote = '\0';
	for (; *text && (quote || !isspace((unsigned char)*text)); text++) {
		if (*text == '\\' && text[1])
			buf_put_u8(word, (uint8_t)*++text);
		else if (quote && *text == quote)
			quote = '\0';
		else if (!quote && (*text == '"' || *text == '\''))
			quote = *text;
		else
			buf_put_u8(word, (uint8_t)*text);
	}
	buf_put_u8(word, '\0');
	return text;
}

static int add_file(const char *path, int depth, struct arguments *ret, struct error *err)
{
	cleanup_buf struct buf file = {0};
	if (depth >= RESPONSE_DEPTH_MAX)
		return error_set(err, CELLA_ELIMIT, "@%s: response files name each other", path);
	int rc = io_read_file(path, RESPONSE_FILE_MAX, &file, err);
	if (rc < 0)
		return rc;
	buf_put_u8(&file, '\0');
	if (file.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for %s", path);
	for (const char *text = (const char *)file.data; rc == 0;) {
		cleanup_buf struct buf word = {0};
		text += strspn(text, " \t\r\n\f\v");
		if (!*text)
			break;
		text = take_word(text, &word);
		rc = word.failed ? error_set(err, CELLA_ENOMEM, "no memory for the words of %s", path)
		                 : add_word((const char *)word.data, depth + 1, ret, err);
	}
	return rc;
}

static int add_word(const char *word, int depth, struct arguments *ret, struct error *err)
{
	if (word[0] == '@' && access(word + 1, R_OK) == 0)
		return add_file(word + 1, depth, ret, err);
	arguments_add(ret, word);
	return ret->failed ? error_set(err, CELLA_ENOMEM, "no memory for the command line") : 0;
}

int response_expand(int argc, char *const *argv, struct arguments *ret, struct error *err)
{
	int rc = 0;
	for (int i = 0; i < argc && rc == 0; i++)
		rc = add_word(argv[i], 0, ret, err);
	return rc;
}

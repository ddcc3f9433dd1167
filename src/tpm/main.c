/*
 * cella-tpm: the one program that speaks to a TPM. Others start it for one question
 * (attest/tpm/answer_format.h); it has no use by hand.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attest/azure/format.h"
#include "attest/driver/tpm.h"
#include "attest/tpm/answer_format.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "tpm/device.h"
#include "tpm/td_quote.h"

enum { EXTRA_MAX = 64, INPUT_MAX = 8192, READS_MAX = 8, PAUSE_NS = 500000000 };

static const char metadata_service[] = "169.254.169.254:80";

struct question {
	const char *word; /* behind the verb, or NULL */
	struct device *device;
	struct buf blobs[TPM_ANSWER_BLOBS_MAX];
	size_t count;
};

static int read_extra(const char *word, struct buf *to, struct error *err)
{
	if (!word || !io_unhex_text(word, strlen(word), to) || to->size > EXTRA_MAX)
		return error_set(err, CELLA_EINVAL, "extra data are 1 to %d bytes as hexadecimal digits",
		                 EXTRA_MAX);
	return 0;
}

static int quote(struct question *q, struct error *err)
{
	cleanup_buf struct buf extra = {0};
	int rc = read_extra(q->word, &extra, err);
	q->count = 2;
	if (rc == 0)
		rc = device_quote(q->device, 0, extra.data, extra.size, &q->blobs[0], err);
	return rc < 0 ? rc : device_ek_certificate(q->device, &q->blobs[1], err);
}

static int read_now(struct device *device, struct buf *to, struct azure_report *ret_report, struct error *err)
{
	to->size = 0;
	int rc = device_nv_read(device, AZURE_NV_REPORT, to, err);
	if (rc == CELLA_ENOENT)
		return error_prefix(
			err, rc,
			"this is no confidential machine of Azure's (--tee tpm asks for its TPM's word "
			"alone): ");
	return rc < 0 ? rc : azure_report_read(to->data, to->size, ret_report, err);
}

/* With these report data in it if the paravisor takes them up, which it does not do at once. Nothing is
 * written where there is none. */
static int read_report(struct device *device, const struct buf *report_data, struct buf *to,
                       struct error *err)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct azure_report report;
	struct error ignored;
	int rc = read_now(device, to, &report, err);
	if (rc == 0)
		(void)!device_nv_write(device, AZURE_NV_USER_DATA, report_data->data, report_data->size,
		                       &ignored);
	for (size_t i = 0; rc == 0 && i < READS_MAX; i++) {
		rc = read_now(device, to, &report, err);
		if (rc < 0 || (report.has_user_data &&
		               crypto_equal(report.user_data, report_data->data, AZURE_USER_DATA_SIZE)))
			break;
		nanosleep(&pause, NULL);
	}
	return rc;
}

static int fetch_quote(const struct buf *bytes, struct buf *to, struct error *err)
{
	struct azure_report report;
	const char *server = secure_getenv("CELLA_AZURE_QUOTES");
	int rc = azure_report_read(bytes->data, bytes->size, &report, err);
	if (rc < 0 || report.type != AZURE_TDX)
		return rc;
	return td_quote_fetch(server ? server : metadata_service, report.hardware, to, err);
}

static int azure(struct question *q, struct error *err)
{
	cleanup_buf struct buf report_data = {0};
	uint8_t extra[CRYPTO_HASH_MAX];
	int rc = read_extra(q->word, &report_data, err);
	const struct crypto_part part = {report_data.data, report_data.size};
	q->count = 3;
	if (rc == 0 && report_data.size != AZURE_USER_DATA_SIZE)
		rc = error_set(err, CELLA_EINVAL, "report data are %d bytes", AZURE_USER_DATA_SIZE);
	if (rc == 0)
		rc = crypto_hash(CRYPTO_SHA256, &part, 1, extra, err);
	if (rc == 0)
		rc = read_report(q->device, &report_data, &q->blobs[0], err);
	if (rc == 0)
		rc = fetch_quote(&q->blobs[0], &q->blobs[2], err);
	return rc < 0 ? rc
	              : device_quote(q->device, (uint32_t)AZURE_AK_HANDLE, extra, CRYPTO_SHA256_SIZE,
	                             &q->blobs[1], err);
}

static int activate(struct question *q, struct error *err)
{
	cleanup_buf struct buf input = {0}, blob = {0}, secret = {0};
	int rc = io_read_fd(STDIN_FILENO, "a credential", INPUT_MAX, &input, err);
	if (rc < 0)
		return rc;
	struct reader r = reader_of(input.data, input.size);
	size_t blob_size, secret_size;
	const uint8_t *of_blob = reader_blob(&r, &blob_size), *of_secret = reader_blob(&r, &secret_size);
	if (!reader_finished(&r))
		return error_set(err, CELLA_EFORMAT, "standard input has no credential");
	buf_put(&blob, of_blob, blob_size);
	buf_put(&secret, of_secret, secret_size);
	if (blob.failed || secret.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a credential");
	q->count = 1;
	return device_activate(q->device, &blob, &secret, &q->blobs[0], err);
}

static const struct {
	const char *name;
	int (*answer)(struct question *q, struct error *err);
} verbs[] = {
	{"quote", quote},
	{"activate", activate},
	{"azure", azure},
};

static int answer(const char *verb, struct question *q, struct error *err)
{
	const char *tcti = secure_getenv("CELLA_TPM");
	for (size_t i = 0; i < array_count(verbs); i++) {
		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		int rc = crypto_init(NULL, err);
		if (rc == 0)
			rc = device_open(tcti ? tcti : "device:" TPM_DEVICE, &q->device, err);
		return rc < 0 ? rc : verbs[i].answer(q, err);
	}
	return error_set(err, CELLA_EINVAL, "cella-tpm has no verb %.40s", verb);
}

int main(int count, char **words)
{
	struct question q = {.word = count > 2 ? words[2] : NULL};
	struct error err = {0};
	struct tpm_answer to = {0};
	cleanup_buf struct buf bytes = {0};
	if (count < 2 || count > 3) {
		fprintf(stderr,
		        "cella-tpm is started by other programs of Cella (cella evidence get --tee tpm)\n");
		return 2;
	}
	(void)setenv("TSS2_LOG", "all+NONE", 0);
	to.code = answer(words[1], &q, &err);
	if (to.code < 0)
		to.text = (struct tpm_bytes){(const uint8_t *)err.text,
		                             strnlen(err.text, TPM_ANSWER_TEXT_MAX)};
	else
		to.count = q.count;
	for (size_t i = 0; i < to.count; i++)
		to.blobs[i] = (struct tpm_bytes){q.blobs[i].data, q.blobs[i].size};
	tpm_answer_write(&to, &bytes);
	device_close(q.device);
	const int rc = bytes.failed ? CELLA_ENOMEM
	                            : io_write_full(STDOUT_FILENO, bytes.data, bytes.size, NULL);
	for (size_t i = 0; i < q.count; i++) {
		if (q.blobs[i].data)
			mem_wipe(q.blobs[i].data, q.blobs[i].size);
		buf_done(&q.blobs[i]);
	}
	if (bytes.data)
		mem_wipe(bytes.data, bytes.size);
	return rc < 0 ? 1 : 0;
}

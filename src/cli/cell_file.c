#include "cli/cell_file.h"

#include <stdlib.h>

#include "base/io.h"

enum { CELL_FILE_MAX = 1 << 30 };

void cell_file_done(struct cell_file *f)
{
	buf_done(&f->data);
}

int cell_file_open(const char *path, struct cell_file *ret, struct error *err)
{
	*ret = (struct cell_file){0};
	int rc = io_read_file(path, CELL_FILE_MAX, &ret->data, err);
	if (rc < 0)
		return rc;
	rc = bundle_parse(ret->data.data, ret->data.size, &ret->bundle, err);
	if (rc == 0)
		rc = manifest_parse(ret->bundle.manifest, ret->bundle.manifest_size, &ret->manifest, err);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", path);
	io_hex(ret->bundle.identity, sizeof(ret->bundle.identity), ret->identity);
	return 0;
}

int cell_file_verify(const struct cell_file *f, struct error *err)
{
	if (f->bundle.artifact_count == 0)
		return error_set(err, CELLA_ENOENT, "it holds no machine code");
	return bundle_verify_all(&f->bundle, err);
}

/* Steps done to a volume and to its model (volume_script.h). */
#include "volume_script.h"

#include <stdlib.h>
#include <string.h>

size_t volume_part(void)
{
	const char *part = getenv("VOLUME_PART");
	size_t number = part ? strtoul(part, NULL, 10) : 1;
	return number ? number : 1;
}

void pair_begin(struct pair *p, struct volume *v)
{
	struct model *m = model_new();
	*p = (struct pair){.v = v, .now = m, .committed = model_copy(m)};
}

void pair_done(struct pair *p)
{
	model_free(p->now);
	model_free(p->committed);
	model_free(p->asked);
	*p = (struct pair){0};
}

/* Bytes that show which write they are of. */
static uint8_t *fill(uint64_t serial, size_t size)
{
	uint8_t *bytes = malloc(size + 8);
	if (!bytes)
		abort();
	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = serial << 32 | i;
		memcpy(bytes + i, &word, sizeof(word));
	}
	return bytes;
}

static int on_file(struct pair *p, const struct step *s, struct error *err)
{
	struct volume_file *f;
	size_t file;
	uint8_t *bytes = fill(++p->serial, s->size);
	int rc = volume_file_open(p->v, s->path, VOLUME_WRITE | (s->kind == WRITE ? VOLUME_CREATE : 0), 0644,
	                          &f, err);
	if (rc == 0 && model_open(p->now, s->path, true, &file) < 0)
		abort();
	if (rc == 0) {
		rc = s->kind == WRITE ? volume_file_write(f, s->at, bytes, s->size, err)
		                      : volume_file_truncate(f, s->at, err);
		volume_file_close(f);
		if (rc == 0 && s->kind == WRITE)
			model_write(p->now, file, (size_t)s->at, bytes, s->size);
		else if (rc == 0)
			model_truncate(p->now, file, (size_t)s->at);
	}
	free(bytes);
	return rc;
}

static void acknowledge(struct pair *p)
{
	model_free(p->committed);
	p->committed = p->asked;
	p->asked = NULL;
}

static int on_all(struct pair *p, const struct step *s, struct error *err)
{
	model_free(p->asked);
	p->asked = model_copy(p->now);
	int rc = s->kind == COMMIT    ? volume_commit(p->v, err)
	         : s->kind == COMPACT ? volume_compact(p->v, (unsigned)s->at, err)
	                              : volume_publish(p->v, err);
	if (rc == 0 && s->kind != PUBLISH)
		acknowledge(p);
	return rc;
}

static int on_name(struct pair *p, const struct step *s, struct error *err)
{
	switch (s->kind) {
	case MKDIR: return volume_mkdir(p->v, s->path, 0755, err);
	case RMDIR: return volume_rmdir(p->v, s->path, err);
	case UNLINK: return volume_unlink(p->v, s->path, err);
	case RENAME: return volume_rename(p->v, s->path, s->other, err);
	case LINK: return volume_link(p->v, s->path, s->other, err);
	default: return volume_symlink(p->v, s->other, s->path, err);
	}
}

static int on_name_in_model(struct model *m, const struct step *s)
{
	switch (s->kind) {
	case MKDIR: return model_mkdir(m, s->path);
	case RMDIR: return model_remove(m, s->path, true);
	case UNLINK: return model_remove(m, s->path, false);
	case RENAME: return model_rename(m, s->path, s->other);
	case LINK: return model_link(m, s->path, s->other);
	default: return model_symlink(m, s->other, s->path);
	}
}

int pair_step(struct pair *p, const struct step *s, struct error *err)
{
	if (s->kind == WRITE || s->kind == TRUNCATE)
		return on_file(p, s, err);
	if (s->kind >= COMMIT)
		return on_all(p, s, err);
	int rc = on_name(p, s, err);
	if (rc == 0 && on_name_in_model(p->now, s) < 0)
		abort();
	return rc;
}

const char *pair_opened(struct pair *p, struct volume *v)
{
	p->v = v;
	if (p->asked && !model_difference(p->asked, v))
		acknowledge(p);
	const char *found = model_difference(p->committed, v);
	model_free(p->now);
	p->now = model_copy(p->committed);
	return found;
}

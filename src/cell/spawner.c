#include "cell/spawner.h"

#include "base/log.h"
#include "cell/snapshot/snapshot.h"
#include "cell/trap.h"
#include "cell/wasi/wasi.h"

static const char prepare[] = "cella_task_prepare";

struct spawner {
	struct instance_config config;
	struct snapshot *base;
	bool without; /* there is none, and will be none */
};

int spawner_new(const struct instance_config *config, struct spawner **ret_spawner, struct error *err)
{
	struct spawner *s = mem_alloc(config->pool, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a program's cells");
	s->config = *config;
	*ret_spawner = s;
	return 0;
}

void spawner_free(struct spawner *s)
{
	if (!s)
		return;
	snapshot_unref(s->base);
	mem_free(s->config.pool, s);
}

void spawner_give_way(struct spawner *s)
{
	snapshot_unref(s->base);
	s->base = NULL;
	s->without = true;
}

static int run_initialisers(struct instance *in, uint32_t timeout_ms, struct error *err)
{
	struct trap_report report;
	struct error why;
	if (!instance_exports(in, prepare))
		return 0;
	int rc = instance_prepare(in, prepare, timeout_ms, &report, &why);
	if (rc == CELLA_ETRAP && report.trap == CELL_TRAP_EXIT)
		return error_set(err, rc, "a constructor or warm-up exits with status %d", report.status);
	return rc < 0 ? error_set(err, rc, "in a constructor or warm-up: %s", why.text) : 0;
}

static void keep_base(struct spawner *s, struct instance *in, bool files)
{
	struct error why;
	if (files)
		log_info("a constructor or warm-up leaves files open: each cell is made by itself");
	else if (instance_capture(in, NULL, &s->base, &why) < 0)
		log_info("%s: each cell is made by itself", why.text);
	s->without = !s->base;
}

int spawner_take(struct spawner *s, uint32_t timeout_ms, struct instance **ret_instance, struct error *err)
{
	struct instance *in;
	if (s->base)
		return instance_spawn(&s->config, s->base, ret_instance, err);
	size_t open = wasi_open_count(s->config.wasi);
	int rc = instance_new(&s->config, &in, err);
	if (rc < 0)
		return rc;
	rc = run_initialisers(in, timeout_ms, err);
	if (rc < 0) {
		instance_free(in);
		return rc;
	}
	if (!s->without)
		keep_base(s, in, wasi_open_count(s->config.wasi) > open);
	*ret_instance = in;
	return 0;
}

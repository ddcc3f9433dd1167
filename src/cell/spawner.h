/*
 * Where a program's cells for tasks come from. The first is made by its initialisers: the module's, the
 * program's constructors, its warm-ups (guest/task.c, cella_task_prepare). What it is then is kept as the
 * base snapshot, from which the others begin.
 *
 * No base is kept where memory is short, and of a program whose constructors leave files open: descriptors
 * are WASI's, not the cell's. Each cell is made by the initialisers then.
 */
#ifndef CELL_SPAWNER_H
#define CELL_SPAWNER_H

#include "cell/instance.h"

struct spawner;

/* The config is copied, not what it points to. */
int spawner_new(const struct instance_config *config, struct spawner **ret_spawner,
                struct error *err) must_check;
void spawner_free(struct spawner *spawner);

/* An instance ready for its first task. CELLA_ETRAP: an initialiser trapped; CELLA_ETIMEOUT: they take longer
 * than that (0: no limit). */
int spawner_take(struct spawner *spawner, uint32_t timeout_ms, struct instance **ret_instance,
                 struct error *err) must_check;
/* Memory is short: lets the base go, and keeps none from now on. */
void spawner_give_way(struct spawner *spawner);

#endif

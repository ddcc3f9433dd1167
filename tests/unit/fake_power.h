/*
 * A disk under SQLite whose power can be cut: what was written since a file was last synced is then there, or
 * not, or in part (sectors of 512 bytes, in any choice). A VFS in front of SQLite's own, the default one once
 * it is installed.
 */
#ifndef FAKE_POWER_H
#define FAKE_POWER_H

#include <stdbool.h>
#include <stdint.h>

void fake_power_install(void);

/* From now on, the `operations`-th write, truncation or sync is the first that does not happen; 0: all do. */
void fake_power_cut_after(uint64_t operations);
bool fake_power_is_cut(void);
/* How many there were since. */
uint64_t fake_power_operations(void);
/* The sync that comes as number `sync` from now fails, and the power stays; 0: none. */
void fake_power_fail_sync(uint64_t sync);

enum fake_power_rest { FAKE_POWER_NOTHING, FAKE_POWER_ALL, FAKE_POWER_SECTORS };
/* When all files are closed: as the disk has them after the cut. */
void fake_power_settle(enum fake_power_rest rest, uint64_t seed);

#endif

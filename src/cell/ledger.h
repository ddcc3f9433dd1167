/*
 * A ledger: which tasks were submitted (by one submitter, or into one group), and the sum of the
 * receipts that prove that all of them ended (seal/seal.h).
 *
 * Tasks are noted as ranges of their sequence numbers, so a ledger does not grow with the tasks
 * that were submitted in one row. A task whose outcome was told is taken out of the sum, or stays
 * in it with another status; the agent, which sees single receipts but cannot make one, reaches the
 * sum only if every other task ended.
 */
#ifndef CELL_LEDGER_H
#define CELL_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "seal/seal.h"

struct ledger_range {
	uint64_t begin, end; /* sequence numbers [begin, end) */
};

struct ledger {
	struct ledger_range *ranges; /* ascending */
	size_t range_count;
	size_t range_capacity;
	uint64_t task_count; /* that must end with a receipt */
	struct seal_receipt sum;
};

/* A zeroed ledger is empty and valid. */
void ledger_done(struct ledger *l);

/* The next task, with the receipt of its good end. CELLA_ENOMEM. */
int ledger_add(struct ledger *l, uint64_t sequence, const struct seal_receipt *receipt) must_check;
bool ledger_has(const struct ledger *l, uint64_t sequence);
/* A task of the ledger did not end well: take its receipt out, and put another (NULL: none) in its place. */
void ledger_amend(struct ledger *l, const struct seal_receipt *receipt, const struct seal_receipt *instead);
/* Does this prove that all tasks of the ledger ended? */
bool ledger_proved(const struct ledger *l, uint64_t count, uint64_t low, uint64_t high);

#endif

#include "cell/ledger.h"

#include <stdlib.h>

void ledger_done(struct ledger *l)
{
	free(l->ranges);
	*l = (struct ledger){0};
}

static int ledger_note(struct ledger *l, uint64_t sequence)
{
	if (l->range_count && l->ranges[l->range_count - 1].end == sequence) {
		l->ranges[l->range_count - 1].end++;
		return 0;
	}
	if (l->range_count == l->range_capacity) {
		size_t capacity = l->range_capacity ? l->range_capacity * 2 : 4;
		struct ledger_range *larger = reallocarray(l->ranges, capacity, sizeof(*larger));
		if (!larger)
			return CELLA_ENOMEM;
		l->ranges = larger;
		l->range_capacity = capacity;
	}
	l->ranges[l->range_count++] = (struct ledger_range){.begin = sequence, .end = sequence + 1};
	return 0;
}

int ledger_add(struct ledger *l, uint64_t sequence, const struct seal_receipt *receipt)
{
	if (ledger_note(l, sequence) < 0)
		return CELLA_ENOMEM;
	l->task_count++;
	seal_receipt_add(&l->sum, receipt);
	return 0;
}

bool ledger_has(const struct ledger *l, uint64_t sequence)
{
	size_t low = 0, high = l->range_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (sequence < l->ranges[middle].begin)
			high = middle;
		else if (sequence >= l->ranges[middle].end)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

static void receipt_subtract(struct seal_receipt *from, const struct seal_receipt *r)
{
	from->high -= r->high + (from->low < r->low);
	from->low -= r->low;
}

void ledger_amend(struct ledger *l, const struct seal_receipt *receipt, const struct seal_receipt *instead)
{
	receipt_subtract(&l->sum, receipt);
	if (instead)
		seal_receipt_add(&l->sum, instead);
	else
		l->task_count--;
}

bool ledger_proved(const struct ledger *l, uint64_t count, uint64_t low, uint64_t high)
{
	return count == l->task_count && low == l->sum.low && high == l->sum.high;
}

#include "cas/audit/list.h"

#include <string.h>

#include "base/cleanup.h"
#include "cas/access.h"
#include "cas/audit/json.h"

/* ---- a page of it, copied while the records are locked */

struct page {
	struct buf entries; /* each with its size before it */
	size_t count;
	uint64_t next; /* 0: the log ends here */
};

static int copy_entry(void *arg, uint64_t number, const void *data, size_t size, struct error *err)
{
	struct page *p = arg;
	if (p->count == AUDIT_PAGE_ENTRIES || p->entries.size + size > AUDIT_PAGE_BYTES) {
		p->next = number;
		return CELLA_ECANCELED;
	}
	buf_put_blob(&p->entries, data, size);
	p->count++;
	return p->entries.failed ? error_set(err, CELLA_ENOMEM, "no memory for the audit log") : 0;
}

static int read_page(struct cas *cas, uint64_t from, struct page *p, struct error *err)
{
	const struct cas_storage *storage = records_storage(cas_records_lock(cas));
	int rc = storage->log_each(storage->data, from, copy_entry, p, err);
	cas_records_unlock(cas);
	return rc == CELLA_ECANCELED ? 0 : rc;
}

/* ---- who may see what */

/* Sessions that were asked about, for one request. */
struct seen {
	char name[RECORDS_NAME_MAX + 1];
	bool may;
	uint64_t since_ns;
};

struct viewer {
	struct cas *cas;
	const struct cas_requester *who;
	const struct cas_audit_query *query;
	bool owner;
	struct seen seen[32];
	size_t seen_count;
};

static void examine(const struct viewer *v, const char *name, struct seen *ret)
{
	const struct cas_session *session;
	struct records_session record;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	ret->may = false;
	if (cas_session_get(v->cas, name, &session, NULL) < 0)
		return;
	ret->may = access_may_read(v->cas, v->who, session);
	cas_session_put_back(v->cas, session);
	if (records_session_get(cas_records_lock(v->cas), name, &record, NULL) == 0) {
		ret->since_ns = record.created_ns;
		records_session_done(&record);
	} else {
		ret->may = false;
	}
	cas_records_unlock(v->cas);
}

static const struct seen *find_session(struct viewer *v, const char *name)
{
	for (size_t i = 0; i < v->seen_count; i++)
		if (strcmp(v->seen[i].name, name) == 0)
			return &v->seen[i];
	size_t place = v->seen_count < array_count(v->seen) ? v->seen_count++ : 0;
	examine(v, name, &v->seen[place]);
	return &v->seen[place];
}

static bool may_see(struct viewer *v, const struct audit_entry *e, const json_t *json)
{
	const json_t *session = json_object_get(json_object_get(json, "what"), "session");
	const char *name = json_string_value(session);
	if (v->query->session && (!name || strcmp(name, v->query->session) != 0))
		return false;
	if (!session)
		return v->owner;
	const struct seen *seen = name && strlen(name) <= RECORDS_NAME_MAX ? find_session(v, name) : NULL;
	return seen && seen->may && e->time_ns >= seen->since_ns;
}

static int show(struct viewer *v, const void *bytes, size_t size, json_t *list, struct error *err)
{
	struct audit_entry e;
	int rc = audit_entry_decode(bytes, size, &e, err);
	if (rc < 0)
		return rc;
	if (e.time_ns < v->query->since_ns)
		return 0;
	json_t *json = audit_entry_json(&e);
	if (!json)
		return error_set(err, CELLA_EFORMAT, "audit log, entry %llu: it is not what this CAS writes",
		                 (unsigned long long)e.number);
	if (may_see(v, &e, json))
		rc = json_array_append(list, json) == 0
		             ? 0
		             : error_set(err, CELLA_ENOMEM, "no memory for the audit log");
	json_decref(json);
	return rc;
}

/* ---- asked for */

int cas_audit_list(struct cas *cas, const struct cas_requester *who, const struct cas_audit_query *query,
                   json_t *list, uint64_t *ret_next, struct error *err)
{
	struct viewer v = {.cas = cas, .who = who, .query = query, .owner = cas_is_owner(cas, who)};
	struct page p = {0};
	int rc = 0;
	if (query->session) {
		const struct access_request q = {who, SIGNATURE_READ, query->session, NULL};
		rc = access_demand_read(cas, &q, NULL, err);
	}
	if (rc == 0)
		rc = read_page(cas, query->from, &p, err);
	struct reader r = reader_of(p.entries.data, p.entries.size);
	while (rc == 0 && !r.failed && reader_left(&r)) {
		size_t size;
		const void *bytes = reader_blob(&r, &size);
		rc = show(&v, bytes, size, list, err);
	}
	if (rc == 0)
		*ret_next = p.next;
	buf_done(&p.entries);
	return rc;
}

#include "tpm_question.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void set_policy(struct question *q, const char *format, ...)
{
	char text[1000];
	struct error err = {0};
	va_list args;
	va_start(args, format);
	const int size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	assert_true(size > 0 && (size_t)size < sizeof(text));
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	tee_policy_free(q->policy);
	q->policy = NULL;
	if (tee_policy_read(TEE_TPM, text, (size_t)size, &q->policy, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	q->input.policy = q->policy;
}

void ask(const struct soft_shape *shape, struct question *q)
{
	memset(q, 0, sizeof(*q));
	struct soft_files *f = &q->files;
	soft_make(shape, f);
	q->certs[0] = (struct tee_blob){f->ak_cert.data, f->ak_cert.size, "ak"};
	q->certs[1] = (struct tee_blob){f->root.data, f->root.size, "root"};
	q->certs[2] = (struct tee_blob){f->ek_cert.data, f->ek_cert.size, "ek"};
	q->logs[0] = (struct tee_blob){f->boot_log.data, f->boot_log.size, "boot"};
	q->logs[1] = (struct tee_blob){f->ima_binary.data, f->ima_binary.size, "ima"};
	q->list = (struct tee_blob){f->list.data, f->list.size, "list"};
	q->input = (struct tee_input){
		.kind = TEE_TPM,
		.evidence = {f->evidence.data, f->evidence.size, "evidence"},
		.certs = q->certs,
		.cert_count = 3,
		.event_logs = q->logs,
		.event_log_count = 2,
		.report_data = f->nonce,
		.report_data_size = sizeof(f->nonce),
		.time = SOFT_TIME,
	};
	set_policy(q, "{'ak_roots': '%s', 'ek_roots': '%s'}", f->root_hash, f->root_hash);
}

void answered(struct question *q)
{
	tee_policy_free(q->policy);
	soft_done(&q->files);
}

void assert_verdict(const struct question *q, const char *names)
{
	assert_judged(&q->input, names);
}

void assert_error(const struct question *q, const char *why)
{
	struct tee_verdict v = {0};
	struct error err = {0};
	assert_int_equal(tee_verify(&q->input, &v, &err), CELLA_EFORMAT);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

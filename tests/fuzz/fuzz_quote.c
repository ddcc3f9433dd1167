/*
 * Do quotes of TDX and SGX, and their verification with collateral, stay inside themselves, and does what is
 * remembered judge as what is not? Byte 0 says of which kind: 't', 's'; then a 32-bit size of the quote, the
 * quote, and one file of collateral. 'p' and 'q': a policy for either.
 */
#include <stdlib.h>
#include <string.h>

#include "attest/dcap/quote_format.h"
#include "attest/tee.h"
#include "base/buf.h"
#include "crypto/crypto.h"
#include "fuzz_verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TIME = 1750000000 };

static void look_at(const struct tee_verdict *v)
{
	verdict_is_sound(v);
	/* Nobody here has a key below Intel's. */
	if (tee_accepted(v))
		abort();
}

static void decode(const uint8_t *data, size_t size)
{
	struct quote quote;
	if (quote_parse(data, size, &quote, NULL) < 0)
		return;
	if (quote.size + quote.trailing_size != size || quote.signed_bytes != data ||
	    quote.signed_size >= quote.size || quote.qe_auth < quote.qe_report ||
	    quote.certification_data + quote.certification_size > data + quote.size)
		abort();
}

static void verify(struct tee_input *input)
{
	struct tee_verdict first = {0}, again = {0}, shown = {0};
	if (tee_chains_new(1, &input->chains, NULL) < 0)
		abort();
	const int rc = tee_verify(input, &first, NULL);
	if (rc == 0) {
		look_at(&first);
		if (tee_verify(input, &again, NULL) != 0 || again.failed_count != first.failed_count ||
		    again.check_count != first.check_count)
			abort();
		if (tee_show(input, &shown, NULL) != 0)
			abort();
	}
	tee_verdict_done(&first);
	tee_verdict_done(&again);
	tee_verdict_done(&shown);
	tee_chains_free(input->chains);
}

static void policy(enum tee_kind kind, const uint8_t *data, size_t size)
{
	struct tee_policy *read;
	if (tee_policy_read(kind, data, size, &read, NULL) == 0)
		tee_policy_free(read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct reader r = reader_of(data, size);
	if (!started && crypto_init(NULL, NULL) < 0)
		abort();
	started = true;
	const uint8_t kind = reader_u8(&r);
	if (kind == 'p' || kind == 'q') {
		policy(kind == 'p' ? TEE_TDX : TEE_SGX, data + 1, size - 1);
		return 0;
	}
	size_t quote_size;
	const uint8_t *quote = reader_blob(&r, &quote_size);
	if (!quote)
		return -1;
	const struct tee_blob collateral = {r.data + r.at, reader_left(&r), "collateral"};
	struct tee_input input = {
		.kind = kind == 't' ? TEE_TDX : TEE_SGX,
		.evidence = {quote, quote_size, "quote"},
		.collateral = &collateral,
		.collateral_count = collateral.size > 0,
		.time = TIME,
	};
	decode(quote, quote_size);
	verify(&input);
	return 0;
}

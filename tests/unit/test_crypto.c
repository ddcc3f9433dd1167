/*
 * Cryptography against the published vectors of the standards that it follows, and against
 * changed input. Runs with OpenSSL's allocations in a protected pool where the machine has one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "crypto/crypto.h"
#include "crypto/hpke.h"
#include "crypto/keys.h"

static struct mem_pool *pool;

static uint8_t nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Bytes of a hexadecimal text into `room` of them; returns how many. */
static size_t unhex(const char *text, uint8_t *to, size_t room)
{
	size_t size = min_of(strlen(text) / 2, room);
	assert_int_equal(strlen(text), 2 * size);
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
	return size;
}

static void assert_hex(const void *bytes, const char *expected)
{
	uint8_t wanted[512];
	size_t size = unhex(expected, wanted, sizeof(wanted));
	assert_memory_equal(bytes, wanted, size);
}

/* FIPS 180-4's examples, from NIST's "Examples with Intermediate Values". */
static void test_sha384(void **state)
{
	(void)state;
	static const struct {
		const char *text, *digest;
	} cases[] = {
		{"", "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
	             "274edebfe76f65fbd51ad2f14898b95b"},
		{"abc", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	                "8086072ba1e7cc2358baeca134c825a7"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		uint8_t digest[CRYPTO_SHA384_SIZE];
		assert_int_equal(crypto_sha384(cases[i].text, strlen(cases[i].text), digest, NULL), 0);
		assert_hex(digest, cases[i].digest);
	}
}

/* Parts are the concatenation of sizes and bytes; where the border lies matters. */
static void test_sha384_parts(void **state)
{
	(void)state;
	static const uint8_t whole[] = {2, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 1, 0, 0, 0, 0, 0, 0, 0, 'c'};
	const struct crypto_part ab_c[] = {{"ab", 2}, {"c", 1}}, a_bc[] = {{"a", 1}, {"bc", 2}};
	uint8_t expected[CRYPTO_SHA384_SIZE], one[CRYPTO_SHA384_SIZE], other[CRYPTO_SHA384_SIZE];
	assert_int_equal(crypto_sha384(whole, sizeof(whole), expected, NULL), 0);
	assert_int_equal(crypto_sha384_parts(ab_c, 2, one, NULL), 0);
	assert_int_equal(crypto_sha384_parts(a_bc, 2, other, NULL), 0);
	assert_memory_equal(one, expected, sizeof(one));
	assert_memory_not_equal(other, expected, sizeof(other));
	assert_int_equal(crypto_sha384_parts(NULL, 0, one, NULL), 0);
	assert_int_equal(crypto_sha384("", 0, other, NULL), 0);
	assert_memory_equal(one, other, sizeof(one));
}

/* RFC 5869 appendix A, the cases of SHA-256. */
static void test_hkdf(void **state)
{
	(void)state;
	static const struct {
		const char *key, *salt, *info, *output;
	} cases[] = {
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
	         "f0f1f2f3f4f5f6f7f8f9",
	         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	         "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
	         "404142434445464748494a4b4c4d4e4f",
	         "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
	         "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
	         "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	         "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
	         "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
	         "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	         "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
	         "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
	         "cc30c58179ec3e87c14c01d5c1f3434f1d87"},
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
	         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		uint8_t key[128], salt[128], info[128], output[128];
		size_t key_size = unhex(cases[i].key, key, sizeof(key)),
		       salt_size = unhex(cases[i].salt, salt, sizeof(salt));
		size_t info_size = unhex(cases[i].info, info, sizeof(info)),
		       size = strlen(cases[i].output) / 2;
		assert_int_equal(crypto_hkdf(key, key_size, salt, salt_size, info, info_size, output, size,
		                             NULL),
		                 0);
		assert_hex(output, cases[i].output);
	}
	static uint8_t large[255 * 32 + 1];
	assert_int_equal(crypto_hkdf("k", 1, NULL, 0, NULL, 0, large, sizeof(large) - 1, NULL), 0);
	assert_int_equal(crypto_hkdf("k", 1, NULL, 0, NULL, 0, large, sizeof(large), NULL), CELLA_EINVAL);
}

/* The pseudo-random key of RFC 5869's first case, expanded: the first block of its output. */
static void test_derive(void **state)
{
	(void)state;
	uint8_t prk[CRYPTO_KEY_SIZE], info[16], key[CRYPTO_KEY_SIZE], again[CRYPTO_KEY_SIZE];
	unhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", prk, sizeof(prk));
	size_t info_size = unhex("f0f1f2f3f4f5f6f7f8f9", info, sizeof(info));
	struct crypto_deriver *d;
	assert_int_equal(crypto_deriver_new(prk, &d, NULL), 0);
	assert_int_equal(crypto_derive(d, info, info_size, key, NULL), 0);
	assert_hex(key, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
	assert_int_equal(crypto_derive(d, info, info_size - 1, again, NULL), 0);
	assert_memory_not_equal(key, again, sizeof(key));
	assert_int_equal(crypto_derive(d, info, info_size, again, NULL), 0);
	assert_memory_equal(key, again, sizeof(key));
	assert_int_equal(crypto_derive(d, NULL, 0, again, NULL), 0);
	crypto_deriver_free(d);
	crypto_deriver_free(NULL);
}

/* Test cases 13 to 16 of McGrew and Viega, "The Galois/Counter Mode of Operation": AES-256. */
static const struct {
	const char *key, *nonce, *aad, *plain, *cipher, *tag;
} gcm_cases[] = {
	{"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
         "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
         "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
         "d0d1c8a799996bf0265b98b5d48ab919"},
	{"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
         "b094dac5d93471bdec1a502270e3cc6c"},
	{"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
         "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
         "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
         "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void test_aead_vectors(void **state)
{
	(void)state;
	struct crypto_aead *a;
	assert_int_equal(crypto_aead_new(&a, NULL), 0);
	for (size_t i = 0; i < array_count(gcm_cases); i++) {
		uint8_t key[32], nonce[12], aad[32], text[64], tag[16];
		unhex(gcm_cases[i].key, key, sizeof(key));
		unhex(gcm_cases[i].nonce, nonce, sizeof(nonce));
		size_t aad_size = unhex(gcm_cases[i].aad, aad, sizeof(aad)),
		       size = unhex(gcm_cases[i].plain, text, sizeof(text));
		assert_int_equal(crypto_aead_seal(a, key, nonce, aad, aad_size, text, size, text, tag, NULL),
		                 0);
		assert_hex(text, gcm_cases[i].cipher);
		assert_hex(tag, gcm_cases[i].tag);
		assert_int_equal(crypto_aead_open(a, key, nonce, aad, aad_size, text, size, tag, text, NULL),
		                 0);
		assert_hex(text, gcm_cases[i].plain);
	}
	crypto_aead_free(a);
	crypto_aead_free(NULL);
}

/* In steps of any size, and with additional data in parts, the result is the same. */
static void test_aead_steps(void **state)
{
	(void)state;
	struct crypto_aead *a;
	uint8_t key[32] = {7}, nonce[12] = {1}, in[1000], whole[1000], steps[1000], tag[16], step_tag[16];
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 11);
	const struct crypto_part aad[] = {{"additional ", 11}, {NULL, 0}, {"data", 4}};
	assert_int_equal(crypto_aead_new(&a, NULL), 0);
	assert_int_equal(crypto_aead_seal(a, key, nonce, "additional data", 15, in, 1000, whole, tag, NULL),
	                 0);
	for (size_t step = 1; step < 400; step += 57) {
		assert_int_equal(crypto_aead_seal_begin(a, key, nonce, aad, 3, NULL), 0);
		for (size_t at = 0; at < 1000; at += step)
			assert_int_equal(crypto_aead_seal_update(a, in + at, min_of(step, 1000 - at),
			                                         steps + at, NULL),
			                 0);
		assert_int_equal(crypto_aead_seal_finish(a, step_tag, NULL), 0);
		assert_memory_equal(steps, whole, sizeof(whole));
		assert_memory_equal(step_tag, tag, sizeof(tag));
		assert_int_equal(crypto_aead_open_begin(a, key, nonce, aad, 3, NULL), 0);
		for (size_t at = 0; at < 1000; at += step)
			assert_int_equal(crypto_aead_open_update(a, steps + at, min_of(step, 1000 - at),
			                                         steps + at, NULL),
			                 0);
		assert_int_equal(crypto_aead_open_finish(a, tag, NULL), 0);
		assert_memory_equal(steps, in, sizeof(in));
	}
	crypto_aead_free(a);
}

static void test_aead_refuses(void **state)
{
	(void)state;
	struct crypto_aead *a;
	uint8_t key[32] = {7}, nonce[12] = {1}, text[40], out[40], tag[16], zero[40] = {0};
	memset(text, 0x33, sizeof(text));
	assert_int_equal(crypto_aead_new(&a, NULL), 0);
	assert_int_equal(crypto_aead_seal(a, key, nonce, "aad", 3, text, 40, text, tag, NULL), 0);
	struct {
		uint8_t *byte;
	} flips[] = {{key}, {nonce + 11}, {text}, {text + 39}, {tag}, {tag + 15}};
	for (size_t i = 0; i < array_count(flips); i++) {
		*flips[i].byte ^= 1;
		memset(out, 1, sizeof(out));
		assert_int_equal(crypto_aead_open(a, key, nonce, "aad", 3, text, 40, tag, out, NULL),
		                 CELLA_EAUTH);
		assert_memory_equal(out, zero, sizeof(out));
		*flips[i].byte ^= 1;
	}
	assert_int_equal(crypto_aead_open(a, key, nonce, "aae", 3, text, 40, tag, out, NULL), CELLA_EAUTH);
	assert_int_equal(crypto_aead_open(a, key, nonce, "aad", 2, text, 40, tag, out, NULL), CELLA_EAUTH);
	assert_int_equal(crypto_aead_open(a, key, nonce, "aad", 3, text, 39, tag, out, NULL), CELLA_EAUTH);
	assert_int_equal(crypto_aead_open(a, key, nonce, "aad", 3, text, 40, tag, out, NULL), 0);
	crypto_aead_free(a);
}

/* FIPS 197 appendix C.3. */
static void test_prf(void **state)
{
	(void)state;
	uint8_t key[32], block[16];
	struct crypto_prf *p;
	unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", key, sizeof(key));
	assert_int_equal(crypto_prf_new(key, &p, NULL), 0);
	for (int round = 0; round < 3; round++) {
		unhex("00112233445566778899aabbccddeeff", block, sizeof(block));
		assert_int_equal(crypto_prf_block(p, block, block, NULL), 0);
		assert_hex(block, "8ea2b7ca516745bfeafc49904b496089");
	}
	crypto_prf_free(p);
	crypto_prf_free(NULL);
}

/* RFC 7748 section 6.1: Bob's side. */
static void test_x25519(void **state)
{
	(void)state;
	static const uint8_t zero[CRYPTO_X25519_SIZE];
	uint8_t private_key[32], peer[32], shared[32];
	struct crypto_key_pair pair, other;
	unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", private_key,
	      sizeof(private_key));
	unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", peer, sizeof(peer));
	assert_int_equal(keys_x25519_load(private_key, &pair, NULL), 0);
	assert_hex(pair.public_key, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	assert_int_equal(keys_x25519(private_key, peer, shared, NULL), 0);
	assert_hex(shared, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	assert_int_equal(crypto_x25519_generate(&pair, NULL), 0);
	assert_int_equal(crypto_x25519_generate(&other, NULL), 0);
	assert_memory_not_equal(&pair, &other, sizeof(pair));
	assert_int_equal(keys_x25519(private_key, zero, shared, NULL), CELLA_EAUTH);
}

static const char hpke_info[] = "4f6465206f6e2061204772656369616e2055726e"; /* "Ode on a Grecian Urn" */
static const char hpke_plain[] = "4265617574792069732074727574682c20747275746820626561757479";
static const char hpke_aad[] = "436f756e742d30"; /* "Count-0" */

/* RFC 9180 appendix A.1.1: the KEM, the key schedule. That suite's cipher is AES-128-GCM, so the
 * sealing itself is checked by the next test. */
static void test_hpke_schedule(void **state)
{
	(void)state;
	uint8_t private_key[32], info[32], secret[32];
	struct crypto_key_pair ephemeral, receiver;
	struct hpke_keys keys;
	size_t info_size = unhex(hpke_info, info, sizeof(info));
	unhex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736", private_key,
	      sizeof(private_key));
	assert_int_equal(keys_x25519_load(private_key, &ephemeral, NULL), 0);
	assert_hex(ephemeral.public_key, "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
	unhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8", private_key,
	      sizeof(private_key));
	assert_int_equal(keys_x25519_load(private_key, &receiver, NULL), 0);
	assert_hex(receiver.public_key, "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
	for (int side = 0; side < 2; side++) {
		const struct crypto_key_pair *own = side ? &receiver : &ephemeral,
					     *peer = side ? &ephemeral : &receiver;
		assert_int_equal(hpke_shared_secret(own->private_key, peer->public_key, ephemeral.public_key,
		                                    receiver.public_key, secret, NULL),
		                 0);
		assert_hex(secret, "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc");
	}
	assert_int_equal(hpke_key_schedule(secret, info, info_size, HPKE_AES_128_GCM, &keys, NULL), 0);
	assert_hex(keys.key, "4531685d41d65f03dc48f6b8302c05b0");
	assert_hex(keys.nonce, "56d890e5accaaf011cff4b7d");
}

/* Cella's own suite, whole: mode 0, KEM 32, KDF 1, AEAD 2. The RFC's appendix has no such vector; this
 * one is in the working group's test-vectors.json and in BoringSSL's hpke_test_vectors.txt. */
static void test_hpke_seal(void **state)
{
	(void)state;
	uint8_t private_key[32], public_key[32], info[32], plain[32], aad[16], out[29 + CRYPTO_HPKE_OVERHEAD];
	struct crypto_key_pair ephemeral;
	size_t info_size = unhex(hpke_info, info, sizeof(info)),
	       size = unhex(hpke_plain, plain, sizeof(plain)), aad_size = unhex(hpke_aad, aad, sizeof(aad));
	unhex("28e212563a8b6f068af7ff17400ff1baf23612b7a738bbaf5dfb321b2b5b431a", private_key,
	      sizeof(private_key));
	unhex("ac66bae9ffa270cf4a89ed9f274e30c0456babae2572aaaf002ff0d8884ab018", public_key,
	      sizeof(public_key));
	assert_int_equal(keys_x25519_load(private_key, &ephemeral, NULL), 0);
	assert_int_equal(hpke_seal_with(&ephemeral, public_key, info, info_size, aad, aad_size, plain, size,
	                                out, NULL),
	                 0);
	assert_memory_equal(out, ephemeral.public_key, sizeof(ephemeral.public_key));
	assert_hex(
		out + 32,
		"23ded2d5d90ea89d975dac4792b297240f194952d7421aacbff0474100052b6bb8aa58d18ef6c42b6960e2e28f");
}

static void test_hpke_round_trip(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 32, 1000};
	struct crypto_key_pair pair, other;
	uint8_t in[1000], sealed[1000 + CRYPTO_HPKE_OVERHEAD], out[1000];
	memset(in, 0x42, sizeof(in));
	assert_int_equal(crypto_x25519_generate(&pair, NULL), 0);
	assert_int_equal(crypto_x25519_generate(&other, NULL), 0);
	for (size_t i = 0; i < array_count(sizes); i++) {
		size_t size = sizes[i], sealed_size = size + CRYPTO_HPKE_OVERHEAD;
		assert_int_equal(crypto_hpke_seal(pair.public_key, "info", 4, "aad", 3, in, size, sealed,
		                                  NULL),
		                 0);
		assert_int_equal(crypto_hpke_open(&pair, "info", 4, "aad", 3, sealed, sealed_size, out, NULL),
		                 0);
		assert_memory_equal(in, out, size);
		assert_int_equal(crypto_hpke_open(&other, "info", 4, "aad", 3, sealed, sealed_size, out,
		                                  NULL),
		                 CELLA_EAUTH);
		assert_int_equal(crypto_hpke_open(&pair, "inf0", 4, "aad", 3, sealed, sealed_size, out, NULL),
		                 CELLA_EAUTH);
		assert_int_equal(crypto_hpke_open(&pair, "info", 4, "aae", 3, sealed, sealed_size, out, NULL),
		                 CELLA_EAUTH);
		for (size_t at = 0; at < sealed_size; at += 7) {
			sealed[at] ^= 0x10;
			assert_int_equal(crypto_hpke_open(&pair, "info", 4, "aad", 3, sealed, sealed_size,
			                                  out, NULL),
			                 CELLA_EAUTH);
			sealed[at] ^= 0x10;
		}
	}
	memset(sealed, 0, CRYPTO_X25519_SIZE);
	assert_int_equal(crypto_hpke_open(&pair, "info", 4, "aad", 3, sealed, 100, out, NULL), CELLA_EAUTH);
	assert_int_equal(crypto_hpke_open(&pair, NULL, 0, NULL, 0, sealed, CRYPTO_HPKE_OVERHEAD - 1, out,
	                                  NULL),
	                 CELLA_EFORMAT);
}

/* RFC 8032 section 7.1, tests 1 to 3. */
static void test_ed25519(void **state)
{
	(void)state;
	static const struct {
		const char *private_key, *public_key, *message, *signature;
	} cases[] = {
		{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
	         "5fb8821590a33bacc61e39701cf9b46b"
	         "d25bf5f0595bbe24655141438e7a100b"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	         "085ac1e43e15996e458f3613d0f11d8c"
	         "387b2eaeb4302aeeb00d291612bb0c00"},
		{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
	         "18ff9b538d16f290ae67f760984dc659"
	         "4a7c15e9716ed28dc027beceea1ec40a"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct crypto_signer signer;
		uint8_t private_key[32], message[2], signature[CRYPTO_SIGNATURE_SIZE];
		unhex(cases[i].private_key, private_key, sizeof(private_key));
		size_t size = unhex(cases[i].message, message, sizeof(message));
		assert_int_equal(crypto_signer_load(private_key, &signer, NULL), 0);
		assert_hex(signer.public_key, cases[i].public_key);
		assert_int_equal(crypto_sign(&signer, message, size, signature, NULL), 0);
		assert_hex(signature, cases[i].signature);
		assert_int_equal(crypto_verify(signer.public_key, message, size, signature, NULL), 0);
		signature[20] ^= 1;
		assert_int_equal(crypto_verify(signer.public_key, message, size, signature, NULL),
		                 CELLA_EAUTH);
		signature[20] ^= 1;
		assert_int_equal(crypto_verify(signer.public_key, "other", 5, signature, NULL), CELLA_EAUTH);
		signer.public_key[0] ^= 2;
		assert_true(crypto_verify(signer.public_key, message, size, signature, NULL) < 0);
	}
	struct crypto_signer fresh;
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
	assert_int_equal(crypto_signer_generate(&fresh, NULL), 0);
	assert_int_equal(crypto_sign(&fresh, "text", 4, signature, NULL), 0);
	assert_int_equal(crypto_verify(fresh.public_key, "text", 4, signature, NULL), 0);
}

/* Points whose order divides 8, in their one form; with the sign of x set where there is one. */
static const char *const small_order[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
};

/* Does a signature hold that was made without a private key: S = 0, and R the neutral point? One in eight
 * messages does, for a key of order 8. */
static bool is_forged(const uint8_t key[CRYPTO_ED25519_SIZE])
{
	const uint8_t signature[CRYPTO_SIGNATURE_SIZE] = {1};
	bool forged = false;
	for (uint32_t message = 0; message < 512 && !forged; message++)
		forged = crypto_verify(key, &message, sizeof(message), signature, NULL) == 0;
	return forged;
}

static void test_ed25519_check(void **state)
{
	static const char *const none[] = {
		"0200000000000000000000000000000000000000000000000000000000000000", /* no x */
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p, which is 0 */
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	uint8_t key[CRYPTO_ED25519_SIZE];
	struct error err;
	unsigned accepted = 0;
	(void)state;
	for (size_t i = 0; i < array_count(small_order); i++) {
		unhex(small_order[i], key, sizeof(key));
		assert_true(is_forged(key)); /* why it matters */
		assert_int_equal(crypto_ed25519_check(key, &err), CELLA_EINVAL);
		assert_non_null(strstr(err.text, "small order"));
	}
	for (size_t i = 0; i < array_count(none); i++) {
		unhex(none[i], key, sizeof(key));
		assert_int_equal(crypto_ed25519_check(key, &err), CELLA_EINVAL);
		assert_null(strstr(err.text, "small order"));
	}
	for (unsigned i = 0; i < 100; i++) {
		struct crypto_signer signer;
		assert_int_equal(crypto_signer_generate(&signer, &err), 0);
		assert_int_equal(crypto_ed25519_check(signer.public_key, &err), 0);
		assert_false(is_forged(signer.public_key));
	}
	/* Half of all numbers are of points. */
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t digest[CRYPTO_SHA384_SIZE];
		assert_int_equal(crypto_sha384(&i, sizeof(i), digest, NULL), 0);
		int rc = crypto_ed25519_check(digest, &err);
		assert_true(rc == 0 || rc == CELLA_EINVAL);
		accepted += rc == 0;
	}
	assert_in_range(accepted, 400, 600);
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(crypto_equal("abc", "abc", 3));
	assert_false(crypto_equal("abc", "abd", 3));
	assert_true(crypto_equal("abc", "xyz", 0));
}

/* Are salts different from each other, and a forked child's from its parent's? */
static void test_salts(void **state)
{
	(void)state;
	enum { COUNT = 40 };
	struct crypto_salts *s;
	uint8_t salts[COUNT][CRYPTO_SALT_SIZE];
	int ends[2];
	assert_int_equal(crypto_salts_new(&s, NULL), 0);
	assert_int_equal(crypto_salt(s, salts[0], NULL), 0);
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (crypto_salt(s, salts[1], NULL) < 0 ||
		    write(ends[1], salts[1], CRYPTO_SALT_SIZE) != CRYPTO_SALT_SIZE)
			_exit(1);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(ends[0], salts[1], CRYPTO_SALT_SIZE), CRYPTO_SALT_SIZE);
	for (size_t i = 2; i < COUNT; i++)
		assert_int_equal(crypto_salt(s, salts[i], NULL), 0);
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(salts[i], salts[k], CRYPTO_SALT_SIZE);
	close(ends[0]);
	close(ends[1]);
	crypto_salts_free(s);
	crypto_salts_free(NULL);
}

/* Do OpenSSL's allocations lie in the pool, and is what they held wiped? */
static void test_allocations(void **state)
{
	(void)state;
	uint8_t *p = OPENSSL_malloc(48), zero[48] = {0};
	assert_true(mem_owns(pool, p));
	memset(p, 1, 48);
	p = OPENSSL_realloc(p, 4000);
	assert_true(mem_owns(pool, p));
	assert_int_equal(p[47], 1);
	uint8_t *old = p;
	p = OPENSSL_realloc(p, 0);
	assert_null(p);
	assert_memory_equal(old, zero, 48);
	struct mem_stats before, after;
	mem_pool_stats(pool, &before);
	for (int i = 0; i < 50; i++) {
		struct crypto_aead *a;
		struct crypto_deriver *d;
		uint8_t key[32] = {1};
		assert_int_equal(crypto_aead_new(&a, NULL), 0);
		assert_int_equal(crypto_deriver_new(key, &d, NULL), 0);
		assert_true(mem_owns(pool, a) && mem_owns(pool, d));
		crypto_aead_free(a);
		crypto_deriver_free(d);
	}
	mem_pool_stats(pool, &after);
	assert_int_equal(after.committed - after.idle, before.committed - before.idle);
}

/* A pool that is used up is an error that says so, and no more than that. */
static void test_no_memory(void **state)
{
	(void)state;
	enum { FULL = 5000 };
	static void *taken[FULL];
	static const size_t sizes[] = {256 << 10, 4096, 2048, 1024, 256, 16};
	uint8_t key[CRYPTO_KEY_SIZE] = {1}, out[CRYPTO_KEY_SIZE];
	struct crypto_deriver *kept, *d;
	struct crypto_aead *a;
	struct error err;
	size_t count = 0;
	assert_int_equal(crypto_deriver_new(key, &kept, NULL), 0);
	for (size_t i = 0; i < array_count(sizes); i++)
		while (count < FULL && (taken[count] = mem_alloc(pool, sizes[i])))
			count++;
	assert_true(count < FULL);
	assert_int_equal(crypto_deriver_new(key, &d, &err), CELLA_ENOMEM);
	assert_int_equal(crypto_aead_new(&a, &err), CELLA_ENOMEM);
	assert_int_not_equal(crypto_hkdf(key, 32, NULL, 0, NULL, 0, out, 32, &err), 0);
	while (count)
		mem_free(pool, taken[--count]);
	assert_int_equal(crypto_derive(kept, "info", 4, out, NULL), 0);
	assert_int_equal(crypto_deriver_new(key, &d, NULL), 0);
	crypto_deriver_free(d);
	crypto_deriver_free(kept);
}

static void test_init_once(void **state)
{
	(void)state;
	assert_int_equal(crypto_init(NULL, NULL), CELLA_EBUG);
}

static int start(void **state)
{
	(void)state;
	struct error err;
	enum mem_level level = MEM_SECRET;
	if (mem_level_check(level, 4 << 20, &err) < 0) {
		print_message("in ordinary memory: %s\n", err.text);
		level = MEM_INSECURE_NONE;
	}
	if (mem_pool_new(level, 64 << 20, &pool, &err) < 0 || crypto_init(pool, &err) < 0) {
		print_message("%s\n", err.text);
		return -1;
	}
	mem_set_process_pool(pool);
	return 0;
}

/* Under one key, in place: as AES-GCM elsewhere; what was altered or has another nonce is refused. */
static void test_fixed_key(void **state)
{
	uint8_t key[CRYPTO_KEY_SIZE] = {1}, nonce[CRYPTO_NONCE_SIZE] = {2}, other[CRYPTO_NONCE_SIZE] = {3};
	uint8_t data[100], same[100], text[100], tag[CRYPTO_TAG_SIZE], expected[CRYPTO_TAG_SIZE];
	struct crypto_fixed *fixed;
	struct crypto_aead *aead;
	(void)state;
	assert_int_equal(crypto_fixed_new(key, &fixed, NULL), 0);
	assert_int_equal(crypto_aead_new(&aead, NULL), 0);
	for (int turn = 0; turn < 3; turn++) {
		memset(text, turn, sizeof(text));
		memcpy(data, text, sizeof(text));
		nonce[5] = (uint8_t)turn;
		assert_int_equal(crypto_fixed_seal(fixed, nonce, data, sizeof(data), tag), 0);
		assert_int_equal(crypto_aead_seal(aead, key, nonce, NULL, 0, text, sizeof(text), same,
		                                  expected, NULL),
		                 0);
		assert_memory_equal(data, same, sizeof(data));
		assert_memory_equal(tag, expected, sizeof(tag));
		assert_int_equal(crypto_fixed_open(fixed, nonce, data, sizeof(data), tag), 0);
		assert_memory_equal(data, text, sizeof(data));
		memcpy(data, same, sizeof(data));
		assert_int_equal(crypto_fixed_open(fixed, other, data, sizeof(data), tag), CELLA_EAUTH);
		memcpy(data, same, sizeof(data));
		data[99] ^= 1;
		assert_int_equal(crypto_fixed_open(fixed, nonce, data, sizeof(data), tag), CELLA_EAUTH);
	}
	crypto_fixed_free(fixed);
	crypto_aead_free(aead);
}

/* RFC 7914 section 12, but for the vector that takes 1 GiB. */
static void test_scrypt(void **state)
{
	(void)state;
	static const struct {
		const char *password, *salt;
		struct crypto_scrypt cost;
		const char *key;
	} cases[] = {
		{"",
	         "",
	         {4, 1, 1},
	         "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
	         "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"},
		{"password",
	         "NaCl",
	         {10, 8, 16},
	         "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
	         "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"},
		{"pleaseletmein",
	         "SodiumChloride",
	         {14, 8, 1},
	         "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
	         "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		uint8_t key[64];
		assert_int_equal(crypto_scrypt(cases[i].password, strlen(cases[i].password), cases[i].salt,
		                               strlen(cases[i].salt), &cases[i].cost, key, sizeof(key), NULL),
		                 0);
		assert_hex(key, cases[i].key);
	}
	assert_int_equal(crypto_scrypt_size(&cases[2].cost), 16 << 20);
}

static void test_scrypt_refuses(void **state)
{
	(void)state;
	static const struct crypto_scrypt wrong[] = {
		{0, 8, 1},  {CRYPTO_SCRYPT_LOG_N_MAX + 1, 8, 1}, {14, 0, 1}, {14, 9, 1},
		{14, 8, 0}, {14, 8, CRYPTO_SCRYPT_P_MAX + 1},
	};
	for (size_t i = 0; i < array_count(wrong); i++) {
		uint8_t key[32];
		struct error err;
		assert_int_equal(crypto_scrypt("p", 1, "s", 1, &wrong[i], key, sizeof(key), &err),
		                 CELLA_EINVAL);
		assert_non_null(strstr(err.text, "scrypt"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha384),         cmocka_unit_test(test_sha384_parts),
		cmocka_unit_test(test_hkdf),           cmocka_unit_test(test_derive),
		cmocka_unit_test(test_aead_vectors),   cmocka_unit_test(test_aead_steps),
		cmocka_unit_test(test_fixed_key),      cmocka_unit_test(test_prf),
		cmocka_unit_test(test_x25519),         cmocka_unit_test(test_hpke_schedule),
		cmocka_unit_test(test_hpke_seal),      cmocka_unit_test(test_hpke_round_trip),
		cmocka_unit_test(test_ed25519),        cmocka_unit_test(test_ed25519_check),
		cmocka_unit_test(test_equal),          cmocka_unit_test(test_salts),
		cmocka_unit_test(test_allocations),    cmocka_unit_test(test_aead_refuses),
		cmocka_unit_test(test_init_once),      cmocka_unit_test(test_scrypt),
		cmocka_unit_test(test_scrypt_refuses), cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}

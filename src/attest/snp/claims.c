/* What a report of SEV-SNP says, for people. */
#include "attest/snp/report.h"
#include "base/buf.h"

static void claim_bits(struct tee_verdict *v, const char *of, const struct snp_bit *bits, size_t count,
                       uint64_t value)
{
	for (size_t i = 0; i < count; i++) {
		const bool set = value >> bits[i].bit & 1;
		tee_claim(v, tee_text(v, "%s.%s", of, bits[i].name), set ? bits[i].if_set : bits[i].if_clear,
		          "%d", set);
	}
}

static void claim_tcb(struct tee_verdict *v, const char *of, const char *meaning, const struct snp_tcb *tcb,
                      enum snp_product product)
{
	uint8_t level;
	tee_claim_hex(v, tee_text(v, "tcb.%s", of), meaning, tcb->bytes, SNP_TCB_SIZE);
	for (enum snp_component c = 0; c < SNP_COMPONENTS; c++)
		if (snp_tcb_level(tcb, product, c, &level))
			tee_claim(v, tee_text(v, "tcb.%s.%s", of, snp_component_name(c)),
			          "security patch level", "%u", level);
}

static void claim_firmware(struct tee_verdict *v, const char *name, const char *meaning,
                           const struct snp_firmware *f)
{
	tee_claim(v, name, meaning, "%u.%u.%u", f->major, f->minor, f->build);
}

/* A digest or id, or that there is none. */
static void claim_bytes(struct tee_verdict *v, const char *name, const char *meaning, const char *if_zero,
                        const void *bytes, size_t size)
{
	tee_claim_hex(v, name, bytes_are_zero(bytes, size) ? if_zero : meaning, bytes, size);
}

static void claim_guest(struct tee_verdict *v, const struct snp_report *r)
{
	tee_claim(v, "policy", "what the guest's owner allows the host", "0x%llx",
	          (unsigned long long)r->policy);
	tee_claim(v, "policy.abi", "least version of the firmware's interface", "%u.%u",
	          (unsigned)(r->policy >> 8 & 0xff), (unsigned)(r->policy & 0xff));
	claim_bits(v, "policy", snp_policy_bits, SNP_POLICY_BITS, r->policy);
	tee_claim_hex(v, "family_id", "the guest's family, as its ID block has it", r->family_id,
	              sizeof(r->family_id));
	tee_claim_hex(v, "image_id", "the guest's image, as its ID block has it", r->image_id,
	              sizeof(r->image_id));
	tee_claim(v, "guest_svn", "security version of the guest, as its ID block has it", "%u",
	          r->guest_svn);
	tee_claim(v, "vmpl",
	          r->vmpl > SNP_VMPL_MAX ? "no privilege level: asked for by the host, not from in the guest"
	                                 : "privilege level in the guest that asked (0 is the highest)",
	          "%u", r->vmpl);
	tee_claim_hex(v, "measurement", "of the guest's memory and processors at its launch", r->measurement,
	              sizeof(r->measurement));
	tee_claim_hex(v, "report_data", "what the guest wrote in when it asked", r->report_data,
	              sizeof(r->report_data));
	claim_bytes(v, "host_data", "what the host wrote in at the launch", "the host wrote nothing in",
	            r->host_data, sizeof(r->host_data));
	claim_bytes(v, "id_key_digest", "SHA-384 of the key that signed the ID block",
	            "the guest has no ID block", r->id_key_digest, sizeof(r->id_key_digest));
	claim_bytes(v, "author_key_digest", "SHA-384 of the key that certified the ID key", "no author key",
	            r->author_key_digest, sizeof(r->author_key_digest));
	tee_claim_hex(v, "report_id", "of this guest, as long as it runs", r->report_id,
	              sizeof(r->report_id));
	tee_claim_hex(v, "report_id_ma", "of its migration agent; all ones: it has none", r->report_id_ma,
	              sizeof(r->report_id_ma));
}

static void claim_platform(struct tee_verdict *v, const struct snp_report *r, enum snp_product product)
{
	if (r->version >= 3)
		tee_claim(v, "cpuid",
		          tee_text(v, "family, model, stepping: %s",
		                   product ? snp_product_name(product) : "not known here"),
		          "%02x.%02x.%02x", r->family, r->model, r->stepping);
	claim_bytes(v, "chip_id", "of this processor", "masked by the host", r->chip_id, sizeof(r->chip_id));
	tee_claim(v, "platform_info", "", "0x%llx", (unsigned long long)r->platform_info);
	claim_bits(v, "platform", snp_platform_bits, SNP_PLATFORM_BITS, r->platform_info);
	claim_tcb(v, "current", "what runs", &r->current, product);
	claim_tcb(v, "reported", "what the signing key stands for", &r->reported, product);
	claim_tcb(v, "committed", "what the platform cannot go back behind", &r->committed, product);
	claim_tcb(v, "launch", "what ran when the guest was launched", &r->launch, product);
	claim_firmware(v, "firmware.current", "of SEV-SNP, that runs", &r->current_firmware);
	claim_firmware(v, "firmware.committed", "of SEV-SNP, that it cannot go back behind",
	               &r->committed_firmware);
	if (r->version < 5)
		return;
	tee_claim(v, "mitigations.launch", "bits of mitigations that were there at the launch", "0x%llx",
	          (unsigned long long)r->launch_mitigations);
	tee_claim(v, "mitigations.current", "bits of mitigations that are there", "0x%llx",
	          (unsigned long long)r->current_mitigations);
}

void snp_report_claims(struct tee_verdict *v, const struct snp_report *r, enum snp_product product)
{
	tee_claim(v, "tee",
	          "AMD SEV-SNP: a virtual machine whose memory the host can neither read nor change", "snp");
	tee_claim(v, "version", "of the report's format", "%u", r->version);
	claim_guest(v, r);
	claim_platform(v, r, product);
	tee_claim(v, "signing_key",
	          r->signing_key == SNP_VCEK   ? "the chip's own"
	          : r->signing_key == SNP_VLEK ? "one that AMD gave the cloud's operator for many chips"
	                                       : "the report is not signed",
	          "%s", snp_signing_key_name(r->signing_key));
	tee_claim(v, "mask_chip_key",
	          r->mask_chip_key ? "the chip's own key is not used here" : "the chip's own key may be used",
	          "%d", r->mask_chip_key);
	tee_claim(v, "author_key_en",
	          r->author_key_en ? "an author key certified the ID key" : "no author key", "%d",
	          r->author_key_en);
	tee_claim(v, "signature_algorithm",
	          r->signature_algorithm == SNP_ECDSA_P384_SHA384 ? "ECDSA P-384 with SHA-384" : "not known",
	          "%u", r->signature_algorithm);
	tee_claim_hex(v, "signature", "r and s, big-endian", r->signature, sizeof(r->signature));
}

/*
 * A TPM 2.0 through tpm2-tss (ESAPI): its keys, its PCRs, quotes, what lies in its NV memory, credentials.
 *
 * The keys are primary keys of the endorsement hierarchy, so that nothing is kept anywhere: the TPM makes the
 * same ones again from its seed, until it is cleared by its maker's means. The EK is of TCG's template (EK
 * Credential Profile, L-1: RSA 2048, L-2: P-256), the one that the certificate in NV memory is of; the AK is
 * P-256, restricted, with a `unique` of Cella's own. Where the AK lies elsewhere (Azure's) a handle is given.
 */
#ifndef TPM_DEVICE_H
#define TPM_DEVICE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
	DEVICE_PCRS = 0xFFFF,  /* bits: what is quoted, 0 to 15 */
	DEVICE_NV_MAX = 16384, /* bytes of an index */
};

struct device;
/* `tcti` as tpm2-tss has it: "device:/dev/tpmrm0", "swtpm:path=/run/tpm.sock". CELLA_ENOENT, CELLA_EPERM,
 * CELLA_EIO. */
int device_open(const char *tcti, struct device **ret_device, struct error *err) must_check;
void device_close(struct device *device);

/* Evidence (attest/tpm/evidence_format.h) with that extra data, by the AK, or by the key at a persistent
 * handle (0: the AK). CELLA_EAGAIN when PCRs changed again and again while they were read. */
int device_quote(struct device *device, uint32_t handle, const void *extra, size_t size,
                 struct buf *ret_evidence, struct error *err) must_check;
/* The EK's certificate in NV memory, DER; nothing is appended if there is none. */
int device_ek_certificate(struct device *device, struct buf *ret_der, struct error *err) must_check;
/* What TPM2_ActivateCredential gives up for EK and AK. CELLA_EAUTH if the TPM refuses. */
int device_activate(struct device *device, const struct buf *blob, const struct buf *secret,
                    struct buf *ret_secret, struct error *err) must_check;

/* All bytes of an index. CELLA_ENOENT. */
int device_nv_read(struct device *device, uint32_t index, struct buf *ret, struct error *err) must_check;
/* The owner's index, which is made if it is not there. CELLA_EPERM. */
int device_nv_write(struct device *device, uint32_t index, const void *data, size_t size,
                    struct error *err) must_check;

#endif

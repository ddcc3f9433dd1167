/* The drivers of TPMs and of Azure's machines: they ask cella-tpm, and add the machine's logs. */
#include "attest/driver/tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attest/azure/format.h"
#include "attest/driver/rows.h"
#include "attest/tpm/answer_format.h"
#include "attest/tpm/evidence_format.h"
#include "base/cleanup.h"
#include "base/io.h"

enum { PATH_SIZE = 4096 };

static const char program[] = "cella-tpm";
static const char asset_tag[] = "/sys/class/dmi/id/chassis_asset_tag";
static const char boot_log[] = "/sys/kernel/security/tpm0/binary_bios_measurements";
static const char ima_log[] = "/sys/kernel/security/ima/binary_runtime_measurements";

/* ---- the program ---- */

static int find_program(char path[PATH_SIZE], struct error *err)
{
	const ssize_t size = readlink("/proc/self/exe", path, PATH_SIZE - sizeof(program) - 1);
	char *slash = size > 0 ? memrchr(path, '/', (size_t)size) : NULL;
	if (!slash)
		return error_errno(err, CELLA_EIO, "cannot find the running program");
	memcpy(slash + 1, program, sizeof(program));
	return access(path, X_OK) == 0
	               ? 0
	               : error_errno(err, CELLA_ENOENT, "cannot run %.300s, which asks the TPM", path);
}

struct child {
	pid_t pid;
	int from; /* its standard output */
};

static int start_with(const char *path, char *const words[], int input, int output, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int rc = posix_spawn_file_actions_init(&actions);
	if (rc != 0)
		return rc;
	rc = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn(ret_pid, path, &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* All of the input is in the pipe before there is anybody who could close it. */
static int put_input(const struct buf *input, int *ret_end, struct error *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, CELLA_EIO, "cannot make a pipe");
	cleanup_close int theirs = ends[0], ours = ends[1];
	int rc = input && input->size > 0 ? io_write_full(ours, input->data, input->size, err) : 0;
	if (rc == 0)
		*ret_end = take_fd(&theirs);
	return rc;
}

static int start(const char *path, char *const words[], const struct buf *input, struct child *ret_child,
                 struct error *err)
{
	int out[2];
	cleanup_close int theirs = -1;
	int rc = put_input(input, &theirs, err);
	if (rc < 0)
		return rc;
	if (pipe2(out, O_CLOEXEC) < 0)
		return error_errno(err, CELLA_EIO, "cannot make a pipe");
	cleanup_close int output = out[1], answer = out[0];
	errno = start_with(path, words, theirs, output, &ret_child->pid);
	if (errno != 0)
		return error_errno(err, CELLA_EIO, "cannot start %.300s", path);
	ret_child->from = take_fd(&answer);
	return 0;
}

/* What it answers, whole. */
static int hear(const struct child *child, struct buf *answer, struct error *err)
{
	const int rc = io_read_fd(child->from, program, TPM_ANSWER_MAX, answer, err);
	close(child->from);
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return rc;
}

static int ask(const char *verb, const char *word, const struct buf *input, struct buf *bytes,
               struct tpm_answer *ret_answer, struct error *err)
{
	char path[PATH_SIZE];
	struct child child;
	char *const words[] = {path, (char *)(uintptr_t)verb, (char *)(uintptr_t)word, NULL};
	int rc = find_program(path, err);
	if (rc == 0)
		rc = start(path, words, input, &child, err);
	if (rc == 0)
		rc = hear(&child, bytes, err);
	if (rc == 0)
		rc = tpm_answer_read(bytes->data, bytes->size, ret_answer, err);
	if (rc < 0)
		return rc == CELLA_EFORMAT ? CELLA_EIO : rc;
	if (ret_answer->code < 0)
		return error_set(err, ret_answer->code, "%.*s", (int)ret_answer->text.size,
		                 ret_answer->text.size > 0 ? (const char *)ret_answer->text.data : "");
	return 0;
}

/* ---- the driver ---- */

static const char *found(void)
{
	const char *named = secure_getenv("CELLA_TPM");
	return named ? named : TPM_DEVICE;
}

static bool is_present(const struct driver_io *io)
{
	return secure_getenv("CELLA_TPM") != NULL || io->is_there(io->data, TPM_DEVICE);
}

static int check_present(const struct driver_io *io, struct error *err)
{
	return is_present(io) ? 0 : error_set(err, CELLA_ENOENT, "there is no " TPM_DEVICE);
}

/* It is a program of ours, and is believed no more than what others send. */
static int check_extra(const struct buf *bytes, const uint8_t *extra, size_t size, struct error *err)
{
	struct tpm_evidence evidence;
	int rc = tpm_evidence_read(bytes->data, bytes->size, &evidence, err);
	if (rc < 0)
		return rc == CELLA_EFORMAT ? CELLA_EIO : rc;
	if (evidence.quote.extra.size != size || !crypto_equal(evidence.quote.extra.data, extra, size))
		return error_set(err, CELLA_EIO, "the quote has other extra data than was asked for");
	return 0;
}

static int get(const struct driver_io *io, const uint8_t report_data[DRIVER_REPORT_DATA_SIZE],
               struct driver_evidence *ret, struct error *err)
{
	cleanup_buf struct buf bytes = {0};
	struct tpm_answer answer;
	uint8_t extra[CRYPTO_HASH_MAX];
	char hex[2 * CRYPTO_SHA256_SIZE + 1];
	const struct crypto_part whole = {report_data, DRIVER_REPORT_DATA_SIZE};
	int rc = check_present(io, err);
	if (rc == 0)
		rc = crypto_hash(CRYPTO_SHA256, &whole, 1, extra, err);
	if (rc < 0)
		return rc;
	io_hex(extra, CRYPTO_SHA256_SIZE, hex);
	rc = ask("quote", hex, NULL, &bytes, &answer, err);
	if (rc < 0)
		return rc;
	buf_put(&ret->evidence, answer.blobs[0].data, answer.blobs[0].size);
	if (answer.blobs[1].size > 0) {
		ret->certs[0] = (struct driver_blob){.name = "ek.der"};
		ret->cert_count = 1;
		buf_put(&ret->certs[0].bytes, answer.blobs[1].data, answer.blobs[1].size);
	}
	if (ret->evidence.failed || ret->certs[0].bytes.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for evidence");
	rc = check_extra(&ret->evidence, extra, CRYPTO_SHA256_SIZE, err);
	if (rc == 0)
		rc = driver_add_log(io, boot_log, "boot.bin", ret, err);
	return rc < 0 ? rc : driver_add_log(io, ima_log, "ima.bin", ret, err);
}

const struct driver_row driver_tpm = {
	.kind = TEE_TPM,
	.name = "tpm2-tss",
	.device = TPM_DEVICE,
	.found = found,
	.is_present = is_present,
	.get = get,
};

/* ---- Azure's confidential machines ---- */

/* What Azure's machines have for an asset tag, of every kind. */
static bool is_azure(const struct driver_io *io)
{
	static const char tag[] = "7783-7084-3265-9085-8269-3286-77";
	cleanup_buf struct buf text = {0};
	return is_present(io) && io->is_there(io->data, asset_tag) &&
	       io->read(io->data, asset_tag, sizeof(tag) + 1, &text, NULL) == 0 &&
	       text.size >= sizeof(tag) - 1 && crypto_equal(text.data, tag, sizeof(tag) - 1);
}

static int get_azure(const struct driver_io *io, const uint8_t report_data[DRIVER_REPORT_DATA_SIZE],
                     struct driver_evidence *ret, struct error *err)
{
	cleanup_buf struct buf bytes = {0}, tpm = {0};
	struct tpm_answer answer;
	uint8_t extra[CRYPTO_HASH_MAX];
	char hex[2 * DRIVER_REPORT_DATA_SIZE + 1];
	const struct crypto_part whole = {report_data, DRIVER_REPORT_DATA_SIZE};
	io_hex(report_data, DRIVER_REPORT_DATA_SIZE, hex);
	int rc = check_present(io, err);
	if (rc == 0)
		rc = ask("azure", hex, NULL, &bytes, &answer, err);
	if (rc == 0)
		rc = crypto_hash(CRYPTO_SHA256, &whole, 1, extra, err);
	if (rc < 0)
		return rc;
	const struct azure_evidence evidence = {.report = answer.blobs[0],
	                                        .tpm = answer.blobs[1],
	                                        .quote = answer.blobs[2]};
	azure_evidence_write(&evidence, &ret->evidence);
	buf_put(&tpm, answer.blobs[1].data, answer.blobs[1].size);
	if (ret->evidence.failed || tpm.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for evidence");
	rc = check_extra(&tpm, extra, CRYPTO_SHA256_SIZE, err);
	if (rc == 0)
		rc = driver_add_log(io, boot_log, "boot.bin", ret, err);
	return rc < 0 ? rc : driver_add_log(io, ima_log, "ima.bin", ret, err);
}

const struct driver_row driver_azure = {
	.kind = TEE_AZURE,
	.name = "the paravisor's TPM",
	.device = "Azure's TPM",
	.is_present = is_azure,
	.get = get_azure,
};

/* ---- credentials ---- */

int driver_tpm_activate(const struct tpm_credential *credential, struct buf *ret_secret, struct error *err)
{
	cleanup_buf struct buf input = {0}, bytes = {0};
	struct tpm_answer answer;
	buf_put_blob(&input, credential->blob.data, credential->blob.size);
	buf_put_blob(&input, credential->secret.data, credential->secret.size);
	if (input.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a credential");
	int rc = ask("activate", NULL, &input, &bytes, &answer, err);
	if (rc == 0)
		buf_put(ret_secret, answer.blobs[0].data, answer.blobs[0].size);
	if (bytes.data)
		mem_wipe(bytes.data, bytes.size);
	return rc == 0 && ret_secret->failed ? error_set(err, CELLA_ENOMEM, "no memory for a secret") : rc;
}

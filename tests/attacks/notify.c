#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/attributes.h"

int notify_install(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_secret, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = array_count(code), .filter = code};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

int notify_answer(int listener, struct loot *loot)
{
	struct seccomp_notif question = {0};
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) < 0)
		return 0; /* who asked is gone */
	int file = memfd_create("ordinary", MFD_CLOEXEC);
	if (file < 0 || loot->count == NOTIFY_FILES_MAX)
		return -1;
	loot->files[loot->count++] = file;
	struct seccomp_notif_addfd reply = {
		.id = question.id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)file,
		.newfd_flags = O_CLOEXEC,
	};
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &reply) < 0 && errno != ENOENT ? -1 : 0;
}

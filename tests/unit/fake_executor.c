/*
 * Stands in for the executor in the launcher's tests: does what its bundle says, then tells over the
 * owner's channel what it finds around itself, one "name=value" a line.
 *
 * Bundles: report, exit, crash, silent (no hello), garbage (a hello of the wrong size), refuse (a
 * hello with an error), early (exits before it was started), anything else: waits.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/capability.h>

#include "cell/launch_format.h"

static void say_number(const char *name, unsigned long long value)
{
	dprintf(LAUNCH_FD_OWNER, "%s=%llu\n", name, value);
}

static void say_limits(void)
{
	static const struct {
		const char *name;
		int which;
	} limits[] = {
		{"memlock", RLIMIT_MEMLOCK},
		{"core", RLIMIT_CORE},
		{"nofile", RLIMIT_NOFILE},
		{"nproc", RLIMIT_NPROC},
	};
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit limit;
		getrlimit((__rlimit_resource_t)limits[i].which, &limit);
		say_number(limits[i].name, limit.rlim_max);
	}
}

static void say_descriptors(void)
{
	dprintf(LAUNCH_FD_OWNER, "fds=");
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			dprintf(LAUNCH_FD_OWNER, "%d ", fd);
	dprintf(LAUNCH_FD_OWNER, "\n");
}

static void say_root(void)
{
	int count = 0;
	DIR *root = opendir("/");
	for (struct dirent *entry; root && (entry = readdir(root));)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	say_number("root_entries", (unsigned)count);
	say_number("root_writable", mkdir("/made", 0700) == 0);
	say_number("sees_passwd", access("/etc/passwd", F_OK) == 0 || access("../../etc/passwd", F_OK) == 0);
}

static void say_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
	syscall(SYS_capget, &header, data);
	say_number("permitted", (unsigned long long)data[1].permitted << 32 | data[0].permitted);
	say_number("effective", (unsigned long long)data[1].effective << 32 | data[0].effective);
}

static void say_signals(void)
{
	sigset_t blocked;
	struct sigaction action;
	int count = 0, ignored = 0;
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int i = 1; i < NSIG; i++) {
		count += sigismember(&blocked, i) == 1;
		ignored += sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
	}
	say_number("blocked_signals", (unsigned)count);
	say_number("ignored_signals", (unsigned)ignored);
}

static void say_processes(void)
{
	int death = 0;
	prctl(PR_GET_PDEATHSIG, &death);
	say_number("pid", (unsigned)getpid());
	say_number("ppid", (unsigned)getppid());
	say_number("session", (unsigned)getsid(0));
	say_number("death_signal", (unsigned)death);
	say_number("dumpable", (unsigned)prctl(PR_GET_DUMPABLE));
	say_number("no_new_privs", (unsigned)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	say_number("seccomp", (unsigned)prctl(PR_GET_SECCOMP));
	say_number("personality", (unsigned)personality(0xffffffff));
	say_number("umask", umask(0));
}

static void say_names(void)
{
	struct utsname name;
	struct ifconf interfaces = {0};
	struct ifreq slots[16];
	int socket_fd = socket(AF_INET, SOCK_DGRAM, 0);
	interfaces.ifc_len = sizeof(slots);
	interfaces.ifc_req = slots;
	if (ioctl(socket_fd, SIOCGIFCONF, &interfaces) == 0)
		say_number("interfaces", (unsigned)interfaces.ifc_len / sizeof(slots[0]));
	uname(&name);
	dprintf(LAUNCH_FD_OWNER, "hostname=%s\n", name.nodename);
}

static void say_all(int argc, char **argv)
{
	int environment = 0;
	while (environ[environment])
		environment++;
	say_number("environment", (unsigned)environment);
	say_number("argc", (unsigned)argc);
	dprintf(LAUNCH_FD_OWNER, "argv0=%s\n", argv[0]);
	say_number("uid", getuid());
	say_number("gid", getgid());
	say_number("groups", (unsigned)getgroups(0, NULL));
	say_limits();
	say_descriptors();
	say_root();
	say_capabilities();
	say_signals();
	say_processes();
	say_names();
}

static void say_hello(const char *mode)
{
	struct launch_start start = {0};
	struct launch_hello hello = {.type = LAUNCH_HELLO};
	if (recv(LAUNCH_FD_LAUNCHER, &start, sizeof(start), 0) != sizeof(start) || start.type != LAUNCH_START)
		_exit(40);
	hello.memory_level = start.memory_level;
	memset(hello.public_key, 0x77, sizeof(hello.public_key));
	memset(hello.cell, 0x78, sizeof(hello.cell));
	memcpy(hello.builder, start.builder, sizeof(hello.builder));
	if (strcmp(mode, "refuse") == 0) {
		hello.error = -4;
		snprintf(hello.text, sizeof(hello.text), "no \033[31mmemory");
	}
	if (strcmp(mode, "silent") != 0)
		send(LAUNCH_FD_LAUNCHER, &hello, strcmp(mode, "garbage") == 0 ? 9 : sizeof(hello),
		     MSG_NOSIGNAL);
}

int main(int argc, char **argv)
{
	char mode[16] = "", byte;
	if (pread(LAUNCH_FD_BUNDLE, mode, sizeof(mode) - 1, 0) < 0)
		return 41;
	if (strcmp(mode, "early") == 0)
		return 42;
	say_hello(mode);
	if (strcmp(mode, "exit") == 0)
		return 3;
	if (strcmp(mode, "crash") == 0)
		__builtin_trap();
	if (strcmp(mode, "report") == 0) {
		say_all(argc, argv);
		shutdown(LAUNCH_FD_OWNER, SHUT_WR);
	}
	/* Until the test ends it, or everybody has gone and left it behind. */
	while (recv(LAUNCH_FD_AGENT, &byte, 1, 0) < 0 && errno == EINTR)
		;
	for (;;)
		pause();
}

/* cella-agent --owner-fd N --las-fd M: started by the command line, for one job. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"

static int descriptor(int argc, char **argv, const char *option)
{
	for (int i = 1; i + 1 < argc; i++) {
		char *end;
		long fd = strcmp(argv[i], option) == 0 ? strtol(argv[i + 1], &end, 10) : -1;
		if (fd >= 0 && *end == '\0' && fd <= 1 << 20)
			return (int)fd;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct error err = {0};
	log_from_environment("cella-agent");
	int owner = descriptor(argc, argv, "--owner-fd");
	int las = descriptor(argc, argv, "--las-fd");
	if (owner < 0 || las < 0) {
		log_error("usage: cella-agent --owner-fd N --las-fd M");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	int rc = agent_run(owner, las, &err);
	if (rc < 0)
		log_info("%s", err.text);
	return rc < 0;
}

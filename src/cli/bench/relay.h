/* A relay of TCP connections that holds each byte back, as a long way would. */
#ifndef CLI_BENCH_RELAY_H
#define CLI_BENCH_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* A process that listens on a port of 127.0.0.1 and passes on to `port` there, each way after `delay_ms`. It
 * ends with this process, or by SIGTERM. */
int bench_relay_start(uint16_t port, unsigned delay_ms, uint16_t *ret_port, pid_t *ret_pid,
                      struct error *err) must_check;

#endif

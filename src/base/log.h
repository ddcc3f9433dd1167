/*
 * The log: one line an event on a descriptor that the process chooses (standard error by
 * default). The log is untrusted output: never a secret, never cell data. What is fit for no
 * terminal (base/printable.h) becomes '?', as lines quote what strangers sent.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/attributes.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Say who speaks, where to (-1: nowhere), and the highest level that is written. `name` must
 * live as long as the process. The default level is WARN, or what CELLA_LOG names (error,
 * warn, info, debug) if log_from_environment was called. */
void log_open(const char *name, int fd, enum log_level level);
void log_from_environment(const char *name);

void log_write(enum log_level level, const char *format, ...) printf_like(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif

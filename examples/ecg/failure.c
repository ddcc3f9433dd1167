#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void failure_set(struct failure *why, const char *format, ...)
{
	why->code = 0;
	va_list args;
	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
}

void failure_set_errno(struct failure *why, const char *format, ...)
{
	why->code = errno;
	va_list args;
	va_start(args, format);
	vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	size_t used = strlen(why->text);
	snprintf(why->text + used, sizeof(why->text) - used, ": %s", strerror(why->code));
}

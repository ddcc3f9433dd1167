#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *cella_error_name(int code)
{
	switch (code) {
	case 0: return "success";
	case CELLA_EINVAL: return "bad argument";
	case CELLA_EFORMAT: return "malformed input";
	case CELLA_EIO: return "input/output failed";
	case CELLA_ENOMEM: return "out of memory";
	case CELLA_ELIMIT: return "limit reached";
	case CELLA_EPERM: return "not permitted";
	case CELLA_EUNSUPPORTED: return "not supported here";
	case CELLA_EAUTH: return "authentication failed";
	case CELLA_ENOENT: return "does not exist";
	case CELLA_EEXIST: return "exists already";
	case CELLA_EAGAIN: return "try again";
	case CELLA_ETRAP: return "trap";
	case CELLA_ETIMEOUT: return "timed out";
	case CELLA_ECANCELED: return "cancelled";
	case CELLA_ELOST: return "process lost";
	case CELLA_EBUG: return "internal error";
	case CELLA_ENOTDIR: return "not a directory";
	case CELLA_EISDIR: return "is a directory";
	case CELLA_ENOTEMPTY: return "directory not empty";
	case CELLA_EROFS: return "open for reading only";
	case CELLA_ENOSPC: return "no space left";
	case CELLA_EFENCED: return "another writer took over";
	default: return "unknown error";
	}
}

void error_fill(struct error *err, int code, const char *format, ...)
{
	if (!err)
		return;
	va_list args;
	va_start(args, format);
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
}

void error_fill_errno(struct error *err, int code, const char *format, ...)
{
	if (!err)
		return;
	int number = errno;
	va_list args;
	va_start(args, format);
	err->code = code;
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	size_t size = strlen(err->text);
	snprintf(err->text + size, sizeof(err->text) - size, ": %s", strerror(number));
}

void error_fill_prefix(struct error *err, int code, const char *format, ...)
{
	if (!err)
		return;
	char before[sizeof(err->text)];
	va_list args;
	va_start(args, format);
	vsnprintf(before, sizeof(before), format, args);
	va_end(args);
	size_t size = strlen(before);
	size_t kept = min_of(strlen(err->text), sizeof(err->text) - 1 - size);
	memmove(err->text + size, err->text, kept);
	memcpy(err->text, before, size);
	err->text[size + kept] = '\0';
	err->code = code;
}

/*
 * Error codes of Cella's public and internal interfaces.
 *
 * A function that can fail returns 0 or one of these, all negative. The code says which
 * kind of failure it was, for a program; the error object (src/base/error.h inside, the
 * message that a verb prints outside) says it in a sentence, for a person.
 */
#ifndef CELLA_ERROR_H
#define CELLA_ERROR_H

enum cella_error {
	CELLA_EINVAL = -1,       /* an argument or option is wrong */
	CELLA_EFORMAT = -2,      /* input bytes are malformed */
	CELLA_EIO = -3,          /* the operating system failed a read, write or call */
	CELLA_ENOMEM = -4,       /* no memory, or none of the level asked for */
	CELLA_ELIMIT = -5,       /* a limit of Cella or of the job was reached */
	CELLA_EPERM = -6,        /* the kernel or a policy forbids it */
	CELLA_EUNSUPPORTED = -7, /* this build, kernel or processor cannot do it */
	CELLA_EAUTH = -8,        /* a tag, signature or identity does not verify */
	CELLA_ENOENT = -9,       /* it does not exist */
	CELLA_EEXIST = -10,      /* it exists already */
	CELLA_EAGAIN = -11,      /* not now; nothing changed; call again */
	CELLA_ETRAP = -12,       /* a cell trapped */
	CELLA_ETIMEOUT = -13,    /* a time-out ended it */
	CELLA_ECANCELED = -14,   /* it was cancelled */
	CELLA_ELOST = -15,       /* the process that worked on it is gone */
	CELLA_EBUG = -16,        /* an invariant of Cella does not hold: a defect */
	CELLA_ENOTDIR = -17,     /* a component of a path is no directory */
	CELLA_EISDIR = -18,      /* it is a directory */
	CELLA_ENOTEMPTY = -19,   /* a directory has entries */
	CELLA_EROFS = -20,       /* it is open for reading only */
	CELLA_ENOSPC = -21,      /* the storage is full */
	CELLA_EFENCED = -22,     /* another one took over */
};

/* A constant lower-case phrase for a code, such as "malformed input"; never NULL. */
const char *cella_error_name(int code);

#endif

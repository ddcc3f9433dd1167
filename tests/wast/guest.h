/*
 * A cell in this process, for tests of the translator: compiled by gcc, loaded by dlopen, with
 * its linear memory in a reservation and its traps by signal. One thread; a guest stays loaded
 * until the process ends.
 *
 * It can import what other guests export, and the functions of the module "spectest".
 */
#ifndef TESTS_WAST_GUEST_H
#define TESTS_WAST_GUEST_H

#include "base/error.h"
#include "wasm/cell_abi.h"
#include "wasm/wasm.h"

struct guest;

struct guest_tools {
	const char *directory;    /* for what the compiler reads and writes */
	bool keep;                /* it, that is guest<n>.c and guest<n>.so */
	const char *level;        /* such as "-O1" */
	const char *compiler;     /* a program */
	const char *const *flags; /* of wasm/wasm.h, for that compiler … */
	const char *const *target_flags; /* … and for this machine */
};

/* Translates, compiles and loads. CELLA_EUNSUPPORTED for a module that no cell can be. */
int guest_load(const struct guest_tools *tools, const char *wasm_path, struct guest **ret_guest,
               struct error *err) must_check;
/* Connects imports and runs initialization and the start function. `find` knows the modules that
 * may be imported from. CELLA_ENOENT if an import is not to be had; CELLA_ETRAP, and *ret_trap. */
typedef struct guest *guest_finder(void *context, const char *module);
int guest_start(struct guest *guest, guest_finder *find, void *context, uint32_t *ret_trap,
                struct error *err) must_check;

/* Of an exported function, or of a global (whose value it gives). NULL if there is none. */
const struct cell_export *guest_export(const struct guest *guest, const char *name);
/* 0, or CELLA_ETRAP and *ret_trap. */
int guest_call(struct guest *guest, const struct cell_export *export, union cell_value *v,
               uint32_t *ret_trap) must_check;

/* That its state is no longer what it should be, nor that of guests that call it. */
void guest_mark_stale(struct guest *guest);
bool guest_is_stale(const struct guest *guest);

/* Runs fn(arg) on a stack of its own, with the handlers that guests need. */
void guest_run(void (*fn)(void *), void *arg);

#endif

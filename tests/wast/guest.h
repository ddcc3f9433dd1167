/*
 * Instances of modules in this process, for tests of the translator: linear memories in
 * reservations of their own, traps by signal, and memories, tables, globals and functions shared as
 * the specification's linking says. One thread; all of a store stays until the process ends.
 */
#ifndef TESTS_WAST_GUEST_H
#define TESTS_WAST_GUEST_H

#include "image.h"
#include "wasm/cell_abi.h"

struct guest;
struct memory;

/* What a module exports or a host has: the specification's external value. */
struct external {
	struct cell_type type;          /* sizes as they are now */
	const char *signature;          /* of a function */
	cell_function *function;        /* … called with `instance` */
	struct cell_instance *instance;
	void *global;                   /* where it lies */
	struct cell_table table;
	struct memory *memory;
};

struct memory *memory_new(uint64_t pages, uint64_t pages_max);
uint64_t memory_pages(const struct memory *memory);

/* A name in a module; both may hold any bytes. False: there is none. */
typedef bool guest_finder(void *context, const char *module, size_t module_size, const char *name,
                          size_t name_size, struct external *ret);

/* An instance whose imports are found by `find`. CELLA_ENOENT, and what the specification's tests call it
 * ("unknown import", "incompatible import type"), if they cannot be. */
int guest_new(const struct image *image, guest_finder *find, void *context, struct guest **ret_guest,
              struct error *err) must_check;
/* Initialization and the start function. 0, or CELLA_ETRAP and *ret_trap; what was written before it trapped
 * stays. */
int guest_start(struct guest *guest, uint32_t *ret_trap) must_check;

bool guest_export(const struct guest *guest, const char *name, size_t size, struct external *ret);
void external_get(const struct external *external, union cell_value *v); /* of a global */
/* Of a function. 0, or CELLA_ETRAP and *ret_trap. */
int external_call(const struct external *external, union cell_value *v, uint32_t *ret_trap) must_check;

/* Forgets all instances: a store of its own for the next script. */
void guests_forget(void);

/* Runs fn(arg) on a stack of its own, with the handlers that guests need. */
void guest_run(void (*fn)(void *), void *arg);

#endif

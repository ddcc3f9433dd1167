/*
 * The machinery behind CELLA_TASK: each parameter is a tuple (KIND, direction, type, name, ...),
 * and a macro per KIND says how it is declared, submitted and received. Not for direct use.
 */
#ifndef CELLA_TASK_MACROS_H
#define CELLA_TASK_MACROS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cella_direction {
	CELLA_DIRECTION_COPY, /* values and copies: inside the invocation */
	CELLA_DIRECTION_IN,
	CELLA_DIRECTION_OUT,
	CELLA_DIRECTION_INOUT,
	CELLA_DIRECTION_CONCURRENT,
	CELLA_DIRECTION_COMMUTATIVE,
};

#define CELLA_VALUE(type, name) (VALUE, COPY, type, name)
#define CELLA_COPY(type, name, count) (BUFFER, COPY, type, name, count)
#define CELLA_IN(type, name, count) (BUFFER, IN, type, name, count)
#define CELLA_OUT(type, name, count) (BUFFER, OUT, type, name, count)
#define CELLA_INOUT(type, name, count) (BUFFER, INOUT, type, name, count)
#define CELLA_CONCURRENT(type, name, count) (BUFFER, CONCURRENT, type, name, count)
#define CELLA_COMMUTATIVE(type, name, count) (BUFFER, COMMUTATIVE, type, name, count)
#define CELLA_IN_EACH(type, name, count, each) (EACH, IN, type, name, count, each)
#define CELLA_OUT_EACH(type, name, count, each) (EACH, OUT, type, name, count, each)
#define CELLA_INOUT_EACH(type, name, count, each) (EACH, INOUT, type, name, count, each)
#define CELLA_IN_EACH2(type, name, rows, columns, each) (EACH2, IN, type, name, rows, columns, each)
#define CELLA_OUT_EACH2(type, name, rows, columns, each) (EACH2, OUT, type, name, rows, columns, each)
#define CELLA_INOUT_EACH2(type, name, rows, columns, each) (EACH2, INOUT, type, name, rows, columns, each)
#define CELLA_FILE_IN(name) (FILE, IN, const char, name)
#define CELLA_FILE_OUT(name) (FILE, OUT, const char, name)
#define CELLA_FILE_INOUT(name) (FILE, INOUT, const char, name)

/* CELLA_MAP_(macro, a, b, c): macro(0, a) , macro(1, b) , macro(2, c); up to 12 parameters. */
#define CELLA_COUNT_(...) CELLA_COUNT_OF_(__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define CELLA_COUNT_OF_(a, b, c, d, e, f, g, h, i, j, k, l, n, ...) n
#define CELLA_JOIN_(a, b) CELLA_JOIN2_(a, b)
#define CELLA_JOIN2_(a, b) a##b
#define CELLA_COMMA_() ,
#define CELLA_SEMICOLON_() ;
#define CELLA_MAP_(m, s, ...) CELLA_JOIN_(CELLA_MAP, CELLA_COUNT_(__VA_ARGS__))(m, s, __VA_ARGS__)
#define CELLA_MAP1(m, s, a) m(0, a)
#define CELLA_MAP2(m, s, a, b) CELLA_MAP1(m, s, a) s() m(1, b)
#define CELLA_MAP3(m, s, a, b, c) CELLA_MAP2(m, s, a, b) s() m(2, c)
#define CELLA_MAP4(m, s, a, b, c, d) CELLA_MAP3(m, s, a, b, c) s() m(3, d)
#define CELLA_MAP5(m, s, a, b, c, d, e) CELLA_MAP4(m, s, a, b, c, d) s() m(4, e)
#define CELLA_MAP6(m, s, a, b, c, d, e, f) CELLA_MAP5(m, s, a, b, c, d, e) s() m(5, f)
#define CELLA_MAP7(m, s, a, b, c, d, e, f, g) CELLA_MAP6(m, s, a, b, c, d, e, f) s() m(6, g)
#define CELLA_MAP8(m, s, a, b, c, d, e, f, g, h) CELLA_MAP7(m, s, a, b, c, d, e, f, g) s() m(7, h)
#define CELLA_MAP9(m, s, a, b, c, d, e, f, g, h, i) CELLA_MAP8(m, s, a, b, c, d, e, f, g, h) s() m(8, i)
#define CELLA_MAP10(m, s, a, b, c, d, e, f, g, h, i, j) \
	CELLA_MAP9(m, s, a, b, c, d, e, f, g, h, i) s() m(9, j)
#define CELLA_MAP11(m, s, a, b, c, d, e, f, g, h, i, j, k) \
	CELLA_MAP10(m, s, a, b, c, d, e, f, g, h, i, j) s() m(10, k)
#define CELLA_MAP12(m, s, a, b, c, d, e, f, g, h, i, j, k, l) \
	CELLA_MAP11(m, s, a, b, c, d, e, f, g, h, i, j, k) s() m(11, l)

/* Declaration of a parameter, by kind. */
#define CELLA_DECLARE_(index, parameter) CELLA_DECLARE2_ parameter
#define CELLA_DECLARE2_(kind, ...) CELLA_DECLARE_##kind##_(__VA_ARGS__)
#define CELLA_DECLARE_VALUE_(direction, type, name) type name
#define CELLA_DECLARE_BUFFER_(direction, type, name, count) type *name
#define CELLA_DECLARE_EACH_(direction, type, name, count, each) type **name
#define CELLA_DECLARE_EACH2_(direction, type, name, rows, columns, each) type ***name
#define CELLA_DECLARE_FILE_(direction, type, name) type *name

#define CELLA_NAME_(index, parameter) CELLA_NAME2_ parameter
#define CELLA_NAME2_(kind, direction, type, name, ...) name

/* Submission of an argument, by kind. */
#define CELLA_SUBMIT_(index, parameter) CELLA_SUBMIT2_ parameter
#define CELLA_SUBMIT2_(kind, direction, ...) CELLA_SUBMIT_##kind##_(CELLA_DIRECTION_##direction, __VA_ARGS__)
#define CELLA_SUBMIT_VALUE_(direction, type, name) cella_call_value(&cella_call, &name, sizeof(name));
#define CELLA_SUBMIT_BUFFER_(direction, type, name, count) \
	cella_call_buffer(&cella_call, direction, name, sizeof(type) * (size_t)(count));
#define CELLA_SUBMIT_EACH_(direction, type, name, count, each)         \
	cella_call_collection(&cella_call, (size_t)(count), 0);        \
	for (size_t cella_i = 0; cella_i < (size_t)(count); cella_i++) \
		cella_call_buffer(&cella_call, direction, name[cella_i], sizeof(type) * (size_t)(each));
#define CELLA_SUBMIT_EACH2_(direction, type, name, rows, columns, each)                           \
	cella_call_collection(&cella_call, (size_t)(rows), (size_t)(columns));                    \
	for (size_t cella_i = 0; cella_i < (size_t)(rows) * (size_t)(columns); cella_i++)         \
		cella_call_buffer(&cella_call, direction,                                         \
		                  name[cella_i / (size_t)(columns)][cella_i % (size_t)(columns)], \
		                  sizeof(type) * (size_t)(each));
#define CELLA_SUBMIT_FILE_(direction, type, name) cella_call_file(&cella_call, direction, name);

/* Reception of an argument in the task's executor, by kind. */
#define CELLA_RECEIVE_(index, parameter) CELLA_RECEIVE2_((index, CELLA_UNWRAP_ parameter))
#define CELLA_RECEIVE2_(tuple) CELLA_RECEIVE3_ tuple
#define CELLA_RECEIVE3_(index, kind, ...) CELLA_RECEIVE_##kind##_(index, __VA_ARGS__)
#define CELLA_UNWRAP_(...) __VA_ARGS__
#define CELLA_RECEIVE_VALUE_(index, direction, type, name) *(type *)cella_argument(cella_frame, index)
#define CELLA_RECEIVE_BUFFER_(index, direction, type, name, count) (type *)cella_argument(cella_frame, index)
#define CELLA_RECEIVE_EACH_(index, direction, type, name, count, each) \
	(type **)cella_argument(cella_frame, index)
#define CELLA_RECEIVE_EACH2_(index, direction, type, name, rows, columns, each) \
	(type ***)cella_argument(cella_frame, index)
#define CELLA_RECEIVE_FILE_(index, direction, type, name) (type *)cella_argument(cella_frame, index)

#ifdef __wasm__

struct cella_frame; /* a task's arguments as they lie in its executor; see guest/task.c */
struct cella_task_function {
	const char *name;
	void (*enter)(struct cella_frame *frame);
	const struct cella_task_options *options;
	struct cella_task_function *next;
	uint32_t index;
};

struct cella_warm_up {
	void (*run)(void);
	struct cella_warm_up *next;
};

struct cella_call {
	struct cella_task_function *function;
	void *items;
	size_t count;
	size_t capacity;
};

void cella_task_register(struct cella_task_function *function);
void cella_warm_up_register(struct cella_warm_up *warm_up);
void cella_call_value(struct cella_call *call, const void *value, size_t size);
void cella_call_buffer(struct cella_call *call, enum cella_direction direction, const void *buffer,
                       size_t size);
/* A collection's head: `rows` pointers, each to `columns` pointers if that is not 0; its buffers follow. */
void cella_call_collection(struct cella_call *call, size_t rows, size_t columns);
void cella_call_file(struct cella_call *call, enum cella_direction direction, const char *path);
void cella_call_submit(struct cella_call *call);
void *cella_argument(struct cella_frame *frame, size_t index);

#define CELLA_TASK_DEFINE_(task, task_options, ...)                                           \
	static void task##_body(CELLA_MAP_(CELLA_DECLARE_, CELLA_COMMA_, __VA_ARGS__));       \
	static void task##_enter(struct cella_frame *cella_frame)                             \
	{                                                                                     \
		task##_body(CELLA_MAP_(CELLA_RECEIVE_, CELLA_COMMA_, __VA_ARGS__));           \
	}                                                                                     \
	static const struct cella_task_options task##_options = {CELLA_UNWRAP_ task_options}; \
	static struct cella_task_function task##_function = {.name = #task,                   \
	                                                     .enter = task##_enter,           \
	                                                     .options = &task##_options};     \
	__attribute__((constructor)) static void task##_register(void)                        \
	{                                                                                     \
		cella_task_register(&task##_function);                                        \
	}                                                                                     \
	static inline __attribute__((unused)) void task(                                      \
		CELLA_MAP_(CELLA_DECLARE_, CELLA_COMMA_, __VA_ARGS__))                        \
	{                                                                                     \
		struct cella_call cella_call = {.function = &task##_function};                \
		CELLA_MAP_(CELLA_SUBMIT_, CELLA_SEMICOLON_, __VA_ARGS__)                      \
		cella_call_submit(&cella_call);                                               \
	}                                                                                     \
	static void task##_body(CELLA_MAP_(CELLA_DECLARE_, CELLA_COMMA_, __VA_ARGS__))

#define CELLA_WARM_UP_DEFINE_(name)                                              \
	static void name##_body(void);                                           \
	__attribute__((constructor)) static void name##_register(void)           \
	{                                                                        \
		static struct cella_warm_up name##_entry = {.run = name##_body}; \
		cella_warm_up_register(&name##_entry);                           \
	}                                                                        \
	static void name##_body(void)

#else /* natively a task is a call, whose body finds what it would find in a cell */

#define CELLA_BEGIN_(index, parameter) CELLA_BEGIN2_ parameter
#define CELLA_BEGIN2_(kind, direction, ...) CELLA_BEGIN_##kind##_(direction, __VA_ARGS__)
#define CELLA_BEGIN_VALUE_(direction, type, name)
#define CELLA_BEGIN_BUFFER_(direction, type, name, count) \
	CELLA_BEGIN_##direction##_(type, name, sizeof(type) * (size_t)(count));
#define CELLA_BEGIN_EACH_(direction, type, name, count, each)          \
	for (size_t cella_i = 0; cella_i < (size_t)(count); cella_i++) \
		CELLA_BEGIN_##direction##_(type, name[cella_i], sizeof(type) * (size_t)(each));
#define CELLA_BEGIN_EACH2_(direction, type, name, rows, columns, each)                                     \
	for (size_t cella_i = 0; cella_i < (size_t)(rows) * (size_t)(columns); cella_i++)                  \
		CELLA_BEGIN_##direction##_(type,                                                           \
		                           name[cella_i / (size_t)(columns)][cella_i % (size_t)(columns)], \
		                           sizeof(type) * (size_t)(each));
#define CELLA_BEGIN_FILE_(direction, type, name) CELLA_BEGIN_FILE_##direction##_(name);
#define CELLA_BEGIN_COPY_(type, buffer, size) buffer = (type *)cella_native_copy(buffer, size)
#define CELLA_BEGIN_OUT_(type, buffer, size) cella_native_zero(buffer, size)
#define CELLA_BEGIN_IN_(type, buffer, size) (void)0
#define CELLA_BEGIN_INOUT_(type, buffer, size) (void)0
#define CELLA_BEGIN_CONCURRENT_(type, buffer, size) (void)0
#define CELLA_BEGIN_COMMUTATIVE_(type, buffer, size) (void)0
#define CELLA_BEGIN_FILE_IN_(path) (void)0
#define CELLA_BEGIN_FILE_OUT_(path) cella_native_empty_file(path)
#define CELLA_BEGIN_FILE_INOUT_(path) (void)0

#define CELLA_END_(index, parameter) CELLA_END2_ parameter
#define CELLA_END2_(kind, direction, ...) CELLA_END_##direction##_(kind, __VA_ARGS__)
#define CELLA_END_COPY_(kind, ...) CELLA_END_COPIED_##kind##_(__VA_ARGS__)
#define CELLA_END_COPIED_VALUE_(type, name)
#define CELLA_END_COPIED_BUFFER_(type, name, count) cella_native_release((const void *)name);
#define CELLA_END_IN_(...)
#define CELLA_END_OUT_(...)
#define CELLA_END_INOUT_(...)
#define CELLA_END_CONCURRENT_(...)
#define CELLA_END_COMMUTATIVE_(...)
#define CELLA_NOTHING_()

static inline void cella_native_zero(void *buffer, size_t size)
{
	if (size)
		__builtin_memset(buffer, 0, size);
}

/* A copy that ends with cella_native_release. */
void *cella_native_copy(const void *buffer, size_t size);
void cella_native_release(const void *copy);
void cella_native_empty_file(const char *path);

/* Before main, where a cell's tasks would find it. */
#define CELLA_WARM_UP_DEFINE_(name) __attribute__((constructor)) static void name##_body(void)

#define CELLA_TASK_DEFINE_(task, task_options, ...)                                     \
	static const struct cella_task_options task##_options                           \
		__attribute__((unused)) = {CELLA_UNWRAP_ task_options};                 \
	static void task##_body(CELLA_MAP_(CELLA_DECLARE_, CELLA_COMMA_, __VA_ARGS__)); \
	static inline __attribute__((unused)) void task(                                \
		CELLA_MAP_(CELLA_DECLARE_, CELLA_COMMA_, __VA_ARGS__))                  \
	{                                                                               \
		CELLA_MAP_(CELLA_BEGIN_, CELLA_NOTHING_, __VA_ARGS__)                   \
		task##_body(CELLA_MAP_(CELLA_NAME_, CELLA_COMMA_, __VA_ARGS__));        \
		CELLA_MAP_(CELLA_END_, CELLA_NOTHING_, __VA_ARGS__)                     \
	}                                                                               \
	static void task##_body(CELLA_MAP_(CELLA_DECLARE_, CELLA_COMMA_, __VA_ARGS__))

#endif

#endif

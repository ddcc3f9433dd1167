/* The task interface for native builds (cella cc --native): every call is sequential. */
#include <cella/task.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *cella_native_copy(const void *buffer, size_t size)
{
	void *copy = malloc(size ? size : 1);
	if (!copy)
		cella_fail("no memory for the arguments of a task");
	if (size)
		memcpy(copy, buffer, size);
	return copy;
}

void cella_native_release(const void *copy)
{
	free((void *)(uintptr_t)copy);
}

/* If it cannot be written the task will find that out. */
void cella_native_empty_file(const char *path)
{
	FILE *f = fopen(path, "w");
	if (f)
		fclose(f);
}

int cella_wait_on(const void *buffer)
{
	(void)buffer;
	return 0;
}

int cella_wait_on_unchanged(const void *buffer)
{
	(void)buffer;
	return 0;
}

int cella_wait_on_file(const char *path)
{
	(void)path;
	return 0;
}

void cella_barrier(void)
{
}

void cella_forget(const void *buffer)
{
	(void)buffer;
}

void cella_group_begin(const char *name)
{
	(void)name;
}

void cella_group_end(void)
{
}

int cella_group_wait(const char *name)
{
	(void)name;
	return 0;
}

int cella_group_cancel(const char *name)
{
	(void)name;
	return 0;
}

void cella_fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

int cella_executors(void)
{
	return 1;
}

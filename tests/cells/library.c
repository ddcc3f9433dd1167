/* What programs expect of a C library beyond the first half of ISO C. Prints one line. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

enum { BYTES_MAX = 100 };

static int failures;

#define expect(condition) expect_at(__LINE__, #condition, condition)

static void expect_at(int line, const char *text, int condition)
{
	if (condition)
		return;
	printf("line %d: not %s\n", line, text);
	failures++;
}

static _Thread_local int local = 5;
static thread_local char local_text[8] = "text";
static int once_calls, key_destroyed, signals;

static void first_time(void)
{
	once_calls++;
}

static void destroy(void *value)
{
	(void)value;
	key_destroyed++;
}

static void *enter(void *argument)
{
	return argument;
}

static void on_signal(int number)
{
	signals += number == SIGUSR1;
}

static void test_thread_local(void)
{
	expect(local == 5 && strcmp(local_text, "text") == 0);
	local++;
	expect(local == 6);
	errno = ERANGE;
	expect(errno == ERANGE);
}

static void test_mutexes(void)
{
	static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_t checking, recursive;
	pthread_mutexattr_t attributes;
	struct timespec past = {0};
	expect(pthread_mutex_lock(&plain) == 0 && pthread_mutex_trylock(&plain) == EBUSY);
	expect(pthread_mutex_timedlock(&plain, &past) == ETIMEDOUT && pthread_mutex_unlock(&plain) == 0);
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&checking, &attributes);
	expect(pthread_mutex_unlock(&checking) == EPERM);
	expect(pthread_mutex_lock(&checking) == 0 && pthread_mutex_lock(&checking) == EDEADLK);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&recursive, &attributes);
	expect(pthread_mutex_lock(&recursive) == 0 && pthread_mutex_lock(&recursive) == 0);
	expect(pthread_mutex_unlock(&recursive) == 0 && pthread_mutex_unlock(&recursive) == 0);
}

static void test_conditions(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
	pthread_cond_t condition;
	pthread_condattr_t attributes;
	clockid_t clock;
	struct timespec until;
	sem_t semaphore;
	pthread_condattr_init(&attributes);
	expect(pthread_condattr_getclock(&attributes, &clock) == 0 && clock == CLOCK_REALTIME);
	expect(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	expect(pthread_condattr_getclock(&attributes, &clock) == 0 && clock == CLOCK_MONOTONIC);
	pthread_cond_init(&condition, &attributes);
	pthread_mutex_lock(&mutex);
	clock_gettime(CLOCK_MONOTONIC, &until);
	expect(pthread_cond_timedwait(&condition, &mutex, &until) == ETIMEDOUT);
	expect(pthread_cond_signal(&condition) == 0 && pthread_mutex_unlock(&mutex) == 0);
	expect(pthread_rwlock_rdlock(&lock) == 0 && pthread_rwlock_trywrlock(&lock) == EBUSY);
	expect(pthread_rwlock_unlock(&lock) == 0 && pthread_rwlock_wrlock(&lock) == 0);
	sem_init(&semaphore, 0, 1);
	expect(sem_wait(&semaphore) == 0 && sem_trywait(&semaphore) == -1 && errno == EAGAIN);
	expect(sem_post(&semaphore) == 0 && sem_trywait(&semaphore) == 0);
}

static void test_keys(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_key_t key;
	pthread_t thread;
	void *result;
	pthread_once(&once, first_time);
	pthread_once(&once, first_time);
	expect(once_calls == 1);
	expect(pthread_key_create(&key, destroy) == 0 && pthread_setspecific(key, &key) == 0);
	expect(pthread_getspecific(key) == &key && pthread_key_delete(key) == 0);
	expect(pthread_equal(pthread_self(), pthread_self()));
	expect(pthread_create(&thread, NULL, enter, NULL) == EAGAIN);
	expect(pthread_create(&thread, NULL, enter, NULL) == EAGAIN); /* the second time without a word */
	expect(pthread_join(pthread_self(), &result) == EDEADLK);
}

static void test_atomics(void)
{
	atomic_int number = 40;
	atomic_ullong wide = 1;
	atomic_fetch_add(&number, 2);
	expect(number == 42 && atomic_exchange(&wide, 1ull << 40) == 1 && wide == 1ull << 40);
}

static void test_signals(void)
{
	expect(signal(SIGUSR1, on_signal) == SIG_DFL && raise(SIGUSR1) == 0 && signals == 1);
	expect(clock() != (clock_t)-1 && getpid() > 0 && getuid() == 0);
}

static void test_files(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	FILE *file = fopen("/file", "w+");
	expect(file && fprintf(file, "%Lf", 2.5L) == 8 && fflush(file) == 0);
	flockfile(file);
	expect(ftrylockfile(file) == 0);
	funlockfile(file);
	funlockfile(file);
	expect(fchmod(fileno(file), 0600) == 0 && chmod("/file", 0644) == 0 && umask(022) == 022);
	expect(chmod("/missing", 0600) == -1 && errno == ENOENT);
	expect(fcntl(fileno(file), F_SETLK, &lock) == 0);
	expect(fcntl(fileno(file), F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
	expect(fcntl(1000, F_SETLK, &lock) == -1 && errno == EBADF);
	expect(fclose(file) == 0 && chdir("/") == 0);
	char *here = getcwd(NULL, 0);
	expect(here && strcmp(here, "/") == 0);
	free(here);
}

static void test_texts(void)
{
	char text[32];
	wchar_t wide[8];
	expect(setlocale(LC_ALL, "C.UTF-8") != NULL);
	expect(mbstowcs(wide,
	                "\xc3\xa4"
	                "b",
	                8) == 2 &&
	       wide[0] == 0xe4);
	snprintf(text, sizeof(text), "%.3Lf %a", 1.0L / 3, 0.5);
	expect(strcmp(text, "0.333 0x1p-1") == 0);
	expect(strtold("1e4000", NULL) > 1e308L);
}

/* `length` bytes and a zero, the last of the memory; before them what must not be found. */
static unsigned char *last_bytes(unsigned char *end, int length)
{
	memset(end - BYTES_MAX - 16, ';', BYTES_MAX);
	end[-2 - length] = length % 2 ? ';' : 0;
	memset(end - 1 - length, 'x', (size_t)length);
	end[-1] = 0;
	return end - 1 - length;
}

static void test_search(unsigned char *bytes, int length)
{
	const char *text = (const char *)bytes;
	expect(strlen(text) == (size_t)length && strcspn(text, "") == (size_t)length);
	expect(!strchr(text, ';') && strchr(text, 0) == text + length);
	for (int i = length - 1; i >= 0; i--) {
		bytes[i] = i % 3 ? ';' : 0xfe;
		expect(strchr(text, bytes[i]) == text + i);
		expect(strcspn(text, i % 3 ? ";" : "\xfe") == (size_t)i);
		expect(strcspn(text, ",;") == strcspn(text, ",;:") && strcspn(text, "\xfe;") == (size_t)i);
		expect(strcspn(text, "\xfe:;") == (size_t)i && strlen(text) == (size_t)length);
	}
}

/* What comes behind the first difference does not count. */
static void test_order(unsigned char *bytes, int length)
{
	unsigned char room[BYTES_MAX + 16], *other = room + length % 9;
	memcpy(other, bytes, (size_t)length);
	expect(memcmp(bytes, other, (size_t)length) == 0);
	for (int i = length - 1; i >= 0; i--) {
		bytes[i] = i % 2 ? 0x80 : 'a';
		expect(memcmp(bytes, other, (size_t)length) * (i % 2 ? 1 : -1) > 0);
		expect(memcmp(other, bytes, (size_t)length) * (i % 2 ? 1 : -1) < 0);
		expect(memcmp(bytes, other, (size_t)i) == 0);
	}
}

static void test_bytes(void)
{
	size_t page = __builtin_wasm_memory_grow(0, 1);
	unsigned char *end = (unsigned char *)((page + 1) * 65536);
	expect(page != (size_t)-1);
	for (int length = 0; length < BYTES_MAX - 16; length++) {
		test_search(last_bytes(end, length), length);
		test_order(last_bytes(end, length), length);
	}
}

enum { MOVED = 80, ROOM = 3 * MOVED };

static unsigned char numbered(int i)
{
	return (unsigned char)(i * 7 + 1);
}

static unsigned char *number(void)
{
	static unsigned char room[ROOM];
	for (int i = 0; i < ROOM; i++)
		room[i] = numbered(i);
	return room;
}

/* After `size` bytes in the middle have moved: are all others what they were? */
static int is_moved(const unsigned char *room, int by, int size)
{
	int wrong = 0;
	for (int i = 0; i < ROOM; i++) {
		int moved = i >= MOVED + by && i < MOVED + by + size;
		wrong += room[i] != numbered(moved ? i - by : i);
	}
	return !wrong;
}

static int is_filled(const unsigned char *room, int byte, int size)
{
	int wrong = 0;
	for (int i = 0; i < ROOM; i++)
		wrong += room[i] != (i >= MOVED && i < MOVED + size ? (unsigned char)byte : numbered(i));
	return !wrong;
}

/* Whether they overlap or not. */
static void test_moves(void)
{
	for (volatile int size = 0; size <= MOVED; size++)
		for (int by = -MOVED; by <= MOVED; by++) {
			unsigned char *room = number();
			memmove(room + MOVED + by, room + MOVED, (size_t)size);
			expect(is_moved(room, by, size));
			room = number();
			memset(room + MOVED, by, (size_t)size);
			expect(is_filled(room, by, size));
		}
}

int main(void)
{
	test_thread_local();
	test_mutexes();
	test_conditions();
	test_keys();
	test_atomics();
	test_signals();
	test_files();
	test_texts();
	test_bytes();
	test_moves();
	if (!failures)
		puts("all is as it should be");
	return failures != 0;
}

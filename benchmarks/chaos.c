/* Faults of a host for chaos.py, loaded by LD_PRELOAD: errors of files below some folders, and a clock that jumps.

   CHAOS_CONTROL names a file of two numbers of 64 bits, which chaos.py writes at any time: the error that calls fail with
   (0 for none), and the seconds by which the clock is wrong. CHAOS_FOLDERS are the folders that fail, separated by
   colons; those after the first fail when they are read, and only by EIO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum use { READS, WRITES, STORES, ENTRIES };  /* STORES: fsync; ENTRIES: changes of a folder */

static volatile int64_t *control;
static const char *folders;

#define REAL(name)                                        \
    static __typeof__(name) *real;                        \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void load(void) {
    const char *path = getenv("CHAOS_CONTROL");
    folders = getenv("CHAOS_FOLDERS");
    int handle = path && folders ? (int)openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    if (handle < 0) return;
    void *page = mmap(NULL, 16, PROT_READ, MAP_SHARED, handle, 0);
    close(handle);
    if (page != MAP_FAILED) control = page;
}

static int fails(const char *path, enum use use) {
    int64_t error = control ? control[0] : 0;
    if (!error || !path || path[0] != '/') return 0;
    if (error == ENOSPC && (use == READS || use == STORES)) return 0;
    if (error == EACCES && use != ENTRIES && use != READS) return 0;
    const char *folder = folders;
    for (int others = 0; *folder; others = 1) {
        size_t length = strcspn(folder, ":");
        if (!strncmp(path, folder, length) && (path[length] == '/' || !path[length]) &&
            (!others || (error == EIO && use == READS))) {
            errno = (int)error;
            return 1;
        }
        folder += length + (folder[length] == ':');
    }
    return 0;
}

static int fails_at(int handle, enum use use) {
    if (!control || !control[0] || control[0] == EACCES) return 0; /* asked when a file is opened */
    char link[40], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(path, use);
}

static enum use opening(int flags) { return flags & (O_CREAT | O_TRUNC) ? ENTRIES : READS; }

#define MODE(flags)                                           \
    mode_t mode = 0;                                          \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                    \
        va_list list;                                         \
        va_start(list, flags);                                \
        mode = va_arg(list, mode_t);                          \
        va_end(list);                                         \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    REAL(open);
    return fails(path, opening(flags)) ? -1 : real(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE(flags)
    REAL(open64);
    return fails(path, opening(flags)) ? -1 : real(path, flags, mode);
}
int openat(int at, const char *path, int flags, ...) {
    MODE(flags)
    REAL(openat);
    return fails(path, opening(flags)) ? -1 : real(at, path, flags, mode);
}
int openat64(int at, const char *path, int flags, ...) {
    MODE(flags)
    REAL(openat64);
    return fails(path, opening(flags)) ? -1 : real(at, path, flags, mode);
}
FILE *fopen(const char *path, const char *mode) {
    REAL(fopen);
    return fails(path, mode[0] == 'r' ? READS : ENTRIES) ? NULL : real(path, mode);
}
FILE *fopen64(const char *path, const char *mode) {
    REAL(fopen64);
    return fails(path, mode[0] == 'r' ? READS : ENTRIES) ? NULL : real(path, mode);
}

#define ON_HANDLE(type, name, use, given, passed)             \
    type name given {                                         \
        REAL(name);                                           \
        return fails_at(handle, use) ? -1 : real passed;      \
    }
ON_HANDLE(ssize_t, read, READS, (int handle, void *to, size_t n), (handle, to, n))
ON_HANDLE(ssize_t, pread, READS, (int handle, void *to, size_t n, off_t at), (handle, to, n, at))
ON_HANDLE(ssize_t, pread64, READS, (int handle, void *to, size_t n, off64_t at), (handle, to, n, at))
ON_HANDLE(ssize_t, write, WRITES, (int handle, const void *from, size_t n), (handle, from, n))
ON_HANDLE(ssize_t, pwrite, WRITES, (int handle, const void *from, size_t n, off_t at), (handle, from, n, at))
ON_HANDLE(ssize_t, pwrite64, WRITES, (int handle, const void *from, size_t n, off64_t at), (handle, from, n, at))
ON_HANDLE(ssize_t, writev, WRITES, (int handle, const struct iovec *from, int n), (handle, from, n))
ON_HANDLE(ssize_t, sendfile, WRITES, (int handle, int from, off_t *at, size_t n), (handle, from, at, n))
ON_HANDLE(ssize_t, sendfile64, WRITES, (int handle, int from, off64_t *at, size_t n), (handle, from, at, n))
ON_HANDLE(int, ftruncate, WRITES, (int handle, off_t n), (handle, n))
ON_HANDLE(int, ftruncate64, WRITES, (int handle, off64_t n), (handle, n))
ON_HANDLE(int, fsync, STORES, (int handle), (handle))
ON_HANDLE(int, fdatasync, STORES, (int handle), (handle))

#define ON_PATH(type, name, path, given, passed)              \
    type name given {                                         \
        REAL(name);                                           \
        return fails(path, ENTRIES) ? -1 : real passed;       \
    }
ON_PATH(int, mkdir, path, (const char *path, mode_t mode), (path, mode))
ON_PATH(int, rename, to, (const char *from, const char *to), (from, to))
ON_PATH(int, renameat, to, (int at, const char *from, int there, const char *to), (at, from, there, to))
ON_PATH(int, link, to, (const char *from, const char *to), (from, to))
ON_PATH(int, linkat, to, (int at, const char *from, int there, const char *to, int flags), (at, from, there, to, flags))

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int failed = real(clock, now);
    if (!failed && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += control[1];
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    REAL(gettimeofday);
    int failed = real(now, zone);
    if (!failed && control) now->tv_sec += control[1];
    return failed;
}
time_t time(time_t *now) {
    struct timespec read;
    clock_gettime(CLOCK_REALTIME, &read);
    if (now) *now = read.tv_sec;
    return read.tv_sec;
}

/* Makes writing fail, for tests: preloaded into run.py, it counts what the first process
 * that has it writes below FAULT_ROOT, to paths with FAULT_NAME in them if that is set, and
 * from the FAULT_AT-th time on does FAULT_HOW:
 *   EIO     that one fails half way;   ENOSPC  that one and all later ones fail;
 *   KILL    the process is killed half way;   SLOW  each takes half a second;
 *   SHORT   each write takes half of what it is given;   NONE  nothing fails;
 *   ENOSYS, ENOLCK, EOPNOTSUPP  locks, and they alone, fail with that.
 * Once it has struck, the file FAULT_MARK exists. Each call that succeeds is a line of the
 * file FAULT_TRACE, if that is set. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const char *root, *name, *how, *mark, *trace;
static long at, count;
static int active;

__attribute__((constructor)) static void begin(void) {
    if (getenv("FAULT_ROOT") == NULL || getenv("FAULT_CLAIMED") != NULL) return;
    root = strdup(getenv("FAULT_ROOT"));
    name = getenv("FAULT_NAME") ? strdup(getenv("FAULT_NAME")) : "";
    trace = getenv("FAULT_TRACE") ? strdup(getenv("FAULT_TRACE")) : NULL;
    how = strdup(getenv("FAULT_HOW"));
    mark = strdup(getenv("FAULT_MARK"));
    at = atol(getenv("FAULT_AT"));
    setenv("FAULT_CLAIMED", "1", 1);
    active = 1;
}

static int is(const char *word) { return strcmp(how, word) == 0; }

static int below(const char *path) {
    return strncmp(path, root, strlen(root)) == 0 && strstr(path, name) != NULL;
}

static int open_below(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

static int open_file(const char *path, int flags) {
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    return real(path, flags | O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
}

static int close_file(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    return real(fd);
}

/* Writes down a call that succeeded. */
static void note(const char *call, const char *path) {
    if (trace == NULL) return;
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    char line[PATH_MAX + 16];
    int error = errno, size = snprintf(line, sizeof line, "%s %s\n", call, path);
    int file = open_file(trace, O_APPEND);
    if (real(file, line, size) != size) abort();
    close_file(file);
    errno = error;
}

/* Gives the error that locks fail with, if these are what fails. */
static int of_locks(void) {
    return is("ENOSYS") ? ENOSYS : is("ENOLCK") ? ENOLCK : is("EOPNOTSUPP") ? EOPNOTSUPP : 0;
}

/* Tells whether this time is to fail, and by which error. */
static int strikes(void) {
    long now = __sync_add_and_fetch(&count, 1);
    if (is("SLOW")) usleep(500000);
    if (now < at || is("SLOW") || is("SHORT") || is("NONE") || of_locks()) return 0;
    if (now > at && !is("ENOSPC")) return 0;
    close_file(open_file(mark, 0));
    return is("ENOSPC") ? ENOSPC : EIO;
}

static int fail(int error) {
    if (is("KILL")) kill(getpid(), SIGKILL);
    errno = error;
    return -1;
}

ssize_t write(int fd, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    char path[PATH_MAX];
    if (real == NULL) real = dlsym(RTLD_NEXT, "write");
    if (!active || !open_below(fd, path)) return real(fd, data, size);
    int error = is("SLOW") ? 0 : strikes();
    if (error) {
        if (error != ENOSPC) real(fd, data, size / 2);
        return fail(error);
    }
    ssize_t done = real(fd, data, is("SHORT") ? (size + 1) / 2 : size);
    if (done >= 0) note("write", path);
    return done;
}

int flock(int fd, int operation) {
    static int (*real)(int, int);
    char path[PATH_MAX];
    if (real == NULL) real = dlsym(RTLD_NEXT, "flock");
    if (active && of_locks() && open_below(fd, path)) return fail(of_locks());
    return real(fd, operation);
}

/* To remove a file takes no room, and no disk refuses it; but a process may be killed there. */
int unlink(const char *path) {
    static int (*real)(const char *);
    if (real == NULL) real = dlsym(RTLD_NEXT, "unlink");
    if (!active || !is("KILL") || !below(path)) return real(path);
    int error = strikes();
    return error ? fail(error) : real(path);
}

int fsync(int fd) {
    static int (*real)(int);
    char path[PATH_MAX];
    if (real == NULL) real = dlsym(RTLD_NEXT, "fsync");
    if (!active || !open_below(fd, path)) return real(fd);
    int error = strikes();
    if (error) return fail(error);
    int done = real(fd);
    if (done == 0) note("fsync", path);
    return done;
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (real == NULL) real = dlsym(RTLD_NEXT, "rename");
    if (!active || !below(to)) return real(from, to);
    int error = is("SLOW") ? 0 : strikes();
    if (error) return fail(error);
    int done = real(from, to);
    if (done == 0) note("rename", to);
    return done;
}

int mkdir(const char *path, mode_t mode) {
    static int (*real)(const char *, mode_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "mkdir");
    if (!active || !below(path) || is("SLOW")) return real(path, mode);
    int error = strikes();
    if (error) return fail(error);
    int done = real(path, mode);
    if (done == 0) note("mkdir", path);
    return done;
}

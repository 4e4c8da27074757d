/* Makes writing fail, for tests: preloaded into run.py, it counts what the first process
 * that has it writes below FAULT_ROOT, and from the FAULT_AT-th time on does FAULT_HOW:
 *   EIO     that one fails half way;   ENOSPC  that one and all later ones fail;
 *   KILL    the process is killed half way;   SLOW  each takes half a second.
 * Once it has struck, the file FAULT_MARK exists. */
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

static const char *root, *how, *mark;
static long at, count;
static int active;

__attribute__((constructor)) static void begin(void) {
    if (getenv("FAULT_ROOT") == NULL || getenv("FAULT_CLAIMED") != NULL) return;
    root = strdup(getenv("FAULT_ROOT"));
    how = strdup(getenv("FAULT_HOW"));
    mark = strdup(getenv("FAULT_MARK"));
    at = atol(getenv("FAULT_AT"));
    setenv("FAULT_CLAIMED", "1", 1);
    active = 1;
}

static int below(const char *path) { return strncmp(path, root, strlen(root)) == 0; }

static int open_below(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

/* Tells whether this time is to fail, and by which error. */
static int strikes(void) {
    long now = __sync_add_and_fetch(&count, 1);
    if (strcmp(how, "SLOW") == 0) usleep(500000);
    if (now < at || strcmp(how, "SLOW") == 0) return 0;
    if (now > at && strcmp(how, "ENOSPC") != 0) return 0;
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    close(real_open(mark, O_CREAT | O_WRONLY, 0600));
    return strcmp(how, "ENOSPC") == 0 ? ENOSPC : EIO;
}

static int fail(int error) {
    if (strcmp(how, "KILL") == 0) kill(getpid(), SIGKILL);
    errno = error;
    return -1;
}

ssize_t write(int fd, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "write");
    if (active && open_below(fd)) {
        int error = strcmp(how, "SLOW") == 0 ? 0 : strikes();
        if (error) {
            if (error != ENOSPC) real(fd, data, size / 2);
            return fail(error);
        }
    }
    return real(fd, data, size);
}

int fsync(int fd) {
    static int (*real)(int);
    if (real == NULL) real = dlsym(RTLD_NEXT, "fsync");
    if (active && open_below(fd)) {
        int error = strikes();
        if (error) return fail(error);
    }
    return real(fd);
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (real == NULL) real = dlsym(RTLD_NEXT, "rename");
    if (active && below(to)) {
        int error = strcmp(how, "SLOW") == 0 ? 0 : strikes();
        if (error) return fail(error);
    }
    return real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    static int (*real)(const char *, mode_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "mkdir");
    if (active && below(path) && strcmp(how, "SLOW") != 0) {
        int error = strikes();
        if (error) return fail(error);
    }
    return real(path, mode);
}

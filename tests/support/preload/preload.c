/* Functions of the C library that a test replaces in a child process, by LD_PRELOAD.
 *
 * getaddrinfo: names that end in ".hang.test" are looked up for 30 s and then not found; names that end in ".dual.test" have
 * the addresses ::1 and 127.0.0.1, in this order. SANSMQ_LOOKUPS is a file to which each lookup of such a name appends a
 * byte.
 *
 * clock_gettime: with SANSMQ_CLOCK_STEPS, the wall clock is stepped every five seconds, by a day forward and back. The
 * monotonic clock is not changed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int ends_with(const char *name, const char *end) {
    size_t length = strlen(name), end_length = strlen(end);
    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

static void count_lookup(void) {
    const char *path = getenv("SANSMQ_LOOKUPS");
    int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
    if (file >= 0) {
        if (write(file, ".", 1) < 0) abort();
        close(file);
    }
}

/* Looks two numeric addresses up and joins the lists; freeaddrinfo of glibc frees each entry separately. */
static int both(const char *port, const struct addrinfo *hints, struct addrinfo **found,
                int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **)) {
    struct addrinfo *four = NULL, *last;
    int failed = real("::1", port, hints, found);
    if (failed) return failed;
    failed = real("127.0.0.1", port, hints, &four);
    if (failed) {
        freeaddrinfo(*found);
        return failed;
    }
    for (last = *found; last->ai_next; last = last->ai_next) {}
    last->ai_next = four;
    return 0;
}

int getaddrinfo(const char *name, const char *port, const struct addrinfo *hints, struct addrinfo **found) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!real) real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    if (name && ends_with(name, ".hang.test")) {
        count_lookup();
        sleep(30);
        return EAI_NONAME;
    }
    if (name && ends_with(name, ".dual.test")) {
        count_lookup();
        return both(port, hints, found, real);
    }
    return real(name, port, hints, found);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    static int steps = -1;
    struct timespec monotonic;
    int failed;
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    if (steps < 0) steps = getenv("SANSMQ_CLOCK_STEPS") != NULL;
    failed = real(clock, time);
    if (failed || !steps || clock != CLOCK_REALTIME) return failed;
    failed = real(CLOCK_MONOTONIC, &monotonic);
    if (!failed) time->tv_sec += (monotonic.tv_sec / 5 % 3 - 1) * 24 * 60 * 60;
    return failed;
}

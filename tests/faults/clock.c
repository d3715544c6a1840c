/* A clock that jumps: loaded before all else, adds to the time of day what the file $JUMPING_CLOCK says, in seconds. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t none, *jump = &none;

__attribute__((constructor)) static void open_file(void) {
    const char *name = getenv("JUMPING_CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *found = mmap(NULL, sizeof *jump, PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED)
        jump = found;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *found) {
    int failed = syscall(SYS_clock_gettime, clock, found);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        found->tv_sec += *jump;
    return failed;
}

int gettimeofday(struct timeval *restrict found, void *restrict zone) {
    int failed = syscall(SYS_gettimeofday, found, zone);
    if (!failed)
        found->tv_sec += *jump;
    return failed;
}

time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found)
        *found = now.tv_sec;
    return now.tv_sec;
}

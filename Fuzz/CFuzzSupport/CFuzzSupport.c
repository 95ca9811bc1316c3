#define _GNU_SOURCE
#include "CFuzzSupport.h"
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

// AddressSanitizer's allocator tells whoever asks about every allocation.
extern int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t),
                                                     void (*)(const volatile void *));
extern size_t __sanitizer_get_allocated_size(const volatile void *);

static _Thread_local bool measuring;
static _Thread_local int64_t live;
static _Thread_local int64_t peak;
static _Thread_local int64_t started;

static void allocated(const volatile void *pointer, size_t size) {
    (void)pointer;
    if (!measuring) return;
    live += (int64_t)size;
    if (live > peak) peak = live;
}

static void freed(const volatile void *pointer) {
    if (!measuring || pointer == NULL) return;
    live -= (int64_t)__sanitizer_get_allocated_size(pointer);
}

static int64_t microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void fuzz_measure_begin(void) {
    static bool installed;
    if (!installed) {
        installed = true;
        __sanitizer_install_malloc_and_free_hooks(allocated, freed);
    }
    live = 0;
    peak = 0;
    measuring = true;
    started = microseconds();
}

int64_t fuzz_measure_peak_bytes(void) {
    measuring = false;
    return peak;
}

int64_t fuzz_measure_microseconds(void) { return microseconds() - started; }

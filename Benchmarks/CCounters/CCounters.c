#define _GNU_SOURCE
#include "CCounters.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static _Atomic int64_t allocations;
static _Atomic int64_t allocated_bytes;

int64_t counters_allocations(void) { return atomic_load(&allocations); }
int64_t counters_allocated_bytes(void) { return atomic_load(&allocated_bytes); }

// MARK: - Allocations

#if defined(__GLIBC__)

// A program's own malloc takes the place of the C library's for everything in the process; the library's stays
// reachable under these names.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void count(size_t size) {
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&allocated_bytes, (int64_t)size, memory_order_relaxed);
}

void *malloc(size_t size) {
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count(number * size);
    return __libc_calloc(number, size);
}

void *realloc(void *pointer, size_t size) {
    count(size);
    return __libc_realloc(pointer, size);
}

void *memalign(size_t alignment, size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    count(size);
    void *pointer = __libc_memalign(alignment, size);
    if (pointer == NULL) return 12;  // ENOMEM
    *result = pointer;
    return 0;
}

void free(void *pointer) { __libc_free(pointer); }

#endif

// MARK: - Instructions

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>

bool counters_has_instructions(void) { return RUNNING_ON_VALGRIND > 0; }

void counters_instructions_begin(void) {
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

void counters_instructions_end(const char *name) {
    CALLGRIND_DUMP_STATS_AT(name);
    CALLGRIND_STOP_INSTRUMENTATION;
}

#else

bool counters_has_instructions(void) { return false; }
void counters_instructions_begin(void) {}
void counters_instructions_end(const char *name) { (void)name; }

#endif

// MARK: - A client that allocates nothing

int counters_connect(uint16_t port) {
    int handle = socket(AF_INET, SOCK_STREAM, 0);
    if (handle < 0) return -1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    struct timeval patience = {.tv_sec = 60};
    setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(handle, (struct sockaddr *)&address, sizeof address) != 0) {
        close(handle);
        return -1;
    }
    return handle;
}

bool counters_send(int socket, const void *bytes, long count) {
    const char *next = bytes;
    while (count > 0) {
        ssize_t sent = send(socket, next, (size_t)count, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        next += sent;
        count -= sent;
    }
    return true;
}

long counters_receive(int socket, void *bytes, long count, bool all) {
    return recv(socket, bytes, (size_t)count, all ? MSG_WAITALL : 0);
}

long counters_receive_http(int socket, char *bytes, long capacity) {
    long length = 0;
    while (length < capacity - 1) {
        long received = counters_receive(socket, bytes + length, capacity - 1 - length, false);
        if (received <= 0) return -1;
        length += received;
        bytes[length] = 0;
        const char *end = strstr(bytes, "\r\n\r\n");
        if (end == NULL) continue;
        const char *field = strcasestr(bytes, "content-length:");
        long body = field != NULL && field < end ? atol(field + 15) : 0;
        if (end + 4 + body <= bytes + length) return length;
    }
    return -1;
}

#ifndef C_COUNTERS_H
#define C_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

/// The allocations of the whole process so far, on all threads: malloc, calloc, posix_memalign and their like, and each
/// realloc.
int64_t counters_allocations(void);
/// The bytes that those asked for.
int64_t counters_allocated_bytes(void);

/// Whether callgrind counts this process's instructions.
bool counters_has_instructions(void);
/// Begins to count instructions anew.
void counters_instructions_begin(void);
/// Makes callgrind write down the instructions since the beginning, under a name.
void counters_instructions_end(const char *name);

/// A loopback connection to a port, blocking; -1 if there is none.
int counters_connect(uint16_t port);
/// Sends all bytes.
bool counters_send(int socket, const void *bytes, long count);
/// Receives some bytes, or as many as asked for if `all` is set; 0 at the end, less than 0 after an error.
long counters_receive(int socket, void *bytes, long count, bool all);
/// Receives an HTTP answer as a whole, which must fit; returns its length, less than 0 if it does not come.
long counters_receive_http(int socket, char *bytes, long capacity);

#endif

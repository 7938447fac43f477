/* The places `file` and `malloc` of the fault seam: the Makefile includes this ahead of every
 * source in common/, daemon/ and cli/ (but the seam's own), in all variants but the release. Under
 * their own names, so that no line there knows of it, these functions then lead to
 * common/fault_calls.c; what libraries and tests call stays the C library's.
 *
 * Streams are counted when they are opened, read or written in blocks, flushed and closed: a text
 * that fputs leaves in the buffer fails when it is flushed. What was closed is closed, also when
 * the call is to fail. */
#ifndef COMMON_FAULT_CALLS_H
#define COMMON_FAULT_CALLS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAULT_CALLS(X)                                                                             \
    X(malloc)                                                                                      \
    X(calloc)                                                                                      \
    X(realloc)                                                                                     \
    X(reallocarray)                                                                                \
    X(strdup)                                                                                      \
    X(open)                                                                                        \
    X(close)                                                                                       \
    X(read)                                                                                        \
    X(pread)                                                                                       \
    X(write)                                                                                       \
    X(fsync)                                                                                       \
    X(rename)                                                                                      \
    X(unlink)                                                                                      \
    X(fopen)                                                                                       \
    X(fdopen)                                                                                      \
    X(fread)                                                                                       \
    X(fwrite)                                                                                      \
    X(fflush)                                                                                      \
    X(fclose)

#ifdef FAULT_CALLS_OURS
#define FAULT_CALL(name) __typeof__(name) fault_##name;
#else
#define FAULT_CALL(name) extern __typeof__(name) name __asm__("fault_" #name);
#endif
FAULT_CALLS(FAULT_CALL)
#undef FAULT_CALL

#endif

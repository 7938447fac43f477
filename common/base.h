/* What every file may use: compiler attributes, the cleanup and error-propagation macros,
 * assertions that stay on in production, and a few helpers without state. It knows no job, no
 * thread and no library but the C library. */
#ifndef COMMON_BASE_H
#define COMMON_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define PRINTF_LIKE(format_index, first) __attribute__((format(printf, format_index, first)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))

/* Runs `function(&variable)` when the variable leaves its scope, on every path. */
#define CLEANUP(function) __attribute__((cleanup(function)))

/* Returns from the calling function when the expression is not OK. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        enum err try_err_ = (expression);                                                          \
        if (try_err_ != OK) return try_err_;                                                       \
    } while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A programmer's fault: says where, and aborts. Never for bad input, a full disk or a database's
 * answer. */
#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__, __func__))

NORETURN void assert_failed(const char *condition, const char *file, int line, const char *func);

/* Words about a failure for a person: what, where, what to do. It travels beside an `enum err`,
 * owned by the caller. */
struct detail {
    char text[1024];
};

/* Replaces the text (cut to fit) and returns `err`, so that a failing branch is one line. What the
 * words take from elsewhere (a name, an argument, a server's message) is made harmless, and valid
 * UTF-8: they go to terminals, logs and the database. `detail` may be NULL. */
enum err detail_set(struct detail *detail, enum err err, const char *format, ...) PRINTF_LIKE(3, 4);

/* Formats into a buffer of fixed size; true when all of it fitted. It is cut between characters. */
bool text_format(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

/* Cleanup functions for the C library's own kinds: each takes the address of the variable and
 * accepts NULL in it. */
void free_pointer(void *address);
void close_file(void *address);

/* Adds with overflow check: false, and *ret_sum untouched, when the sum does not fit. */
static inline bool add_i64(int64_t a, int64_t b, int64_t *ret_sum)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return false;
    *ret_sum = sum;
    return true;
}

static inline int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif

/* The places `file` and `malloc` of the fault seam. The linker (--wrap, see the Makefile) leads our
 * own calls of these functions here; __real_ names the C library's. Streams are counted when they
 * are opened, written to in blocks, flushed and closed: a text that fputs leaves in the buffer
 * fails when it is flushed. What was closed is closed, also when the call is to fail. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fault.h"

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
int __real_open(const char *path, int flags, ...);
int __real_close(int file);
ssize_t __real_read(int file, void *buffer, size_t size);
ssize_t __real_pread(int file, void *buffer, size_t size, off_t offset);
ssize_t __real_write(int file, const void *buffer, size_t size);
int __real_fsync(int file);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__real_fdopen(int file, const char *mode);
size_t __real_fread(void *buffer, size_t size, size_t count, FILE *stream);
size_t __real_fwrite(const void *buffer, size_t size, size_t count, FILE *stream);
int __real_fflush(FILE *stream);
int __real_fclose(FILE *stream);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
char *__real_strdup(const char *text);

int __wrap_open(const char *path, int flags, ...);
int __wrap_close(int file);
ssize_t __wrap_read(int file, void *buffer, size_t size);
ssize_t __wrap_pread(int file, void *buffer, size_t size, off_t offset);
ssize_t __wrap_write(int file, const void *buffer, size_t size);
int __wrap_fsync(int file);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fdopen(int file, const char *mode);
size_t __wrap_fread(void *buffer, size_t size, size_t count, FILE *stream);
size_t __wrap_fwrite(const void *buffer, size_t size, size_t count, FILE *stream);
int __wrap_fflush(FILE *stream);
int __wrap_fclose(FILE *stream);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
char *__wrap_strdup(const char *text);

/* The call is not to be made at all. */
static bool is_refused(const struct fault_call *call)
{
    int error = fault_at(call, FAULT_BEFORE);
    if (error != 0) errno = error;
    return error != 0;
}

/* The call was made, and is to be taken for a failure all the same. */
static bool is_spoiled(const struct fault_call *call)
{
    int saved = errno;
    int error = fault_at(call, FAULT_SENT);
    if (error == 0) error = fault_at(call, FAULT_AFTER);
    errno = error != 0 ? error : saved;
    return error != 0;
}

/* Nothing that goes to stderr counts: how much is said there depends on time. */
static struct fault_call count_descriptor(int file)
{
    if (file == STDERR_FILENO) return (struct fault_call){.place = FAULT_FILE};
    return fault_count(FAULT_FILE);
}

static struct fault_call count_stream(const FILE *stream)
{
    if (stream == stderr) return (struct fault_call){.place = FAULT_FILE};
    return fault_count(FAULT_FILE);
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    const struct fault_call call = fault_count(FAULT_FILE);
    if (is_refused(&call)) return -1;
    int file = __real_open(path, flags, mode);
    if (!is_spoiled(&call)) return file;
    int error = errno;
    if (file >= 0) (void)__real_close(file);
    errno = error;
    return -1;
}

int __wrap_close(int file)
{
    const struct fault_call call = count_descriptor(file);
    bool refused = is_refused(&call);
    int error = errno;
    int outcome = __real_close(file);
    if (refused) errno = error;
    return refused || is_spoiled(&call) ? -1 : outcome;
}

ssize_t __wrap_read(int file, void *buffer, size_t size)
{
    const struct fault_call call = count_descriptor(file);
    if (is_refused(&call)) return -1;
    ssize_t got = __real_read(file, buffer, size);
    return is_spoiled(&call) ? -1 : got;
}

ssize_t __wrap_pread(int file, void *buffer, size_t size, off_t offset)
{
    const struct fault_call call = count_descriptor(file);
    if (is_refused(&call)) return -1;
    ssize_t got = __real_pread(file, buffer, size, offset);
    return is_spoiled(&call) ? -1 : got;
}

/* A part is half of it. */
ssize_t __wrap_write(int file, const void *buffer, size_t size)
{
    const struct fault_call call = count_descriptor(file);
    if (is_refused(&call)) return -1;
    ssize_t written = __real_write(file, buffer, fault_is_due(&call, FAULT_SENT) ? size / 2 : size);
    return is_spoiled(&call) ? -1 : written;
}

int __wrap_fsync(int file)
{
    const struct fault_call call = count_descriptor(file);
    if (is_refused(&call)) return -1;
    int outcome = __real_fsync(file);
    return is_spoiled(&call) ? -1 : outcome;
}

int __wrap_rename(const char *from, const char *to)
{
    const struct fault_call call = fault_count(FAULT_FILE);
    if (is_refused(&call)) return -1;
    int outcome = __real_rename(from, to);
    return is_spoiled(&call) ? -1 : outcome;
}

int __wrap_unlink(const char *path)
{
    const struct fault_call call = fault_count(FAULT_FILE);
    if (is_refused(&call)) return -1;
    int outcome = __real_unlink(path);
    return is_spoiled(&call) ? -1 : outcome;
}

static FILE *opened(const struct fault_call *call, FILE *stream)
{
    if (!is_spoiled(call)) return stream;
    int error = errno;
    if (stream != NULL) (void)__real_fclose(stream);
    errno = error;
    return NULL;
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    const struct fault_call call = fault_count(FAULT_FILE);
    if (is_refused(&call)) return NULL;
    return opened(&call, __real_fopen(path, mode));
}

/* Whoever calls keeps the descriptor when this fails, so that it never fails half way. */
FILE *__wrap_fdopen(int file, const char *mode)
{
    const struct fault_call call = count_descriptor(file);
    if (is_refused(&call) || is_spoiled(&call)) return NULL;
    return __real_fdopen(file, mode);
}

size_t __wrap_fread(void *buffer, size_t size, size_t count, FILE *stream)
{
    const struct fault_call call = count_stream(stream);
    if (is_refused(&call)) return 0;
    size_t got = __real_fread(buffer, size, count, stream);
    return is_spoiled(&call) ? 0 : got;
}

size_t __wrap_fwrite(const void *buffer, size_t size, size_t count, FILE *stream)
{
    const struct fault_call call = count_stream(stream);
    if (is_refused(&call)) return 0;
    bool half = fault_is_due(&call, FAULT_SENT);
    size_t written = __real_fwrite(buffer, size, half ? count / 2 : count, stream);
    if (!is_spoiled(&call)) return written;
    return half ? written : 0;
}

int __wrap_fflush(FILE *stream)
{
    const struct fault_call call = count_stream(stream);
    if (is_refused(&call)) return EOF;
    int outcome = __real_fflush(stream);
    return is_spoiled(&call) ? EOF : outcome;
}

int __wrap_fclose(FILE *stream)
{
    const struct fault_call call = count_stream(stream);
    bool refused = is_refused(&call);
    int error = errno;
    int outcome = __real_fclose(stream);
    if (refused) errno = error;
    return refused || is_spoiled(&call) ? EOF : outcome;
}

/* Memory has no half way: "sent" and "after" are "before". */
static bool is_exhausted(void)
{
    const struct fault_call call = fault_count(FAULT_MALLOC);
    return is_refused(&call) || is_spoiled(&call);
}

void *__wrap_malloc(size_t size)
{
    return is_exhausted() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_exhausted() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return is_exhausted() ? NULL : __real_realloc(memory, size);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
    return is_exhausted() ? NULL : __real_reallocarray(memory, count, size);
}

char *__wrap_strdup(const char *text)
{
    return is_exhausted() ? NULL : __real_strdup(text);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

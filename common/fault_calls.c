#define FAULT_CALLS_OURS /* the functions themselves, not what stands for them */
#include "common/fault_calls.h"

#include <errno.h>
#include <stdarg.h>

#include "common/fault.h"

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

/* A stream remembers that it failed, for whoever asks with ferror when all is written. */
static void mark_failed(FILE *stream)
{
    stream->_flags |= _IO_ERR_SEEN;
}

int fault_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    const struct fault_call call = fault_count(FAULT_FILE);
    if (is_refused(&call)) return -1;
    int file = open(path, flags, mode);
    if (!is_spoiled(&call)) return file;
    int error = errno;
    if (file >= 0) (void)close(file);
    errno = error;
    return -1;
}

int fault_close(int file)
{
    const struct fault_call call = count_descriptor(file);
    bool refused = is_refused(&call);
    int error = errno;
    int outcome = close(file);
    if (refused) errno = error;
    return refused || is_spoiled(&call) ? -1 : outcome;
}

ssize_t fault_read(int file, void *buffer, size_t size)
{
    const struct fault_call call = count_descriptor(file);
    if (is_refused(&call)) return -1;
    ssize_t got = read(file, buffer, size);
    return is_spoiled(&call) ? -1 : got;
}

ssize_t fault_pread(int file, void *buffer, size_t size, off_t offset)
{
    const struct fault_call call = count_descriptor(file);
    if (is_refused(&call)) return -1;
    ssize_t got = pread(file, buffer, size, offset);
    return is_spoiled(&call) ? -1 : got;
}

/* A part is half of it. */
ssize_t fault_write(int file, const void *buffer, size_t size)
{
    const struct fault_call call = count_descriptor(file);
    if (is_refused(&call)) return -1;
    ssize_t written = write(file, buffer, fault_is_due(&call, FAULT_SENT) ? size / 2 : size);
    return is_spoiled(&call) ? -1 : written;
}

int fault_fsync(int file)
{
    const struct fault_call call = count_descriptor(file);
    if (is_refused(&call)) return -1;
    int outcome = fsync(file);
    return is_spoiled(&call) ? -1 : outcome;
}

int fault_rename(const char *from, const char *to)
{
    const struct fault_call call = fault_count(FAULT_FILE);
    if (is_refused(&call)) return -1;
    int outcome = rename(from, to);
    return is_spoiled(&call) ? -1 : outcome;
}

int fault_unlink(const char *path)
{
    const struct fault_call call = fault_count(FAULT_FILE);
    if (is_refused(&call)) return -1;
    int outcome = unlink(path);
    return is_spoiled(&call) ? -1 : outcome;
}

static FILE *opened(const struct fault_call *call, FILE *stream)
{
    if (!is_spoiled(call)) return stream;
    int error = errno;
    if (stream != NULL) (void)fclose(stream);
    errno = error;
    return NULL;
}

FILE *fault_fopen(const char *path, const char *mode)
{
    const struct fault_call call = fault_count(FAULT_FILE);
    if (is_refused(&call)) return NULL;
    return opened(&call, fopen(path, mode));
}

/* Whoever calls keeps the descriptor when this fails, so that it never fails half way. */
FILE *fault_fdopen(int file, const char *mode)
{
    const struct fault_call call = count_descriptor(file);
    if (is_refused(&call) || is_spoiled(&call)) return NULL;
    return fdopen(file, mode);
}

size_t fault_fread(void *buffer, size_t size, size_t count, FILE *stream)
{
    const struct fault_call call = count_stream(stream);
    bool failed = is_refused(&call);
    size_t got = failed ? 0 : fread(buffer, size, count, stream);
    if (!failed && !is_spoiled(&call)) return got;
    mark_failed(stream);
    return 0;
}

size_t fault_fwrite(const void *buffer, size_t size, size_t count, FILE *stream)
{
    const struct fault_call call = count_stream(stream);
    bool failed = is_refused(&call), half = fault_is_due(&call, FAULT_SENT);
    size_t written = failed ? 0 : fwrite(buffer, size, half ? count / 2 : count, stream);
    if (!failed && !is_spoiled(&call)) return written;
    mark_failed(stream);
    return half ? written : 0;
}

int fault_fflush(FILE *stream)
{
    const struct fault_call call = count_stream(stream);
    bool failed = is_refused(&call);
    int outcome = failed ? EOF : fflush(stream);
    if (!failed && !is_spoiled(&call)) return outcome;
    if (stream != NULL) mark_failed(stream);
    return EOF;
}

int fault_fclose(FILE *stream)
{
    const struct fault_call call = count_stream(stream);
    bool refused = is_refused(&call);
    int error = errno;
    int outcome = fclose(stream);
    if (refused) errno = error;
    return refused || is_spoiled(&call) ? EOF : outcome;
}

/* Memory has no half way: "sent" and "after" are "before". */
static bool is_exhausted(void)
{
    const struct fault_call call = fault_count(FAULT_MALLOC);
    return is_refused(&call) || is_spoiled(&call);
}

void *fault_malloc(size_t size)
{
    return is_exhausted() ? NULL : malloc(size);
}

void *fault_calloc(size_t count, size_t size)
{
    return is_exhausted() ? NULL : calloc(count, size);
}

void *fault_realloc(void *memory, size_t size)
{
    return is_exhausted() ? NULL : realloc(memory, size);
}

void *fault_reallocarray(void *memory, size_t count, size_t size)
{
    return is_exhausted() ? NULL : reallocarray(memory, count, size);
}

char *fault_strdup(const char *text)
{
    return is_exhausted() ? NULL : strdup(text);
}

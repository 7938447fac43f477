#include "common/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *condition, const char *file, int line, const char *func)
{
    fprintf(stderr, "%s:%d: %s: this must hold and does not: %s\n", file, line, func, condition);
    abort();
}

enum err detail_set(struct detail *detail, enum err err, const char *format, ...)
{
    if (detail == NULL) return err;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(detail->text, sizeof(detail->text), format, arguments);
    va_end(arguments);
    return err;
}

bool text_format(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length >= 0 && (size_t)length < size;
}

void free_pointer(void *address)
{
    void **pointer = address;
    free(*pointer);
    *pointer = NULL;
}

void close_file(void *address)
{
    FILE **file = address;
    if (*file != NULL) (void)fclose(*file);
    *file = NULL;
}

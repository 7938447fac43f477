#include "common/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/utf8.h"

/* GCOV_EXCL_START: the process aborts, and its counters are lost */
void assert_failed(const char *condition, const char *file, int line, const char *func)
{
    fprintf(stderr, "%s:%d: %s: this must hold and does not: %s\n", file, line, func, condition);
    abort();
}
/* GCOV_EXCL_STOP */

/* What was cut may end within a character: neither the database nor JSON would take the rest. */
static void drop_half_character(char *text, size_t size)
{
    for (size_t kept = size - 1, back = 1; back < 4 && back <= kept; back++) {
        char *last = text + kept - back;
        if ((*last & 0xC0) == 0x80) continue;
        if (utf8_length(last) == 0) *last = '\0';
        return;
    }
}

enum err detail_set(struct detail *detail, enum err err, const char *format, ...)
{
    if (detail == NULL) return err;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(detail->text, sizeof(detail->text), format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof(detail->text))
        drop_half_character(detail->text, sizeof(detail->text));
    utf8_clean(detail->text);
    return err;
}

bool text_format(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    bool fits = length >= 0 && (size_t)length < size;
    if (!fits && length > 0 && size > 0) drop_half_character(buffer, size);
    return fits;
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

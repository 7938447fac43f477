#include "common/utf8.h"

#include <string.h>

static const struct {
    unsigned first, last;
} hidden[] = {
    {0x00, 0x1F},       {0x7F, 0x9F},     /* control characters */
    {0x061C, 0x061C},   {0x200E, 0x200F}, /* marks of direction */
    {0x2028, 0x2029},                     /* line and paragraph separator */
    {0x202A, 0x202E},   {0x2066, 0x206F}, /* embedding, override, isolation */
    {0xFEFF, 0xFEFF},   {0xFFF9, 0xFFFB}, /* byte order mark, annotations */
    {0xE0000, 0xE0FFF},                   /* tags: text that nobody sees */
};

/* Decodes the character at the start; the length is 0 when there is none. */
static size_t decode(const char *text, unsigned *ret_code)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text;
    size_t length = at[0] < 0x80 ? 1 : (at[0] >> 5) == 6 ? 2 : (at[0] >> 4) == 14 ? 3 : 4;
    if (at[0] == 0 || (length == 4 && (at[0] >> 3) != 30)) return 0;
    unsigned code = length == 1 ? at[0] : at[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] >> 6) != 2) return 0;
        code = code << 6 | (at[i] & 0x3Fu);
    }
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (code < least[length] || code > 0x10FFFF || surrogate) return 0;
    *ret_code = code;
    return length;
}

size_t utf8_length(const char *text)
{
    unsigned code;
    return decode(text, &code);
}

unsigned utf8_decode(const char *text)
{
    unsigned code = 0;
    return decode(text, &code) > 0 ? code : 0;
}

size_t utf8_printable(const char *text)
{
    unsigned code;
    size_t length = decode(text, &code);
    for (size_t i = 0; length > 0 && i < COUNT_OF(hidden); i++)
        if (code >= hidden[i].first && code <= hidden[i].last) return 0;
    return length;
}

bool utf8_is_valid(const char *text)
{
    while (*text != '\0') {
        size_t length = utf8_length(text);
        if (length == 0) return false;
        text += length;
    }
    return true;
}

size_t utf8_unprintable(const char *text)
{
    size_t length = utf8_length(text);
    return length > 0 ? length : 1;
}

static char replacement(char byte)
{
    return byte == '\n' || byte == '\t' || byte == '\r' ? ' ' : '?';
}

void utf8_clean(char *text)
{
    char *to = text;
    while (*text != '\0') {
        size_t length = utf8_printable(text);
        if (length > 0) {
            memmove(to, text, length);
            to += length;
            text += length;
        } else {
            size_t refused = utf8_unprintable(text);
            *to++ = replacement(*text);
            text += refused;
        }
    }
    *to = '\0';
}

void utf8_print(FILE *file, const char *text)
{
    while (*text != '\0') {
        size_t length = utf8_printable(text);
        if (length > 0) {
            (void)fwrite(text, 1, length, file);
            text += length;
        } else {
            fputc(replacement(*text), file);
            text += utf8_unprintable(text);
        }
    }
}

const char *utf8_show(const char *text, size_t length, size_t most, char *ret_text)
{
    size_t used = 0, at = 0;
    while (at < length && at < most) {
        size_t size = utf8_printable(text + at);
        if (size > 0 && size <= length - at) {
            memcpy(ret_text + used, text + at, size);
            used += size;
            at += size;
        } else {
            (void)text_format(ret_text + used, 5, "\\x%02X", (unsigned)(unsigned char)text[at]);
            used += 4;
            at++;
        }
    }
    (void)text_format(ret_text + used, 4, "%s", at < length ? "..." : "");
    return ret_text;
}

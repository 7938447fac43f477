#include "common/utf8.h"

/* Bytes of the character at the start; 0 when there is none that is well-formed, and at the end. */
static size_t decode(const char *text, unsigned *ret_code)
{
    static const unsigned least[] = {0, 1, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text;
    size_t length = at[0] < 0x80 ? 1 : (at[0] >> 5) == 6 ? 2 : (at[0] >> 4) == 14 ? 3 : 4;
    if (length == 4 && (at[0] >> 3) != 30) return 0;
    unsigned code = length == 1 ? at[0] : at[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] >> 6) != 2) return 0;
        code = code << 6 | (at[i] & 0x3Fu);
    }
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    *ret_code = code;
    return code >= least[length] && code <= 0x10FFFF && !surrogate ? length : 0;
}

size_t utf8_printable(const char *text)
{
    unsigned code = 0;
    size_t length = decode(text, &code);
    bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
    return control ? 0 : length;
}

bool utf8_is_valid(const char *text)
{
    unsigned code = 0;
    while (*text != '\0') {
        size_t length = decode(text, &code);
        if (length == 0) return false;
        text += length;
    }
    return true;
}

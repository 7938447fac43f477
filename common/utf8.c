#include "common/utf8.h"

size_t utf8_printable(const char *text)
{
    static const unsigned least[] = {0, 0, 0xA0, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text;
    size_t length = at[0] < 0x80 ? 1 : (at[0] >> 5) == 6 ? 2 : (at[0] >> 4) == 14 ? 3 : 4;
    if (length == 1) return at[0] >= 0x20 && at[0] != 0x7F ? 1 : 0;
    if (length == 4 && (at[0] >> 3) != 30) return 0;
    unsigned code = at[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] >> 6) != 2) return 0;
        code = code << 6 | (at[i] & 0x3Fu);
    }
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code >= least[length] && code <= 0x10FFFF && !surrogate ? length : 0;
}

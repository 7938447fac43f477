#include "cli/import_row.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/domain/civil.h"
#include "common/utf8.h"

enum {
    DATE_LENGTH = CIVIL_TEXT - 1,
    TIME_LENGTH = DATE_LENGTH + 9, /* " HH:MM:SS" */
    FRACTION_DIGITS = 6,
    DECIMAL_WHOLE_DIGITS = 12,
    DECIMAL_FRACTION_DIGITS = 6,
    SHOWN_BYTES = 64
};
_Static_assert(IMPORT_SHOWN >= UTF8_SHOWN(SHOWN_BYTES), "what is shown of a field fits");

/* Characters in the text; -1 when it is not UTF-8. */
static int64_t count_characters(const struct csv_field *field)
{
    int64_t count = 0;
    for (size_t at = 0; at < field->length; count++) {
        size_t length = utf8_length(field->text + at);
        if (length == 0) return -1;
        at += length;
    }
    return count;
}

const char *import_show(const struct csv_field *field, char ret_text[IMPORT_SHOWN])
{
    return utf8_show(field->text, field->length, SHOWN_BYTES, ret_text);
}

static enum err PRINTF_LIKE(2, 3) refuse(struct import_reason *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason->text, sizeof(reason->text), format, arguments);
    va_end(arguments);
    return ERR_INVALID;
}

/* "column: 'value' is …". */
static enum err refuse_value(const struct import_column *column, const struct csv_field *field,
                             const char *what, struct import_reason *reason)
{
    char shown[IMPORT_SHOWN];
    return refuse(reason, "%s: '%s' %s", column->name, import_show(field, shown), what);
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static size_t count_digits(const char *text)
{
    size_t count = 0;
    while (is_digit(text[count]))
        count++;
    return count;
}

static enum err check_integer(const struct import_column *column, const struct csv_field *field,
                              struct import_value *ret_value, struct import_reason *reason)
{
    const char *digits = field->text + (field->text[0] == '-' ? 1 : 0);
    if (digits[0] == '\0' || digits[count_digits(digits)] != '\0')
        return refuse_value(column, field, "is not a whole number", reason);
    errno = 0;
    int64_t value = strtoll(field->text, NULL, 10);
    if (errno == 0 && value >= column->least && value <= column->most) {
        ret_value->i64 = value;
        return OK;
    }
    char shown[IMPORT_SHOWN];
    return refuse(reason, "%s: %s is out of range, which is %" PRId64 " to %" PRId64, column->name,
                  import_show(field, shown), column->least, column->most);
}

static enum err check_text(const struct import_column *column, const struct csv_field *field,
                           struct import_value *ret_value, struct import_reason *reason)
{
    int64_t characters = count_characters(field);
    if (characters < 0) return refuse_value(column, field, "is not valid UTF-8", reason);
    if (characters > column->most)
        return refuse(reason, "%s: %" PRId64 " characters are more than %" PRId64, column->name,
                      characters, column->most);
    ret_value->text = field->text;
    return OK;
}

static enum err refuse_word(const struct import_column *column, const struct csv_field *field,
                            struct import_reason *reason)
{
    char list[128] = "";
    size_t used = 0;
    for (const char *const *word = column->words; *word != NULL; word++) {
        (void)text_format(list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "", *word);
        used += strlen(list + used);
    }
    char shown[IMPORT_SHOWN];
    return refuse(reason, "%s: '%s' is none of %s", column->name, import_show(field, shown), list);
}

static enum err check_word(const struct import_column *column, const struct csv_field *field,
                           struct import_value *ret_value, struct import_reason *reason)
{
    for (const char *const *word = column->words; *word != NULL; word++) {
        if (strcmp(*word, field->text) != 0) continue;
        ret_value->text = *word;
        return OK;
    }
    return refuse_word(column, field, reason);
}

static enum err check_date(const struct import_column *column, const struct csv_field *field,
                           struct import_value *ret_value, struct import_reason *reason)
{
    struct civil date;
    if (civil_parse(field->text, &date) != OK)
        return refuse_value(column, field, "is not a date that exists (YYYY-MM-DD)", reason);
    ret_value->text = field->text;
    return OK;
}

/* Two digits at `text` and not above `most`. */
static bool is_two_digits(const char *text, int most)
{
    return is_digit(text[0]) && is_digit(text[1]) && (text[0] - '0') * 10 + text[1] - '0' <= most;
}

static bool is_time_of_day(const char *text)
{
    return is_two_digits(text, 23) && text[2] == ':' && is_two_digits(text + 3, 59) &&
           text[5] == ':' && is_two_digits(text + 6, 59);
}

static bool is_fraction(const char *text)
{
    if (text[0] == '\0') return true;
    size_t digits = text[0] == '.' ? count_digits(text + 1) : 0;
    return digits >= 1 && digits <= FRACTION_DIGITS && text[1 + digits] == '\0';
}

static enum err check_time(const struct import_column *column, const struct csv_field *field,
                           struct import_value *ret_value, struct import_reason *reason)
{
    char date_text[CIVIL_TEXT] = "";
    struct civil date;
    bool valid = field->length >= TIME_LENGTH;
    if (valid) {
        memcpy(date_text, field->text, DATE_LENGTH);
        valid = civil_parse(date_text, &date) == OK && field->text[DATE_LENGTH] == ' ' &&
                is_time_of_day(field->text + DATE_LENGTH + 1) &&
                is_fraction(field->text + TIME_LENGTH);
    }
    if (!valid)
        return refuse_value(column, field,
                            "is not a time that exists (YYYY-MM-DD HH:MM:SS[.ffffff], UTC)",
                            reason);
    ret_value->text = field->text;
    return OK;
}

/* Digits, or digits, a point and more digits; the server is spared from rounding. */
static enum err check_decimal(const struct import_column *column, const struct csv_field *field,
                              struct import_value *ret_value, struct import_reason *reason)
{
    const char *whole = field->text;
    size_t whole_digits = count_digits(whole);
    const char *rest = whole + whole_digits;
    size_t fraction_digits = rest[0] == '.' ? count_digits(rest + 1) : 0;
    const char *end = rest[0] == '.' ? rest + 1 + fraction_digits : rest;
    if (whole_digits == 0 || (rest[0] == '.' && fraction_digits == 0) || end[0] != '\0')
        return refuse_value(column, field, "is not a decimal number from 0 (such as 12.5)", reason);
    size_t zeros = 0;
    while (zeros < whole_digits && whole[zeros] == '0')
        zeros++;
    if (whole_digits - zeros > DECIMAL_WHOLE_DIGITS || fraction_digits > DECIMAL_FRACTION_DIGITS)
        return refuse_value(column, field,
                            "has more than 12 digits before the point or 6 behind it", reason);
    ret_value->text = whole;
    return OK;
}

enum err import_field_check(const struct import_column *column, const struct csv_field *field,
                            struct import_value *ret_value, struct import_reason *reason)
{
    static enum err (*const checks[])(const struct import_column *, const struct csv_field *,
                                      struct import_value *, struct import_reason *) = {
        [IMPORT_INTEGER] = check_integer, [IMPORT_TEXT] = check_text,
        [IMPORT_WORD] = check_word,       [IMPORT_DATE] = check_date,
        [IMPORT_TIME] = check_time,       [IMPORT_DECIMAL] = check_decimal,
    };
    if (field->length == 0) {
        if (!column->is_nullable)
            return refuse(reason, "%s: is empty%s", column->name,
                          column->has_default ? " (for the default, leave the column out)" : "");
        ret_value->text = NULL;
        return OK;
    }
    if (memchr(field->text, '\0', field->length) != NULL)
        return refuse_value(column, field, "contains a NUL byte", reason);
    return checks[column->type](column, field, ret_value, reason);
}

enum err import_record_check(const struct import_layout *layout, const struct csv_record *record,
                             struct import_reason *reason)
{
    if (record->fault != NULL) return refuse(reason, "%s", record->fault);
    if (record->field_count != layout->field_count)
        return refuse(reason, "the row has %d field%s, the header has %d", record->field_count,
                      record->field_count == 1 ? "" : "s", layout->field_count);
    return OK;
}

/* CSV: records, their fields and their places, compared with a reader that has the whole input
 * before it and knows the grammar of RFC 4180 letter by letter. */
#include <stdlib.h>
#include <string.h>

#include "common/csv_reader.h"
#include "tests/fuzz/memory.h"
#include "tests/fuzz/targets.h"

enum { STRETCHED = 8191, LINES = 1000, INPUT_MAX = 256 * 1024 };

enum fault { FAULT_NONE, FAULT_QUOTE, FAULT_UNCLOSED, FAULT_LONG, FAULT_RETURN };

static const char *const fault_words[] = {[FAULT_QUOTE] = "out of place",
                                          [FAULT_UNCLOSED] = "opened and never closed",
                                          [FAULT_LONG] = "longer than",
                                          [FAULT_RETURN] = "carriage return"};

/* The naive reader: where it stands in the bytes, and what the record there is. */
struct naive {
    const char *bytes;
    size_t size, at;
    int64_t line;
    int field_count;
    char *fields[CSV_FIELDS]; /* in `text` */
    size_t lengths[CSV_FIELDS];
    char *text, *end;
};

static size_t line_end(const struct naive *naive, size_t from)
{
    while (from < naive->size && naive->bytes[from] != '\n')
        from++;
    return from < naive->size ? from + 1 : from;
}

static void begin_field(struct naive *naive)
{
    if (naive->field_count < CSV_FIELDS) {
        naive->fields[naive->field_count] = naive->end;
        naive->lengths[naive->field_count] = 0;
    }
    naive->field_count++;
}

static void push(struct naive *naive, char letter)
{
    if (naive->field_count > CSV_FIELDS) return;
    *naive->end++ = letter;
    naive->lengths[naive->field_count - 1]++;
}

enum place { AT_START, IN_PLAIN, IN_QUOTES, BEHIND_QUOTE };

/* One letter of a record; false when the quotes are wrong. */
static bool step(struct naive *naive, enum place *place, char letter)
{
    if (*place == IN_QUOTES) {
        if (letter == '"')
            *place = BEHIND_QUOTE;
        else
            push(naive, letter);
        return true;
    }
    if (letter == ',') {
        begin_field(naive);
        *place = AT_START;
        return true;
    }
    if (letter == '"' && *place == AT_START) {
        *place = IN_QUOTES;
        return true;
    }
    if (letter == '"' && *place == BEHIND_QUOTE) {
        push(naive, '"');
        *place = IN_QUOTES;
        return true;
    }
    if (letter == '"' || *place == BEHIND_QUOTE) return false;
    push(naive, letter);
    *place = IN_PLAIN;
    return true;
}

/* Reads the record at naive->at up to *ret_end. The limit counts whole lines, and is looked at
 * before the line is. */
static enum fault read_naively(struct naive *naive, size_t *ret_end, int64_t *ret_lines)
{
    enum place place = AT_START;
    naive->field_count = 0;
    naive->end = naive->text;
    begin_field(naive);
    *ret_lines = 0;
    if (naive->bytes[naive->at] == '\r') return FAULT_RETURN;
    for (size_t at = naive->at; at < naive->size; ++*ret_lines) {
        size_t end = line_end(naive, at);
        if (end - naive->at > CSV_RECORD) return FAULT_LONG;
        *ret_end = end;
        for (; at < end; at++) {
            char letter = naive->bytes[at];
            bool ends = place != IN_QUOTES && (letter == '\r' || letter == '\n');
            if (!ends) {
                if (!step(naive, &place, letter)) return FAULT_QUOTE;
                continue;
            }
            ++*ret_lines;
            bool whole = letter == '\n' || at + 1 == end || naive->bytes[at + 1] == '\n';
            return whole ? FAULT_NONE : FAULT_RETURN;
        }
    }
    if (place == IN_QUOTES) return FAULT_UNCLOSED;
    return FAULT_NONE;
}

static void pass_blank_lines(struct naive *naive)
{
    for (;;) {
        size_t left = naive->size - naive->at;
        const char *at = naive->bytes + naive->at;
        bool lf = left >= 1 && at[0] == '\n', crlf = left >= 2 && at[0] == '\r' && at[1] == '\n';
        bool last = left == 1 && at[0] == '\r';
        if (!lf && !crlf && !last) return;
        naive->at += crlf ? 2 : 1;
        naive->line++;
    }
}

static void expect_same_fields(const struct naive *naive, const struct csv_record *record)
{
    ASSERT(record->field_count == naive->field_count);
    for (int i = 0; i < record->field_count && i < CSV_FIELDS; i++) {
        const struct csv_field *field = &record->fields[i];
        ASSERT(field->length == naive->lengths[i]);
        ASSERT(field->length == 0 || memcmp(field->text, naive->fields[i], field->length) == 0);
        ASSERT(field->text[field->length] == '\0');
    }
}

/* `from` is where the record begins, with the byte order mark for the first one. */
static void expect_same(struct naive *naive, const struct csv_record *record, size_t from)
{
    size_t end = naive->at;
    int64_t lines = 0;
    enum fault fault = read_naively(naive, &end, &lines);
    ASSERT(record->line == naive->line && record->offset == (int64_t)from);
    if (fault == FAULT_NONE) {
        ASSERT(record->fault == NULL);
        expect_same_fields(naive, record);
    } else {
        ASSERT(record->fault != NULL && strstr(record->fault, fault_words[fault]) != NULL);
        ASSERT(record->field_count == 0);
        expect_words(record->fault);
        end = line_end(naive, naive->at);
        lines = 1;
    }
    ASSERT(record->length == (int64_t)(end - from));
    naive->at = end;
    naive->line += lines;
}

static void read_all(const char *bytes, size_t size, size_t step_size)
{
    static const char mark[] = "\xEF\xBB\xBF";
    CLEANUP(free_pointer) char *text = malloc(size + CSV_FIELDS + 1);
    ASSERT(text != NULL);
    struct naive naive = {.bytes = bytes, .size = size, .line = 1, .text = text};
    struct memory memory = {bytes, size, 0, step_size};
    CLEANUP(csv_reader_cleanup) struct csv_reader *reader = NULL;
    ASSERT(csv_reader_new(memory_read, &memory, &reader) == OK);
    if (size >= 3 && memcmp(bytes, mark, 3) == 0) naive.at = 3;
    for (bool marked = naive.at > 0;; marked = false) {
        struct csv_record record;
        bool more = false;
        size_t begin = naive.at;
        ASSERT(csv_reader_next(reader, &record, &more) == OK);
        pass_blank_lines(&naive);
        if (!more) break;
        ASSERT(naive.at < size);
        bool first = marked && naive.at == begin;
        expect_same(&naive, &record, first ? 0 : naive.at);
    }
    ASSERT(naive.at == size);
}

/* Long records from short inputs: two control characters stand for many letters and many lines. */
static char *stretch(const struct input *input, size_t *ret_size)
{
    char *bytes = malloc(INPUT_MAX + STRETCHED);
    ASSERT(bytes != NULL);
    size_t used = 0;
    for (size_t i = 0; i < input->left && used < INPUT_MAX; i++) {
        uint8_t letter = input->at[i];
        size_t count = letter == 0x1E ? STRETCHED : letter == 0x1F ? LINES : 1;
        memset(bytes + used, letter == 0x1E ? 'x' : letter == 0x1F ? '\n' : letter, count);
        used += count;
    }
    *ret_size = used;
    return bytes;
}

/* How the input comes, and the input. */
void fuzz_csv(struct input *input)
{
    static const size_t steps[] = {SIZE_MAX, 1, 2, 3, 7, 1000, CSV_RECORD, CSV_RECORD + 1};
    size_t step_size = steps[input_u8(input) % COUNT_OF(steps)];
    size_t size = 0;
    CLEANUP(free_pointer) char *bytes = stretch(input, &size);
    if (step_size < 8 && size > CSV_RECORD) step_size *= 1000; /* a call for each byte takes long */
    read_all(bytes, size, step_size);
}

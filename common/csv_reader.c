#include "common/csv_reader.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

/* libcsv is fed one line at a time and tells when a record is complete; only a quoted field makes a
 * record go on in the next line. That is how the bounds of a record are known: they are always
 * bounds of lines. */

enum { WINDOW = 4 * CSV_RECORD };

static const char BYTE_ORDER_MARK[] = "\xEF\xBB\xBF";
static const char FAULT_QUOTE[] =
    "a quote is out of place (a field with quotes in it is quoted as "
    "a whole, and they are doubled)";
static const char FAULT_UNCLOSED[] = "a quote is opened and never closed";
static const char FAULT_LONG[] =
    "the record is longer than 65536 bytes, or a quote in it is never closed";
static const char FAULT_RETURN[] = "a carriage return stands alone outside of quotes";
_Static_assert(CSV_RECORD == 65536, "FAULT_LONG names the limit");

struct csv_reader {
    csv_source *source;
    void *context;
    struct csv_parser parser;
    bool at_end;          /* the source has no more */
    size_t start, used;   /* the window holds bytes from `start` (what comes next) to `used` */
    int64_t offset, line; /* of the byte at `start` */

    /* The record that is being read. */
    struct csv_field fields[CSV_FIELDS];
    int field_count;
    bool ended;
    size_t text_used;
    char text[2 * CSV_RECORD +
              2]; /* no field needs more than its bytes, its comma's place holding the NUL */
    char window[WINDOW];
};

/* Blanks are part of a field (RFC 4180, 2.4): for libcsv there are none to trim. */
static int never_blank(unsigned char byte)
{
    (void)byte;
    return 0;
}

enum err csv_reader_new(csv_source *source, void *context, struct csv_reader **ret_reader)
{
    struct csv_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL) return ERR_MEMORY;
    if (csv_init(&reader->parser, CSV_STRICT) != 0) {
        free(reader);
        return ERR_MEMORY;
    }
    csv_set_space_func(&reader->parser, never_blank);
    csv_set_blk_size(&reader->parser, CSV_RECORD);
    csv_set_realloc_func(&reader->parser, realloc);
    reader->source = source;
    reader->context = context;
    reader->line = 1;
    *ret_reader = reader;
    return OK;
}

void csv_reader_free(struct csv_reader *reader)
{
    if (reader == NULL) return;
    csv_free(&reader->parser);
    free(reader);
}

void csv_reader_cleanup(struct csv_reader **reader)
{
    csv_reader_free(*reader);
    *reader = NULL;
}

static void on_field(void *data, size_t length, void *context)
{
    struct csv_reader *reader = context;
    if (reader->field_count < CSV_FIELDS) {
        ASSERT(reader->text_used + length < sizeof(reader->text));
        char *text = reader->text + reader->text_used;
        if (length > 0) memcpy(text, data, length);
        text[length] = '\0';
        reader->fields[reader->field_count] = (struct csv_field){text, length};
        reader->text_used += length + 1;
    }
    reader->field_count++;
}

static void on_record(int byte, void *context)
{
    (void)byte;
    struct csv_reader *reader = context;
    reader->ended = true;
}

/* Brings more of the input into the window; what is before `start` makes room. */
static enum err fill(struct csv_reader *reader)
{
    if (reader->start > 0) {
        memmove(reader->window, reader->window + reader->start, reader->used - reader->start);
        reader->used -= reader->start;
        reader->start = 0;
    }
    while (reader->used < WINDOW && !reader->at_end) {
        size_t length = 0;
        TRY(reader->source(reader->context, reader->window + reader->used, WINDOW - reader->used,
                           &length));
        reader->used += length;
        reader->at_end = length == 0;
    }
    return OK;
}

/* Makes sure that a whole record of the longest kind is in the window, or all that is left. */
static enum err look_ahead(struct csv_reader *reader)
{
    if (reader->used - reader->start > CSV_RECORD || reader->at_end) return OK;
    return fill(reader);
}

/* The length of the line that begins `from` bytes after `start`, its LF included; 0 when it has no
 * end in sight. */
static size_t line_length(const struct csv_reader *reader, size_t from)
{
    const char *begin = reader->window + reader->start + from;
    size_t size = reader->used - reader->start - from;
    const char *end = memchr(begin, '\n', size);
    if (end != NULL) return (size_t)(end - begin) + 1;
    return reader->at_end ? size : 0;
}

static void pass(struct csv_reader *reader, size_t length, int64_t lines)
{
    reader->start += length;
    reader->offset += (int64_t)length;
    reader->line += lines;
}

/* Leaves the first line of a bad record behind, however long it is. */
static enum err pass_line(struct csv_reader *reader)
{
    for (;;) {
        size_t length = line_length(reader, 0);
        if (length > 0) {
            pass(reader, length, 1);
            return OK;
        }
        pass(reader, reader->used - reader->start, 0);
        if (reader->at_end) return OK;
        TRY(fill(reader));
    }
}

static bool is_blank_line(const char *line, size_t length)
{
    return length <= 2 &&
           (line[0] == '\n' || (line[0] == '\r' && (length == 1 || line[1] == '\n')));
}

static enum err pass_blank_lines(struct csv_reader *reader)
{
    for (;;) {
        TRY(look_ahead(reader));
        size_t length = line_length(reader, 0);
        if (length == 0 || !is_blank_line(reader->window + reader->start, length)) return OK;
        pass(reader, length, 1);
    }
}

/* Feeds one line to libcsv. For libcsv a carriage return ends a record as well, so the line is fed
 * up to each of them, and one that ends the record has to be followed by the line's end. */
static const char *feed(struct csv_reader *reader, const char *line, size_t length)
{
    struct csv_parser *parser = &reader->parser;
    const char *end = line + length;
    while (line < end && !reader->ended) {
        const char *found = memchr(line, '\r', (size_t)(end - line));
        size_t size = (size_t)((found == NULL ? end : found + 1) - line);
        if (csv_parse(parser, line, size, on_field, on_record, reader) != size) return FAULT_QUOTE;
        line += size;
    }
    if (reader->ended) return line == end || line[0] == '\n' ? NULL : FAULT_RETURN;
    if (end[-1] == '\n') return NULL;
    /* The input ends here, and so does the record, unless a quote is open. */
    return csv_parse(parser, "\n", 1, on_field, on_record, reader) == 1 ? NULL : FAULT_QUOTE;
}

/* Reads the lines of one record that begins at `start`; gives its length, or what is wrong with
 * it. */
static const char *read_record(struct csv_reader *reader, size_t *ret_length, int64_t *ret_lines)
{
    const char *begin = reader->window + reader->start;
    size_t available = reader->used - reader->start;
    size_t length = 0;
    int64_t lines = 0;
    if (begin[0] == '\r')
        return FAULT_RETURN; /* libcsv would take it for the end of an empty line */
    while (!reader->ended) {
        if (length == available && reader->at_end) return FAULT_UNCLOSED;
        size_t line = line_length(reader, length);
        if (line == 0 || length + line > CSV_RECORD) return FAULT_LONG;
        const char *fault = feed(reader, begin + length, line);
        if (fault != NULL) return fault;
        length += line;
        lines++;
    }
    *ret_length = length;
    *ret_lines = lines;
    return NULL;
}

static enum err skip_byte_order_mark(struct csv_reader *reader)
{
    TRY(look_ahead(reader));
    size_t size = sizeof(BYTE_ORDER_MARK) - 1;
    if (reader->used - reader->start >= size &&
        memcmp(reader->window + reader->start, BYTE_ORDER_MARK, size) == 0)
        pass(reader, size, 0);
    return OK;
}

enum err csv_reader_next(struct csv_reader *reader, struct csv_record *ret_record, bool *ret_more)
{
    if (reader->offset == 0) TRY(skip_byte_order_mark(reader));
    TRY(pass_blank_lines(reader));
    if (reader->start == reader->used) {
        *ret_more = false;
        return OK;
    }
    reader->field_count = 0;
    reader->text_used = 0;
    reader->ended = false;

    struct csv_record record = {.line = reader->line, .offset = reader->offset};
    size_t length = 0;
    int64_t lines = 0;
    record.fault = read_record(reader, &length, &lines);
    if (csv_error(&reader->parser) == CSV_ENOMEM) return ERR_MEMORY;
    if (record.fault == NULL) {
        pass(reader, length, lines);
    } else {
        (void)csv_fini(&reader->parser, NULL, NULL, NULL); /* forgets what it had of the record */
        reader->field_count = 0;
        TRY(pass_line(reader));
    }
    record.length = reader->offset - record.offset;
    if (record.offset == (int64_t)sizeof(BYTE_ORDER_MARK) - 1 && record.line == 1) {
        record.length += record.offset;
        record.offset = 0;
    }
    record.field_count = reader->field_count;
    record.fields = reader->fields;
    *ret_record = record;
    *ret_more = true;
    return OK;
}

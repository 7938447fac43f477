#include "cli/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/domain/money.h"
#include "common/human.h"
#include "common/utf8.h"

enum { SHOWN_DECIMALS = 2, CELL_TEXT = 96 };

struct cell {
    char *text; /* owned; NULL for numbers and for nothing */
    int64_t number;
    bool nothing;
};

struct output {
    const struct output_column *columns;
    int column_count;
    struct cell *cells; /* row by row */
    size_t cell_count, cell_capacity;
    size_t total_at; /* index of the total's first cell; SIZE_MAX without one */
    bool failed;     /* memory was short */
};

struct output *output_new(const struct output_column *columns, int column_count)
{
    ASSERT(column_count > 0 && column_count <= OUTPUT_COLUMNS);
    struct output *output = calloc(1, sizeof(*output));
    if (output == NULL) return NULL;
    output->columns = columns;
    output->column_count = column_count;
    output->total_at = SIZE_MAX;
    return output;
}

void output_free(struct output *output)
{
    if (output == NULL) return;
    for (size_t i = 0; i < output->cell_count; i++)
        free(output->cells[i].text);
    free(output->cells);
    free(output);
}

void output_cleanup(struct output **output)
{
    output_free(*output);
    *output = NULL;
}

/* The place for the next cell; NULL when memory is or was short. */
static struct cell *next_cell(struct output *output)
{
    if (output == NULL || output->failed) return NULL;
    if (output->cell_count == output->cell_capacity) {
        size_t capacity = output->cell_capacity == 0 ? 256 : output->cell_capacity * 2;
        struct cell *cells = reallocarray(output->cells, capacity, sizeof(*cells));
        if (cells == NULL) {
            output->failed = true;
            return NULL;
        }
        output->cells = cells;
        output->cell_capacity = capacity;
    }
    struct cell *cell = &output->cells[output->cell_count++];
    *cell = (struct cell){0};
    return cell;
}

static enum output_kind kind_of(const struct output *output, size_t cell_index)
{
    return output->columns[cell_index % (size_t)output->column_count].kind;
}

static bool is_textual(enum output_kind kind)
{
    return kind == OUTPUT_TEXT || kind == OUTPUT_TIME;
}

void output_text(struct output *output, const char *value)
{
    struct cell *cell = next_cell(output);
    if (cell == NULL) return;
    ASSERT(is_textual(kind_of(output, output->cell_count - 1)));
    cell->text = strdup(value);
    output->failed = cell->text == NULL;
}

void output_i64(struct output *output, int64_t value)
{
    struct cell *cell = next_cell(output);
    if (cell == NULL) return;
    ASSERT(!is_textual(kind_of(output, output->cell_count - 1)));
    cell->number = value;
}

void output_flag(struct output *output, bool value)
{
    output_i64(output, value ? 1 : 0);
}

void output_nothing(struct output *output)
{
    struct cell *cell = next_cell(output);
    if (cell != NULL) cell->nothing = true;
}

void output_total(struct output *output)
{
    if (output == NULL) return;
    ASSERT(output->total_at == SIZE_MAX);
    output->total_at = output->cell_count;
}

int64_t output_rows(const struct output *output)
{
    if (output == NULL) return 0;
    size_t end = output->total_at < output->cell_count ? output->total_at : output->cell_count;
    return (int64_t)(end / (size_t)output->column_count);
}

static bool is_broken(const struct output *output)
{
    return output == NULL || output->failed;
}

static const struct cell *cell_at(const struct output *output, int64_t row, int column)
{
    size_t index = (size_t)row * (size_t)output->column_count + (size_t)column;
    ASSERT(index < output->cell_count);
    return &output->cells[index];
}

const char *output_text_at(const struct output *output, int64_t row, int column)
{
    return cell_at(output, row, column)->text;
}

/* All rows, the total too. */
static int64_t all_rows(const struct output *output)
{
    return (int64_t)(output->cell_count / (size_t)output->column_count);
}

/* How many decimals an amount needs. */
static int decimals_of(int64_t micros)
{
    int decimals = MONEY_DECIMALS;
    while (decimals > 0 && micros % 10 == 0) {
        micros /= 10;
        decimals--;
    }
    return decimals;
}

/* Amounts of a column are written with the same number of decimals, so that they line up. */
static int column_decimals(const struct output *output, int column)
{
    int decimals = SHOWN_DECIMALS;
    for (int64_t row = 0; row < all_rows(output); row++) {
        int needed = decimals_of(cell_at(output, row, column)->number);
        if (needed > decimals) decimals = needed;
    }
    return decimals;
}

static void group_money(int64_t micros, int decimals, char ret_text[CELL_TEXT])
{
    char plain[MONEY_TEXT], whole[HUMAN_TEXT];
    money_format(micros, decimals, plain);
    const char *point = strchr(plain, '.');
    human_count(micros / MICROS_PER_UNIT, whole);
    const char *sign = micros < 0 && micros > -MICROS_PER_UNIT ? "-" : "";
    (void)text_format(ret_text, CELL_TEXT, "%s%s%s", sign, whole, point == NULL ? "" : point);
}

static void format_time(const char *iso, char ret_text[CELL_TEXT])
{
    (void)text_format(ret_text, CELL_TEXT, "%s", iso);
    size_t length = strlen(ret_text);
    if (length < 11) return;
    if (ret_text[10] == 'T') ret_text[10] = ' ';
    if (ret_text[length - 1] == 'Z') ret_text[length - 1] = '\0';
}

/* What stands in a table: the cell's own text, or one written into `buffer`. */
static const char *text_for_eyes(const struct output *output, const struct cell *cell, int column,
                                 int decimals, char buffer[CELL_TEXT])
{
    if (cell->nothing || (cell->text != NULL && cell->text[0] == '\0')) return "-";
    switch (output->columns[column].kind) {
    case OUTPUT_TEXT:
        return cell->text;
    case OUTPUT_TIME:
        format_time(cell->text, buffer);
        break;
    case OUTPUT_KEY:
        (void)text_format(buffer, CELL_TEXT, "%" PRId64, cell->number);
        break;
    case OUTPUT_COUNT:
        human_count(cell->number, buffer);
        break;
    case OUTPUT_MONEY:
        group_money(cell->number, decimals, buffer);
        break;
    case OUTPUT_SECONDS:
        human_hours(cell->number, buffer);
        break;
    case OUTPUT_DURATION:
        human_duration(cell->number, buffer);
        break;
    case OUTPUT_FLAG:
        return cell->number != 0 ? "yes" : "no";
    }
    return buffer;
}

static void print_blanks(FILE *file, int count)
{
    for (int i = 0; i < count; i++)
        fputc(' ', file);
}

static void print_cell(FILE *file, const char *text, int width, bool right, bool last)
{
    int blanks = width - human_width(text);
    if (right) print_blanks(file, blanks);
    utf8_print(file, text);
    if (!right && !last) print_blanks(file, blanks);
    fputs(last ? "\n" : "  ", file);
}

/* How a table is laid out: found in a first pass over all cells. */
struct layout {
    int width[OUTPUT_COLUMNS];
    int decimals[OUTPUT_COLUMNS];
};

static void lay_out(const struct output *output, struct layout *ret_layout)
{
    for (int column = 0; column < output->column_count; column++) {
        bool money = output->columns[column].kind == OUTPUT_MONEY;
        int decimals = money ? column_decimals(output, column) : 0;
        int width = human_width(output->columns[column].title);
        for (int64_t row = 0; row < all_rows(output); row++) {
            char buffer[CELL_TEXT];
            int needed = human_width(
                text_for_eyes(output, cell_at(output, row, column), column, decimals, buffer));
            if (needed > width) width = needed;
        }
        ret_layout->width[column] = width;
        ret_layout->decimals[column] = decimals;
    }
}

static bool is_right(enum output_kind kind)
{
    return !is_textual(kind) && kind != OUTPUT_FLAG;
}

static void print_rule(const struct output *output, const struct layout *layout, FILE *file)
{
    for (int column = 0; column < output->column_count; column++) {
        for (int i = 0; i < layout->width[column]; i++)
            fputc('-', file);
        fputs(column + 1 == output->column_count ? "\n" : "  ", file);
    }
}

static void print_row(const struct output *output, const struct layout *layout, int64_t row,
                      FILE *file)
{
    for (int column = 0; column < output->column_count; column++) {
        char buffer[CELL_TEXT];
        const char *text = text_for_eyes(output, cell_at(output, row, column), column,
                                         layout->decimals[column], buffer);
        print_cell(file, text, layout->width[column], is_right(output->columns[column].kind),
                   column + 1 == output->column_count);
    }
}

static enum err written(FILE *file)
{
    return fflush(file) == 0 && ferror(file) == 0 ? OK : ERR_IO;
}

enum err output_print_table(const struct output *output, FILE *file)
{
    if (is_broken(output)) return ERR_MEMORY;
    struct layout layout;
    lay_out(output, &layout);
    for (int column = 0; column < output->column_count; column++) {
        print_cell(file, output->columns[column].title, layout.width[column],
                   is_right(output->columns[column].kind), column + 1 == output->column_count);
    }
    print_rule(output, &layout, file);
    for (int64_t row = 0; row < all_rows(output); row++) {
        if (row == output_rows(output)) print_rule(output, &layout, file);
        print_row(output, &layout, row, file);
    }
    return written(file);
}

enum err output_print_record(const struct output *output, FILE *file)
{
    if (is_broken(output)) return ERR_MEMORY;
    int width = 0;
    for (int column = 0; column < output->column_count; column++) {
        int needed = human_width(output->columns[column].title);
        if (needed > width) width = needed;
    }
    for (int column = 0; column < output->column_count && all_rows(output) > 0; column++) {
        char buffer[CELL_TEXT];
        print_cell(file, output->columns[column].title, width, false, false);
        utf8_print(file, text_for_eyes(output, cell_at(output, 0, column), column,
                                       column_decimals(output, column), buffer));
        fputc('\n', file);
    }
    return written(file);
}

/* Whether a spreadsheet would take the text for a formula; some take the wide forms of the
 * signs. */
static bool is_formula(const char *text)
{
    static const char *const wide[] = {"＝", "＋", "－", "＠"};
    if (text[0] != '\0' && strchr("=+-@\t\r\n", text[0]) != NULL) return true;
    for (size_t i = 0; i < COUNT_OF(wide); i++)
        if (strncmp(text, wide[i], strlen(wide[i])) == 0) return true;
    return false;
}

/* A field of CSV. A text that a spreadsheet would take for a formula gets an apostrophe in front:
 * titles and names come from strangers. Numbers stay as they are. */
static void print_csv_text(FILE *file, const char *text)
{
    bool formula = is_formula(text);
    bool quoted = formula || strpbrk(text, ",\"\r\n") != NULL;
    if (quoted) fputs(formula ? "\"'" : "\"", file);
    for (size_t length; *text != '\0'; text += length) {
        length = utf8_printable(text);
        if (*text == '"') fputc('"', file);
        if (length > 0 || strchr("\t\r\n", *text) != NULL) {
            if (length == 0) length = 1;
            (void)fwrite(text, 1, length, file);
        } else {
            length = utf8_unprintable(text);
            fputc('?', file);
        }
    }
    if (quoted) fputc('"', file);
}

static void print_csv_cell(FILE *file, const struct cell *cell, enum output_kind kind)
{
    if (cell->nothing) return;
    char money[MONEY_TEXT];
    switch (kind) {
    case OUTPUT_TEXT:
    case OUTPUT_TIME:
        print_csv_text(file, cell->text);
        break;
    case OUTPUT_MONEY:
        money_format(cell->number, SHOWN_DECIMALS, money);
        fputs(money, file);
        break;
    case OUTPUT_DURATION: /* seconds: a microsecond is their millionth, as a micro is that of the currency */
        money_format(cell->number, MONEY_DECIMALS, money);
        fputs(money, file);
        break;
    case OUTPUT_FLAG:
        fputs(cell->number != 0 ? "true" : "false", file);
        break;
    case OUTPUT_KEY:
    case OUTPUT_COUNT:
    case OUTPUT_SECONDS:
        fprintf(file, "%" PRId64, cell->number);
        break;
    }
}

static const char *unit_suffix(enum output_kind kind, bool json)
{
    switch (kind) {
    case OUTPUT_MONEY:
        return json ? "_micros" : "";
    case OUTPUT_SECONDS:
        return "_s";
    case OUTPUT_DURATION:
        return json ? "_us" : "_s";
    default:
        return "";
    }
}

enum err output_print_csv(const struct output *output, FILE *file)
{
    if (is_broken(output)) return ERR_MEMORY;
    for (int column = 0; column < output->column_count; column++) {
        const struct output_column *description = &output->columns[column];
        fprintf(file, "%s%s%s", column == 0 ? "" : ",", description->name,
                unit_suffix(description->kind, false));
    }
    fputs("\r\n", file);
    for (int64_t row = 0; row < output_rows(output); row++) {
        for (int column = 0; column < output->column_count; column++) {
            if (column > 0) fputc(',', file);
            print_csv_cell(file, cell_at(output, row, column), output->columns[column].kind);
        }
        fputs("\r\n", file);
    }
    return written(file);
}

static json_t *json_cell(const struct cell *cell, enum output_kind kind)
{
    if (cell->nothing) return json_null();
    if (kind == OUTPUT_TIME && cell->text[0] == '\0') return json_null();
    if (is_textual(kind)) return output_json_text(cell->text);
    if (kind == OUTPUT_FLAG) return json_boolean(cell->number != 0);
    return json_integer(cell->number);
}

static json_t *json_row(const struct output *output, int64_t row)
{
    json_t *object = json_object();
    for (int column = 0; column < output->column_count; column++) {
        const struct output_column *description = &output->columns[column];
        char key[CELL_TEXT];
        (void)text_format(key, sizeof(key), "%s%s", description->name,
                          unit_suffix(description->kind, true));
        json_t *value = json_cell(cell_at(output, row, column), description->kind);
        if (json_object_set_new(object, key, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *output_json_rows(const struct output *output)
{
    if (is_broken(output)) return NULL;
    json_t *array = json_array();
    for (int64_t row = 0; row < output_rows(output); row++) {
        if (json_array_append_new(array, json_row(output, row)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

json_t *output_json_record(const struct output *output)
{
    if (is_broken(output) || all_rows(output) == 0) return NULL;
    return json_row(output, 0);
}

json_t *output_json_total(const struct output *output)
{
    if (is_broken(output) || output_rows(output) == all_rows(output)) return NULL;
    return json_row(output, output_rows(output));
}

static json_t *list_document(const struct output *output, json_t *head, const char *name)
{
    bool total = output_rows(output) != all_rows(output);
    if (head == NULL || json_object_set_new(head, name, output_json_rows(output)) != 0 ||
        (total && json_object_set_new(head, "total", output_json_total(output)) != 0)) {
        json_decref(head);
        return NULL;
    }
    return head;
}

enum err output_print_list(const struct output *output, enum cli_format format, json_t *head,
                           const char *name)
{
    if (is_broken(output)) {
        json_decref(head);
        return ERR_MEMORY;
    }
    if (format == CLI_FORMAT_JSON) {
        return output_print_json(list_document(output, head, name), stdout);
    }
    json_decref(head);
    if (format == CLI_FORMAT_CSV) return output_print_csv(output, stdout);
    return output_rows(output) == 0 ? OK : output_print_table(output, stdout);
}

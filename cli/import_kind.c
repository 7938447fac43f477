#include "cli/import_kind.h"

#include <string.h>

#include "cli/import_row.h"

/* The tables are those of migrations/0003_platform.sql. An id that the server would give itself
 * starts at 1: it takes 0 for "give me one". */
#define ID(column)                                                                                 \
    {                                                                                              \
        .name = (column), .type = IMPORT_INTEGER, .has_default = true, .least = 1,                 \
        .most = INT64_MAX                                                                          \
    }
/* The least number there is cannot be a key that a range begins behind. */
#define REFERENCE(column)                                                                          \
    {                                                                                              \
        .name = (column), .type = IMPORT_INTEGER, .least = -INT64_MAX, .most = INT64_MAX           \
    }
#define SECONDS(column)                                                                            \
    {                                                                                              \
        .name = (column), .type = IMPORT_INTEGER, .least = 0, .most = INT32_MAX                    \
    }
#define TEXT(column, characters)                                                                   \
    {                                                                                              \
        .name = (column), .type = IMPORT_TEXT, .most = (characters)                                \
    }
#define WORD(column, list)                                                                         \
    {                                                                                              \
        .name = (column), .type = IMPORT_WORD, .words = (list)                                     \
    }
#define TIME(column)                                                                               \
    {                                                                                              \
        .name = (column), .type = IMPORT_TIME, .has_default = true                                 \
    }

static const char *const ROLES[] = {"ANONYMOUS", "MEMBER", "CREATOR", NULL};
static const char *const STREAMING[] = {"IN_PROGRESS", "PAUSED", "STOPPED", "COMPLETED", NULL};
static const char NAMES[] = "member, content, advertisement, watch-log, ad-log";

static const struct import_kind kinds[] = {
    {.name = "member",
     .table = "member",
     .column_count = 4,
     .columns = {ID("member_id"), TEXT("email", 255), TEXT("username", 100), WORD("role", ROLES)}},
    {.name = "content",
     .table = "content_post",
     .column_count = 5,
     .columns = {ID("content_post_id"),
                 REFERENCE("member_id"),
                 TEXT("title", 255),
                 SECONDS("duration"),
                 {.name = "status", .type = IMPORT_TEXT, .has_default = true, .most = 20}}},
    {.name = "advertisement",
     .table = "advertisement",
     .column_count = 4,
     .columns = {ID("advertisement_id"),
                 REFERENCE("advertiser_id"),
                 TEXT("title", 255),
                 {.name = "price_per_view", .type = IMPORT_DECIMAL}}},
    {.name = "watch-log",
     .table = "member_content_watch_log",
     .column_count = 10,
     .columns = {ID("id"),
                 REFERENCE("member_id"),
                 REFERENCE("content_post_id"),
                 SECONDS("last_playback_position"),
                 SECONDS("total_playback_time"),
                 {.name = "watched_date", .type = IMPORT_DATE},
                 WORD("streaming_status", STREAMING),
                 {.name = "client_ip", .type = IMPORT_TEXT, .is_nullable = true, .most = 45},
                 TIME("created_at"),
                 TIME("updated_at")}},
    {.name = "ad-log",
     .table = "member_ad_watch_log",
     .column_count = 10,
     .columns = {ID("id"),
                 REFERENCE("member_id"),
                 REFERENCE("content_post_id"),
                 REFERENCE("advertisement_id"),
                 SECONDS("playback_position"),
                 {.name = "watched_date", .type = IMPORT_DATE},
                 WORD("streaming_status", STREAMING),
                 {.name = "client_ip", .type = IMPORT_TEXT, .is_nullable = true, .most = 45},
                 TIME("created_at"),
                 TIME("updated_at")}},
};

const struct import_kind *import_kind_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}

const char *import_kind_names(void)
{
    return NAMES;
}

static const struct import_column *column_named(const struct import_kind *kind,
                                                const struct csv_field *field)
{
    for (int i = 0; i < kind->column_count; i++) {
        const char *name = kind->columns[i].name;
        if (strlen(name) == field->length && memcmp(name, field->text, field->length) == 0)
            return &kind->columns[i];
    }
    return NULL;
}

static bool has_column(const struct import_layout *layout, const struct import_column *column)
{
    for (int i = 0; i < layout->field_count; i++)
        if (layout->columns[i] == column) return true;
    return false;
}

static void list_columns(const struct import_kind *kind, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < kind->column_count; i++) {
        if (!text_format(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                         kind->columns[i].name))
            return;
        used += strlen(text + used);
    }
}

static enum err unknown_column(const struct import_kind *kind, const struct csv_field *field,
                               struct detail *detail)
{
    char columns[400];
    char shown[IMPORT_SHOWN];
    list_columns(kind, columns, sizeof(columns));
    return detail_set(detail, ERR_INVALID,
                      "the header names the column '%s', which the table %s does not have; it has: "
                      "%s",
                      import_show(field, shown), kind->table, columns);
}

static enum err check_complete(const struct import_layout *layout, struct detail *detail)
{
    for (int i = 0; i < layout->kind->column_count; i++) {
        const struct import_column *column = &layout->kind->columns[i];
        if (column->has_default || column->is_nullable || has_column(layout, column)) continue;
        return detail_set(detail, ERR_INVALID,
                          "the header does not name the column %s, which the table %s needs",
                          column->name, layout->kind->table);
    }
    return OK;
}

enum err import_layout_read(const struct import_kind *kind, const struct csv_record *header,
                            struct import_layout *ret_layout, struct detail *detail)
{
    struct import_layout layout = {.kind = kind};
    if (header->fault != NULL)
        return detail_set(detail, ERR_INVALID, "the header cannot be read: %s", header->fault);
    for (int i = 0; i < header->field_count && i < CSV_FIELDS; i++) {
        const struct import_column *column = column_named(kind, &header->fields[i]);
        if (column == NULL) return unknown_column(kind, &header->fields[i], detail);
        if (has_column(&layout, column))
            return detail_set(detail, ERR_INVALID, "the header names the column %s twice",
                              column->name);
        layout.columns[layout.field_count++] = column;
    }
    TRY(check_complete(&layout, detail));
    *ret_layout = layout;
    return OK;
}

void import_layout_sql(const struct import_layout *layout, char ret_sql[IMPORT_SQL])
{
    char names[IMPORT_SQL / 2] = "";
    char marks[4 * IMPORT_COLUMNS] = "";
    size_t names_used = 0;
    size_t marks_used = 0;
    for (int i = 0; i < layout->field_count; i++) {
        const char *comma = i > 0 ? ", " : "";
        bool fits = text_format(names + names_used, sizeof(names) - names_used, "%s%s", comma,
                                layout->columns[i]->name) &&
                    text_format(marks + marks_used, sizeof(marks) - marks_used, "%s?", comma);
        ASSERT(fits);
        names_used += strlen(names + names_used);
        marks_used += strlen(marks + marks_used);
    }
    bool fits = text_format(ret_sql, IMPORT_SQL, "INSERT INTO %s (%s) VALUES (%s)",
                            layout->kind->table, names, marks);
    ASSERT(fits);
}

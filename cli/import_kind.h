/* What can be imported: for each kind its table and that table's columns, with the type, the bounds
 * and the default that the schema gives them, and the way from a file's header to an INSERT. Names
 * that go into SQL come from this table and never from a file. Pure; everything is constant. */
#ifndef CLI_IMPORT_KIND_H
#define CLI_IMPORT_KIND_H

#include "common/csv_reader.h"

enum { IMPORT_COLUMNS = 12, IMPORT_SQL = 1024 };

enum import_type {
    IMPORT_INTEGER, /* least to most */
    IMPORT_TEXT,    /* 1 to `most` characters */
    IMPORT_WORD,    /* one of `words` */
    IMPORT_DATE,
    IMPORT_TIME,
    IMPORT_DECIMAL /* DECIMAL(18,6), not negative */
};

struct import_column {
    const char *name;
    enum import_type type;
    bool has_default; /* a header may leave it out */
    bool is_nullable; /* likewise, and an empty field is NULL */
    int64_t least, most;
    const char *const *words; /* ends with NULL */
};

struct import_kind {
    const char *name, *table;
    int column_count;
    struct import_column columns[IMPORT_COLUMNS];
};

/* NULL when there is no such kind. */
const struct import_kind *import_kind_find(const char *name);

/* "member, content, …" for messages. */
const char *import_kind_names(void);

/* The columns that a file's fields are, in the file's order. */
struct import_layout {
    const struct import_kind *kind;
    int field_count;
    const struct import_column *columns[IMPORT_COLUMNS];
};

/* Understands a header. ERR_INVALID names an unknown, repeated or missing column. */
enum err import_layout_read(const struct import_kind *kind, const struct csv_record *header,
                            struct import_layout *ret_layout, struct detail *detail) MUST_CHECK;

/* "INSERT INTO table (…) VALUES (?, …)" with the columns of the layout, in its order. */
void import_layout_sql(const struct import_layout *layout, char ret_sql[IMPORT_SQL]);

#endif

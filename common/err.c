#include "common/err.h"

#include "common/base.h"

struct err_row {
    const char *name;
    const char *text;
    enum err_class class;
};

static const struct err_row rows[] = {
#define ERR_ROW(code, class, sentence) [code] = {#code, sentence, CLASS_##class},
    ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

static const struct err_row *row_of(enum err err)
{
    ASSERT((size_t)err < COUNT_OF(rows));
    return &rows[err];
}

const char *err_name(enum err err)
{
    return row_of(err)->name;
}

const char *err_text(enum err err)
{
    return row_of(err)->text;
}

enum err_class err_class(enum err err)
{
    return row_of(err)->class;
}

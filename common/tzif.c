#include "common/tzif.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/utf8.h"

/* The largest file of the tz database has 4 kB. */
enum {
    FILE_SIZE_MAX = 128 * 1024,
    HEADER_SIZE = 44,
    TYPE_SIZE = 6,
    RULE_SIZE = 128,
    SHOWN_LIMIT = 60
};

static const char MAGIC[] = "TZif";

/* The counts of a header, in the order of the file. */
struct counts {
    uint32_t ut_flags, standard_flags, leaps, transitions, types, letters;
};

/* One of the two blocks of a file: its counts, where its data begin, and how wide a time is in
 * it. */
struct block {
    struct counts counts;
    const unsigned char *data;
    size_t time_size, size;
};

/* What is left of the bytes. */
struct bytes {
    const unsigned char *at;
    size_t left;
};

static uint32_t read_u32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_time(const unsigned char *at, size_t size)
{
    if (size == 4) return (int32_t)read_u32(at);
    return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

static bool take_block(struct bytes *bytes, size_t time_size, struct block *ret_block)
{
    const unsigned char *at = bytes->at;
    if (bytes->left < HEADER_SIZE || memcmp(at, MAGIC, strlen(MAGIC)) != 0) return false;
    struct counts counts = {read_u32(at + 20), read_u32(at + 24), read_u32(at + 28),
                            read_u32(at + 32), read_u32(at + 36), read_u32(at + 40)};
    uint64_t size = (uint64_t)counts.transitions * (time_size + 1) +
                    (uint64_t)counts.types * TYPE_SIZE + counts.letters +
                    (uint64_t)counts.leaps * (time_size + 4) + counts.standard_flags +
                    counts.ut_flags;
    if (counts.types == 0 || size > bytes->left - HEADER_SIZE) return false;
    *ret_block = (struct block){counts, at + HEADER_SIZE, time_size, (size_t)size};
    bytes->at += HEADER_SIZE + size;
    bytes->left -= HEADER_SIZE + (size_t)size;
    return true;
}

/* The rule stands between two newlines. */
static bool take_rule(struct bytes *bytes, char ret_rule[RULE_SIZE])
{
    if (bytes->left < 2 || bytes->at[0] != '\n') return false;
    const unsigned char *end = memchr(bytes->at + 1, '\n', bytes->left - 1);
    if (end == NULL || memchr(bytes->at, '\0', (size_t)(end - bytes->at)) != NULL) return false;
    return text_format(ret_rule, RULE_SIZE, "%.*s", (int)(end - bytes->at - 1),
                       (const char *)bytes->at + 1);
}

static int32_t offset_of_type(const struct block *block, uint32_t type)
{
    const unsigned char *types =
        block->data + (size_t)block->counts.transitions * (block->time_size + 1);
    return (int32_t)read_u32(types + (size_t)type * TYPE_SIZE);
}

static enum err make_zone(const struct block *block, const char *rule, struct zone **ret_zone,
                          struct detail *detail)
{
    uint32_t count = block->counts.transitions;
    const unsigned char *types = block->data + (size_t)count * block->time_size;
    CLEANUP(free_pointer) struct zone_transition *transitions = NULL;
    transitions = malloc(((size_t)count + 1) * sizeof(*transitions));
    if (transitions == NULL) return detail_set(detail, ERR_MEMORY, "out of memory");
    size_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t at_s = read_time(block->data + (size_t)i * block->time_size, block->time_size);
        if (types[i] >= block->counts.types)
            return detail_set(detail, ERR_INVALID, "its file is damaged");
        if (at_s <= ZONE_BEGIN_S) continue;
        transitions[kept++] = (struct zone_transition){at_s, offset_of_type(block, types[i])};
    }
    const struct zone_table table = {offset_of_type(block, 0), transitions, kept, rule};
    return zone_new(&table, ret_zone, detail);
}

/* Since version 2 a second block with wider times follows the first one, and after it the rule. */
enum err tzif_parse(const unsigned char *bytes, size_t size, struct zone **ret_zone,
                    struct detail *detail)
{
    struct bytes rest = {bytes, size};
    struct block block;
    char rule[RULE_SIZE] = "";
    bool good = take_block(&rest, 4, &block);
    if (good && bytes[4] >= '2') good = take_block(&rest, 8, &block) && take_rule(&rest, rule);
    if (!good) return detail_set(detail, ERR_INVALID, "its file is damaged, or none of a zone");
    if (block.counts.leaps > 0)
        return detail_set(detail, ERR_INVALID,
                          "it counts leap seconds, which the database does not");
    return make_zone(&block, rule, ret_zone, detail);
}

/* Every name begins with a capital, which tells it from the folder's other files (posixrules,
 * zone.tab) and from right/, whose zones count leap seconds. */
bool tzif_name_has_shape(const char *name)
{
    if (!isupper((unsigned char)name[0])) return false;
    for (const char *at = name; *at != '\0'; at++) {
        bool slash = *at == '/';
        if (slash && !isalnum((unsigned char)at[1])) return false;
        if (!slash && !isalnum((unsigned char)*at) && strchr("_+-", *at) == NULL) return false;
    }
    return true;
}

static void close_descriptor(const int *file)
{
    if (*file >= 0) close(*file);
}

/* 0 when the file is read, else an errno. A file of exactly the buffer's size is taken for too
 * long. */
static int read_file(const char *path, unsigned char *buffer, size_t size, size_t *ret_length)
{
    CLEANUP(close_descriptor) int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0) return errno;
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(file, buffer + length, size - length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (got == 0) break;
        length += (size_t)got;
    }
    if (length == size) return EFBIG;
    *ret_length = length;
    return 0;
}

static enum err load_utc(struct zone **ret_zone, struct detail *detail)
{
    static const struct zone_table utc = {.rule = ""};
    return zone_new(&utc, ret_zone, detail);
}

enum err tzif_load(const char *folder, const char *name, struct zone **ret_zone,
                   struct detail *detail)
{
    char path[PATH_MAX];
    if (strcmp(name, "UTC") == 0) return load_utc(ret_zone, detail);
    if (!tzif_name_has_shape(name) || !text_format(path, sizeof(path), "%s/%s", folder, name)) {
        char shown[UTF8_SHOWN(SHOWN_LIMIT)];
        return detail_set(detail, ERR_INVALID,
                          "there is no time zone \"%s\"; write a name below %s",
                          utf8_show(name, strlen(name), SHOWN_LIMIT, shown), folder);
    }
    CLEANUP(free_pointer) unsigned char *bytes = malloc(FILE_SIZE_MAX);
    if (bytes == NULL) return detail_set(detail, ERR_MEMORY, "out of memory");
    size_t size = 0;
    int error = read_file(path, bytes, FILE_SIZE_MAX, &size);
    if (error != 0) {
        return detail_set(detail, ERR_IO,
                          "time zone %s: %s cannot be read: %s; write the name of another zone, or "
                          "install the package tzdata",
                          name, path, strerror(error));
    }
    struct detail problem = {""};
    enum err err = tzif_parse(bytes, size, ret_zone, &problem);
    if (err == OK) return OK;
    return detail_set(detail, err, "time zone %s (%s): %s; install the package tzdata anew", name,
                      path, problem.text);
}

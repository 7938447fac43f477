/* Without this every event would carry its place in the code, which is always this file. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include "common/log.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/utf8.h"

/* A line fits a pipe's atomic write, so that lines of several writers never mix. What does not fit
 * is cut, and said to be so in the room that is kept for it. */
enum { LINE_SIZE = PIPE_BUF, LINE_RESERVE = 32, FIELDS_MAX = 24, FIELD_SIZE = 1280 };

static const char CUT[] = " cut=true";
static const char ID_NAMESPACE[] = "settlementd:event:";
static const char JOURNAL_SOCKET[] = "/run/systemd/journal/socket";

static const struct {
    const char *name;
    int priority; /* of syslog, which the journal uses */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},
    [LOG_LEVEL_WARN] = {"warn", LOG_WARNING},
    [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

static atomic_int threshold = LOG_LEVEL_INFO;
static atomic_bool to_journal = false;

struct field {
    const char *name, *value;
};

struct fields {
    struct field list[FIELDS_MAX];
    int count;
};

struct line {
    char text[LINE_SIZE];
    size_t length;
    bool cut;
};

/* systemd names the stream that it connected by device and inode; stderr may have been pointed
 * elsewhere since. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0) return false;
    char expected[64];
    (void)text_format(expected, sizeof(expected), "%ju:%ju", (uintmax_t)status.st_dev,
                      (uintmax_t)status.st_ino);
    return strcmp(stream, expected) == 0;
}

/* libsystemd drops events in silence where no journal runs; then stderr has to do. */
static bool wants_journal(int format)
{
    if (format == LOG_FORMAT_JOURNAL) return access(JOURNAL_SOCKET, F_OK) == 0;
    return format == LOG_FORMAT_AUTO && stderr_is_journal();
}

void log_init(enum log_level level, int format)
{
    ASSERT((size_t)level < COUNT_OF(levels));
    atomic_store(&threshold, (int)level);
    atomic_store(&to_journal, wants_journal(format));
}

const char *log_level_name(enum log_level level)
{
    ASSERT((size_t)level < COUNT_OF(levels));
    return levels[level].name;
}

const char *log_int(char *buffer, size_t size, int64_t value)
{
    ASSERT(text_format(buffer, size, "%" PRId64, value));
    return buffer;
}

/* Adds all of the text or, when it would reach into the reserve, nothing from here on. */
static void add(struct line *line, const char *text, size_t length)
{
    if (line->cut || line->length + length > LINE_SIZE - LINE_RESERVE) {
        line->cut = true;
        return;
    }
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

static void add_text(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

/* What ends a line takes no account of what was cut; the reserve holds all of it together. */
static void close_with(struct line *line, const char *text)
{
    size_t length = strlen(text);
    ASSERT(line->length + length <= LINE_SIZE);
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

/* Quotes and backslashes matter only to who reads a quoted value. */
static void add_escaped(struct line *line, const char *text, bool quoted)
{
    for (const char *at = text; *at != '\0' && !line->cut;) {
        size_t length = utf8_printable(at);
        char escape[8];
        if (quoted && (*at == '"' || *at == '\\'))
            (void)text_format(escape, sizeof(escape), "\\%c", *at);
        else if (*at == '\n')
            (void)text_format(escape, sizeof(escape), "\\n");
        else if (*at == '\t')
            (void)text_format(escape, sizeof(escape), "\\t");
        else if (length == 0)
            (void)text_format(escape, sizeof(escape), "\\x%02x", (unsigned)(unsigned char)*at);
        else
            escape[0] = '\0';
        if (escape[0] == '\0')
            add(line, at, length);
        else
            add_text(line, escape);
        at += length > 0 ? length : 1;
    }
}

/* Whether a value can stand without quotes: one word that no reader of key=value could take for
 * more. */
static bool is_word(const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("_-+.,:/@%", *at) == NULL) return false;
    }
    return value[0] != '\0';
}

static void add_quoted(struct line *line, const char *value)
{
    add_text(line, "\"");
    bool opened = !line->cut;
    add_escaped(line, value, true);
    if (opened) close_with(line, "\"");
}

static void add_field(struct line *line, const char *name, const char *value)
{
    if (line->length > 0) add_text(line, " ");
    add_text(line, name);
    add_text(line, "=");
    if (line->cut) return;
    if (is_word(value))
        add_text(line, value);
    else
        add_quoted(line, value);
}

static void add_fields(struct line *line, const struct fields *fields)
{
    for (int i = 0; i < fields->count && !line->cut; i++) {
        add_field(line, fields->list[i].name, fields->list[i].value);
    }
}

static void format_now(char *ret_text, size_t size)
{
    int64_t now_us = clock_wall_us(&clock_system);
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm date;
    char day[32];
    if (gmtime_r(&seconds, &date) == NULL || strftime(day, sizeof(day), "%FT%T", &date) == 0)
        day[0] = '\0';
    (void)text_format(ret_text, size, "%s.%06dZ", day, (int)(now_us % 1000000));
}

static void write_to_stderr(enum log_level level, const char *event, const char *message,
                            const struct fields *fields)
{
    char now[64];
    struct line line = {.length = 0};
    format_now(now, sizeof(now));
    add_field(&line, "time", now);
    add_field(&line, "level", log_level_name(level));
    add_field(&line, "event", event);
    add_text(&line, " msg=");
    add_quoted(&line, message);
    add_fields(&line, fields);
    if (line.cut) close_with(&line, CUT);
    close_with(&line, "\n");
    while (write(STDERR_FILENO, line.text, line.length) < 0 && errno == EINTR)
        continue;
}

void log_message_id(const char *event, char ret_id[LOG_MESSAGE_ID])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[256];
    ASSERT(text_format(text, sizeof(text), "%s%s", ID_NAMESPACE, event));
    int hashed = EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL);
    ASSERT(hashed == 1);
    for (size_t i = 0; i < (LOG_MESSAGE_ID - 1) / 2; i++)
        (void)text_format(ret_id + 2 * i, 3, "%02x", digest[i]);
}

/* The journal keeps values as they are, of any length; a field is cut only to keep the memory
 * bounded. Names become what the journal allows: capitals, digits and '_'. */
static struct iovec journal_field(char *buffer, size_t size, const char *name, const char *value)
{
    size_t length = strlen(name);
    (void)text_format(buffer, size, "%s=%s", name, value);
    for (size_t i = 0; i < length; i++) {
        buffer[i] = isalnum((unsigned char)name[i]) ? (char)toupper((unsigned char)name[i]) : '_';
    }
    return (struct iovec){.iov_base = buffer, .iov_len = strlen(buffer)};
}

/* The message carries the fields as well: what people see of an event is its message. */
static bool write_to_journal(enum log_level level, const char *event, const char *message,
                             const struct fields *fields)
{
    enum { OWN_FIELDS = 4 };
    char values[FIELDS_MAX][FIELD_SIZE], priority[32], event_field[128];
    char id[LOG_MESSAGE_ID], id_field[64];
    struct iovec vectors[OWN_FIELDS + FIELDS_MAX];
    struct line line = {.length = 0};
    add_text(&line, "MESSAGE=");
    add_escaped(&line, message, false);
    add_fields(&line, fields);
    if (line.cut) close_with(&line, CUT);

    vectors[0] = (struct iovec){.iov_base = line.text, .iov_len = line.length};
    vectors[1] =
        journal_field(priority, sizeof(priority), "PRIORITY", LOG_INT(levels[level].priority));
    vectors[2] = journal_field(event_field, sizeof(event_field), "EVENT", event);
    log_message_id(event, id);
    vectors[3] = journal_field(id_field, sizeof(id_field), "MESSAGE_ID", id);
    for (int i = 0; i < fields->count; i++) {
        const struct field *field = &fields->list[i];
        vectors[OWN_FIELDS + i] =
            journal_field(values[i], sizeof(values[i]), field->name, field->value);
    }
    return sd_journal_sendv(vectors, OWN_FIELDS + fields->count) >= 0;
}

void log_event(enum log_level level, const char *event, const char *message, ...)
{
    if ((int)level > atomic_load(&threshold)) return;
    int saved_errno = errno;
    struct fields fields = {.count = 0};
    va_list arguments;
    va_start(arguments, message);
    for (const char *name; (name = va_arg(arguments, const char *)) != NULL; fields.count++) {
        const char *value = va_arg(arguments, const char *);
        ASSERT(islower((unsigned char)name[0]) && fields.count < FIELDS_MAX);
        fields.list[fields.count] = (struct field){name, value == NULL ? "" : value};
    }
    va_end(arguments);
    if (!atomic_load(&to_journal) || !write_to_journal(level, event, message, &fields))
        write_to_stderr(level, event, message, &fields);
    errno = saved_errno;
}

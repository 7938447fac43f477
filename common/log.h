/* Log lines for people and machines: key=value, one line an event, never a line a row. Control
 * characters in values are escaped, so that no value can forge a line. To the journal with native
 * fields when stderr is connected to it (format "auto"), to stderr otherwise. Any thread may call;
 * a line is written with one write. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/base.h"

enum { LOG_MESSAGE_ID = 33 };

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Sets level and destination for the whole process; called at start and at reload. `format` is an
 * enum log_format. */
void log_init(enum log_level level, int format);

/* "error", "warn", "info", "debug". */
const char *log_level_name(enum log_level level);

/* Writes one event: `event` is a short fixed name ("step-ended"), the message a sentence, then
 * pairs of name and value ending with NULL: log_event(LOG_LEVEL_INFO, "step-ended", "the step
 * ended", "step", name, NULL). All values are texts. In the journal, names become upper-case
 * fields. */
void log_event(enum log_level level, const char *event, const char *message, ...)
    __attribute__((sentinel));

/* The journal's MESSAGE_ID of a kind of event, 32 hexadecimal digits: the first half of the SHA-256
 * of "settlementd:event:NAME". It depends on the name alone, so that it stays what it is from
 * version to version; docs/operations.md lists them all. */
void log_message_id(const char *event, char ret_id[LOG_MESSAGE_ID]);

/* Formats an integer for log_event; the text lives in a buffer given by the caller. */
const char *log_int(char *buffer, size_t size, int64_t value);
#define LOG_INT(value) log_int((char[24]){0}, 24, (value))

#endif

#include "common/config_text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* A number of this many digits may be wider than 32 bits and is marked as such with the suffix that
 * libconfig knows. */
enum { WIDE_DIGITS = 10 };

/* Twice as deep as any option. */
enum { DEPTH_MAX = 8 };

static void close_descriptor(const int *file)
{
    if (*file >= 0) close(*file);
}

static enum err cannot_read(const char *path, struct detail *detail)
{
    return detail_set(detail, ERR_CONFIG, "%s: cannot be read: %s; check the name and the rights",
                      path, strerror(errno));
}

enum err config_text_read(const char *path, char *ret_buffer, size_t size, size_t *ret_length,
                          struct detail *detail)
{
    CLEANUP(close_descriptor) int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0) return cannot_read(path, detail);
    struct stat status;
    if (fstat(file, &status) != 0) return cannot_read(path, detail);
    if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) {
        return detail_set(detail, ERR_CONFIG, "%s: is %s; name a file", path,
                          S_ISDIR(status.st_mode) ? "a directory" : "not a regular file");
    }
    /* Whoever writes it decides to which server the password goes. */
    if (S_ISREG(status.st_mode) && (status.st_mode & S_IWOTH) != 0) {
        return detail_set(
            detail, ERR_CONFIG,
            "%s: anybody on this machine may write it; take that right away: chmod o-w", path);
    }
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(file, ret_buffer + length, size - length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot_read(path, detail);
        if (got == 0) break;
        length += (size_t)got;
    }
    if (length >= size) {
        return detail_set(detail, ERR_CONFIG, "%s: is longer than %zu bytes; is it the right file?",
                          path, size - 1);
    }
    ret_buffer[length] = '\0';
    *ret_length = length;
    return OK;
}

struct scanner {
    const char *name;
    const char *at; /* ends with NUL */
    char *copy;
    unsigned line;
    char last;            /* the last byte that was neither blank nor comment */
    char open[DEPTH_MAX]; /* the brackets that are open */
    int depth;
    struct detail *detail;
};

static void take(struct scanner *scanner)
{
    if (*scanner->at == '\n') scanner->line++;
    *scanner->copy++ = *scanner->at++;
}

static void take_many(struct scanner *scanner, size_t count)
{
    for (size_t i = 0; i < count && *scanner->at != '\0'; i++)
        take(scanner);
}

static enum err refuse(const struct scanner *scanner, unsigned line, const char *problem)
{
    return detail_set(scanner->detail, ERR_CONFIG, "%s:%u: %s", scanner->name, line, problem);
}

/* libconfig loses the memory of a text that it meets where none can be: it may follow what
 * announces a value, or another text that it continues. A comma announces one in a list only. */
static bool text_may_begin(const struct scanner *scanner)
{
    char inside = '{';
    if (scanner->depth > 0) inside = scanner->open[scanner->depth - 1];
    if (scanner->last == ',') return inside != '{';
    return scanner->last != '\0' && strchr("=:([\"", scanner->last) != NULL;
}

static enum err take_text(struct scanner *scanner)
{
    unsigned opened = scanner->line;
    if (!text_may_begin(scanner)) {
        return refuse(
            scanner, opened,
            "a text is out of place here; look for a missing '=' or a double quote too many");
    }
    take(scanner);
    while (*scanner->at != '\0' && *scanner->at != '"') {
        if (strncasecmp(scanner->at, "\\x00", 4) == 0)
            return refuse(scanner, scanner->line, "\\x00 would end the text early; remove it");
        take_many(scanner, *scanner->at == '\\' ? 2 : 1);
    }
    if (*scanner->at == '\0')
        return refuse(scanner, opened, "this text is not closed; end it with a double quote");
    take(scanner);
    return OK;
}

static enum err take_block_comment(struct scanner *scanner)
{
    unsigned opened = scanner->line;
    take_many(scanner, 2);
    while (*scanner->at != '\0' && strncmp(scanner->at, "*/", 2) != 0)
        take(scanner);
    if (*scanner->at == '\0')
        return refuse(scanner, opened, "this comment is not closed; end it with */");
    take_many(scanner, 2);
    return OK;
}

/* Fractions, hexadecimal numbers and numbers that carry the suffix already are passed on as they
 * are. */
static void take_number(struct scanner *scanner)
{
    size_t digits = strspn(scanner->at, "0123456789");
    take_many(scanner, digits);
    bool plain = *scanner->at == '\0' || strchr(".eExXL", *scanner->at) == NULL;
    if (plain && digits >= WIDE_DIGITS) *scanner->copy++ = 'L';
    while (!plain && (isalnum((unsigned char)*scanner->at) || *scanner->at == '.'))
        take(scanner);
}

static void take_name(struct scanner *scanner)
{
    while (isalnum((unsigned char)*scanner->at) ||
           (*scanner->at != '\0' && strchr("-_*", *scanner->at) != NULL))
        take(scanner);
}

static enum err take_bracket(struct scanner *scanner)
{
    bool opens = strchr("{([", *scanner->at) != NULL;
    if (opens && scanner->depth == DEPTH_MAX)
        return refuse(scanner, scanner->line, "this is deeper than any option; remove it");
    if (opens) scanner->open[scanner->depth++] = *scanner->at;
    if (!opens && scanner->depth > 0) scanner->depth--;
    take(scanner);
    return OK;
}

static enum err take_token(struct scanner *scanner)
{
    const char *at = scanner->at;
    if (*at == '"') return take_text(scanner);
    if (strchr("{([])}", *at) != NULL) return take_bracket(scanner);
    if (strncmp(at, "@include", 8) == 0) {
        return refuse(scanner, scanner->line,
                      "@include is not followed; write the options into this file");
    }
    if (isdigit((unsigned char)*at) || *at == '.')
        take_number(scanner);
    else if (isalpha((unsigned char)*at) || *at == '*')
        take_name(scanner);
    else
        take(scanner);
    return OK;
}

static enum err take_next(struct scanner *scanner)
{
    if (strncmp(scanner->at, "/*", 2) == 0) return take_block_comment(scanner);
    if (*scanner->at == '#' || strncmp(scanner->at, "//", 2) == 0) {
        take_many(scanner, strcspn(scanner->at, "\n"));
    } else if (isspace((unsigned char)*scanner->at)) {
        take(scanner);
    } else {
        TRY(take_token(scanner));
        scanner->last = scanner->at[-1];
    }
    return OK;
}

enum err config_text_prepare(const char *name, const char *text, size_t length, char **ret_copy,
                             struct detail *detail)
{
    struct scanner scanner = {.name = name, .at = text, .line = 1, .detail = detail};
    CLEANUP(free_pointer) char *copy = malloc(length + length / WIDE_DIGITS + 2);
    if (copy == NULL) return detail_set(detail, ERR_MEMORY, "%s: out of memory", name);

    scanner.copy = copy;
    while (*scanner.at != '\0')
        TRY(take_next(&scanner));
    if ((size_t)(scanner.at - text) < length) {
        return refuse(&scanner, scanner.line,
                      "there is a NUL byte in this line; is this the right file?");
    }
    *scanner.copy++ = '\n'; /* libconfig does not know a comment that ends with the file */
    *scanner.copy = '\0';
    *ret_copy = copy;
    copy = NULL;
    return OK;
}

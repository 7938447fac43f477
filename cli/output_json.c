/* The part of output.h that writes documents. */
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "common/utf8.h"

json_t *output_json_text(const char *text)
{
    if (utf8_is_valid(text)) return json_string(text);
    CLEANUP(free_pointer) char *copy = strdup(text);
    if (copy == NULL) return NULL;
    utf8_clean(copy);
    return json_string(copy);
}

/* As JSON has it: above U+FFFF in two halves. */
static void print_escape(FILE *file, unsigned code)
{
    if (code > 0xFFFF) {
        fprintf(file, "\\u%04x", 0xD800 + ((code - 0x10000) >> 10));
        code = 0xDC00 + (code & 0x3FF);
    }
    fprintf(file, "\\u%04x", code);
}

/* Whatever is not ASCII stands in a string, and so does DEL, which are the only ones to be escaped:
 * the library has escaped what is below a blank. */
static void print_escaped(FILE *file, const char *text)
{
    while (*text != '\0') {
        size_t length = utf8_printable(text);
        if (length == 0 && *text != '\n') {
            length = utf8_unprintable(text);
            print_escape(file, utf8_decode(text));
        } else {
            if (length == 0) length = 1;
            (void)fwrite(text, 1, length, file);
        }
        text += length;
    }
}

/* Not with json_dumps, which gives part of a document when memory is short. */
static enum err write_document(const json_t *document, char **ret_text)
{
    size_t size = 0;
    FILE *memory = open_memstream(ret_text, &size);
    if (memory == NULL) return ERR_MEMORY;
    int failed = json_dumpf(document, memory, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    return fclose(memory) == 0 && failed == 0 ? OK : ERR_MEMORY;
}

enum err output_print_json(json_t *document, FILE *file)
{
    CLEANUP(free_pointer) char *text = NULL;
    if (document == NULL) return ERR_MEMORY;
    enum err err = write_document(document, &text);
    json_decref(document);
    if (err != OK) return err;
    print_escaped(file, text);
    fputc('\n', file);
    return fflush(file) == 0 && ferror(file) == 0 ? OK : ERR_IO;
}

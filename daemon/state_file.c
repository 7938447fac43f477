#include "daemon/state_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { FORMAT = 1, FILE_MODE = 0644, LIBRARY_ERROR = 120, LOCK_TRIES = 50, LOCK_PAUSE_MS = 20 };

struct state_file {
    pthread_mutex_t mutex;
    int lock; /* the file that processes take turns by */
    char directory[STATE_PATH], path[STATE_PATH], lock_path[STATE_PATH], new_path[STATE_PATH];
};

/* A database's name may hold anything; a file's may not. */
static void escape(const char *name, char *ret_text, size_t size)
{
    size_t used = 0;
    ret_text[0] = '\0';
    for (const unsigned char *at = (const unsigned char *)name; *at != '\0' && used + 4 < size;
         at++) {
        bool plain = isalnum(*at) || *at == '_' || *at == '-';
        (void)text_format(ret_text + used, size - used, plain ? "%c" : "%%%02X", *at);
        used += strlen(ret_text + used);
    }
}

static bool make_paths(struct state_file *file, const char *directory, const char *database)
{
    char name[STATE_PATH];
    escape(database, name, sizeof(name));
    return text_format(file->directory, STATE_PATH, "%s", directory) &&
           text_format(file->path, STATE_PATH, "%s/acknowledged-%s.json", directory, name) &&
           text_format(file->lock_path, STATE_PATH, "%s.lock", file->path) &&
           text_format(file->new_path, STATE_PATH, "%s.new", file->path);
}

enum err state_file_new(const char *directory, const char *database, struct state_file **ret_file,
                        struct detail *detail)
{
    struct state_file *file = calloc(1, sizeof(*file));
    if (file == NULL) return ERR_MEMORY;
    int failed = pthread_mutex_init(&file->mutex, NULL);
    ASSERT(failed == 0);
    file->lock = -1;
    errno = ENAMETOOLONG;
    if (make_paths(file, directory, database))
        file->lock = open(file->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (file->lock < 0 || access(directory, W_OK) != 0) {
        enum err err = detail_set(
            detail, ERR_CONFIG,
            "the state directory %s cannot be written: %s; make it and give it to the user of the "
            "daemon, or run this as that user",
            directory, strerror(errno));
        state_file_free(file);
        return err;
    }
    *ret_file = file;
    return OK;
}

void state_file_free(struct state_file *file)
{
    if (file == NULL) return;
    if (file->lock >= 0) (void)close(file->lock);
    pthread_mutex_destroy(&file->mutex);
    free(file);
}

const char *state_file_path(const struct state_file *file)
{
    return file->path;
}

enum err state_file_lock(struct state_file *file, struct detail *detail)
{
    pthread_mutex_lock(&file->mutex);
    const struct timespec pause = {.tv_nsec = (long)LOCK_PAUSE_MS * 1000000};
    for (int try = 0; try < LOCK_TRIES; try++) {
        if (flock(file->lock, LOCK_EX | LOCK_NB) == 0) return OK;
        (void)nanosleep(&pause, NULL);
    }
    pthread_mutex_unlock(&file->mutex);
    return detail_set(detail, ERR_IO, "%s cannot be locked: %s", file->lock_path, strerror(errno));
}

void state_file_unlock(struct state_file *file)
{
    (void)flock(file->lock, LOCK_UN);
    pthread_mutex_unlock(&file->mutex);
}

/* ---- reading ---- */

static void json_cleanup(json_t **json)
{
    json_decref(*json);
}

static bool take_text(const json_t *object, const char *key, char *ret_text, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && text_format(ret_text, size, "%s", text);
}

static bool take_number(const json_t *object, const char *key, int64_t *ret_number)
{
    const json_t *number = json_object_get(object, key);
    *ret_number = json_integer_value(number);
    return json_is_integer(number);
}

static bool take_entry(const json_t *object, struct state_entry *ret_entry)
{
    struct state_entry *entry = ret_entry;
    return take_number(object, "id", &entry->id) &&
           take_text(object, "token", entry->token, sizeof(entry->token)) &&
           take_text(object, "kind", entry->kind, sizeof(entry->kind)) &&
           take_number(object, "execution", &entry->job_execution_id) &&
           take_text(object, "job", entry->job_name, sizeof(entry->job_name)) &&
           take_text(object, "date", entry->target_date, sizeof(entry->target_date)) &&
           take_text(object, "step", entry->step_name, sizeof(entry->step_name)) &&
           take_text(object, "status", entry->status, sizeof(entry->status));
}

static bool take_state(const json_t *document, struct state *ret_state)
{
    const json_t *entries = json_object_get(document, "acknowledged");
    int64_t format = 0, before = 0;
    if (!take_number(document, "format", &format) || format != FORMAT) return false;
    if (!take_text(document, "installation", ret_state->installation, STATE_UUID)) return false;
    if (!json_is_array(entries) || json_array_size(entries) > COUNT_OF(ret_state->entries))
        return false;
    for (size_t i = 0; i < json_array_size(entries); i++) {
        struct state_entry *entry = &ret_state->entries[ret_state->count++];
        if (!take_entry(json_array_get(entries, i), entry) || entry->id <= before) return false;
        before = entry->id;
    }
    return true;
}

enum err state_file_read(struct state_file *file, struct state *ret_state, struct detail *detail)
{
    json_error_t error = {.text = "it is not what settlementd writes"};
    *ret_state = (struct state){0};
    if (access(file->path, F_OK) != 0 && errno == ENOENT) return OK;
    CLEANUP(json_cleanup) json_t *document = json_load_file(file->path, 0, &error);
    if (document != NULL && take_state(document, ret_state)) return OK;
    return detail_set(detail, ERR_IO, "%s cannot be read: %.*s", file->path, LIBRARY_ERROR,
                      error.text);
}

/* ---- writing ---- */

static json_t *entry_json(const struct state_entry *entry)
{
    return json_pack("{s:I, s:s, s:s, s:I, s:s, s:s, s:s, s:s}", "id", (json_int_t)entry->id,
                     "token", entry->token, "kind", entry->kind, "execution",
                     (json_int_t)entry->job_execution_id, "job", entry->job_name, "date",
                     entry->target_date, "step", entry->step_name, "status", entry->status);
}

static json_t *state_json(const struct state *state)
{
    json_t *entries = json_array();
    for (int i = 0; i < state->count; i++)
        if (json_array_append_new(entries, entry_json(&state->entries[i])) != 0) {
            json_decref(entries);
            return NULL;
        }
    return json_pack("{s:i, s:s, s:o}", "format", FORMAT, "installation", state->installation,
                     "acknowledged", entries);
}

static bool flush_directory(const char *path)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return false;
    bool flushed = fsync(directory) == 0;
    (void)close(directory);
    return flushed;
}

static bool write_new(const struct state_file *file, const json_t *document)
{
    int fd = open(file->new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0) return false;
    bool written = json_dumpfd(document, fd, JSON_INDENT(1)) == 0 && fsync(fd) == 0;
    int error = errno;
    bool closed = close(fd) == 0;
    if (!written) errno = error;
    return written && closed;
}

enum err state_file_write(struct state_file *file, const struct state *state, struct detail *detail)
{
    CLEANUP(json_cleanup) json_t *document = state_json(state);
    if (document == NULL) return ERR_MEMORY;
    if (write_new(file, document) && rename(file->new_path, file->path) == 0 &&
        flush_directory(file->directory))
        return OK;
    return detail_set(detail, ERR_IO, "%s cannot be written: %s", file->path, strerror(errno));
}

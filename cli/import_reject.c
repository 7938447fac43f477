#include "cli/import_reject.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err name_file(struct import_reject_file *file, const char *path, const char *ending,
                          struct detail *detail)
{
    size_t stem = strlen(path);
    if (stem > 4 && strcmp(path + stem - 4, ".csv") == 0) stem -= 4;
    if (stem < PATH_MAX &&
        text_format(file->path, sizeof(file->path), "%.*s%s", (int)stem, path, ending) &&
        text_format(file->path_now, sizeof(file->path_now), "%s.part", file->path))
        return OK;
    return detail_set(detail, ERR_INVALID, "%s: the path is too long", path);
}

enum err import_reject_init(struct import_reject *reject, const struct import_file *source,
                            struct detail *detail)
{
    *reject = (struct import_reject){.source = source};
    TRY(name_file(&reject->rows, source->path, ".rejected.csv", detail));
    return name_file(&reject->reasons, source->path, ".rejected.log", detail);
}

static enum err failed(const struct import_reject_file *file, const char *doing,
                       struct detail *detail)
{
    return detail_set(
        detail, ERR_IO,
        "%s: cannot be %s: %s; nothing was loaded. Make room or let it be written, and "
        "import again",
        file->path, doing, errno == 0 ? "the input file has changed" : strerror(errno));
}

static enum err create(struct import_reject_file *file, mode_t mode, struct detail *detail)
{
    /* What a killed import left under this name goes; O_EXCL follows no link that somebody put
     * there. */
    (void)unlink(file->path_now);
    int fd = open(file->path_now, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode | S_IWUSR);
    if (fd < 0) return failed(file, "created", detail);
    file->stream = fdopen(fd, "w");
    if (file->stream != NULL) return OK;
    (void)close(fd);
    (void)unlink(file->path_now);
    return failed(file, "created", detail);
}

static enum err begin(struct import_reject *reject, struct detail *detail)
{
    TRY(create(&reject->rows, reject->source->mode, detail));
    TRY(create(&reject->reasons, reject->source->mode, detail));
    if (import_file_copy(reject->source, reject->header.offset, reject->header.length,
                         reject->rows.stream) != OK)
        return failed(&reject->rows, "written", detail);
    return OK;
}

enum err import_reject_add(struct import_reject *reject, const struct import_place *place,
                           const char *reason, struct detail *detail)
{
    if (reject->rows.stream == NULL) TRY(begin(reject, detail));
    if (import_file_copy(reject->source, place->offset, place->length, reject->rows.stream) != OK)
        return failed(&reject->rows, "written", detail);
    if (fprintf(reject->reasons.stream, "line %" PRId64 ": %s\n", place->line, reason) < 0)
        return failed(&reject->reasons, "written", detail);
    reject->count++;
    return OK;
}

static enum err make_durable(struct import_reject_file *file, struct detail *detail)
{
    bool written = fflush(file->stream) == 0 && fsync(fileno(file->stream)) == 0;
    return written ? OK : failed(file, "written", detail);
}

static enum err give_name(struct import_reject_file *file, struct detail *detail)
{
    if (rename(file->path_now, file->path) != 0) return failed(file, "given its name", detail);
    close_file(&file->stream);
    return OK;
}

/* A name is durable when its folder is. */
static enum err sync_folder(const struct import_reject_file *file, struct detail *detail)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(file->path, '/');
    int length = slash == NULL ? 1 : slash == file->path ? 1 : (int)(slash - file->path);
    (void)text_format(folder, sizeof(folder), "%.*s", length, slash == NULL ? "." : file->path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* A folder that may be written but not read can't be synced; some file systems can't do it at
     * all. */
    if (fd < 0) return OK;
    bool synced = fsync(fd) == 0 || errno == EINVAL;
    int error = errno;
    (void)close(fd);
    errno = error;
    return synced ? OK : failed(file, "made durable", detail);
}

enum err import_reject_publish(struct import_reject *reject, struct detail *detail)
{
    if (reject->rows.stream == NULL) return OK;
    TRY(make_durable(&reject->rows, detail));
    TRY(make_durable(&reject->reasons, detail));
    TRY(give_name(&reject->rows, detail));
    TRY(give_name(&reject->reasons, detail));
    return sync_folder(&reject->rows, detail);
}

static enum err remove_one(const struct import_reject_file *file, struct detail *detail)
{
    struct stat status;
    if (unlink(file->path) == 0 || errno == ENOENT) return OK;
    int why = errno; /* of a file system that is read-only also where there is nothing */
    if (lstat(file->path, &status) != 0 && errno == ENOENT) return OK;
    return detail_set(detail, ERR_IO,
                      "%s: is from an earlier import and cannot be removed: %s; remove it",
                      file->path, strerror(why));
}

enum err import_reject_remove_old(const struct import_reject *reject, struct detail *detail)
{
    TRY(remove_one(&reject->rows, detail));
    return remove_one(&reject->reasons, detail);
}

static void discard_one(struct import_reject_file *file)
{
    if (file->stream == NULL) return;
    (void)unlink(file->path_now);
    close_file(&file->stream);
}

void import_reject_discard(struct import_reject *reject)
{
    discard_one(&reject->rows);
    discard_one(&reject->reasons);
}

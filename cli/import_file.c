#include "cli/import_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 16 * 1024 };

static const char *kind_of_file(mode_t mode)
{
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

/* It is read twice, first to know it and then to load it: what flows away cannot be imported. */
static enum err check_kind(const char *path, const struct stat *status, struct detail *detail)
{
    if (!S_ISREG(status->st_mode))
        return detail_set(detail, ERR_INVALID, "%s: is %s; an import needs a regular file", path,
                          kind_of_file(status->st_mode));
    if (status->st_size == 0)
        return detail_set(detail, ERR_INVALID,
                          "%s: the file is empty; the first line has to name the columns", path);
    return OK;
}

enum err import_file_open(const char *path, struct import_file *ret_file, struct detail *detail)
{
    /* Without O_NONBLOCK a pipe that nobody writes to would hold us here. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return detail_set(detail, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                          "%s: cannot be opened: %s", path, strerror(errno));
    struct stat status;
    enum err err = OK;
    if (fstat(fd, &status) != 0)
        err = detail_set(detail, ERR_IO, "%s: cannot be examined: %s", path, strerror(errno));
    if (err == OK) err = check_kind(path, &status, detail);
    EVP_MD_CTX *digest = err == OK ? EVP_MD_CTX_new() : NULL;
    if (err == OK && digest == NULL) err = detail_set(detail, ERR_MEMORY, "out of memory");
    if (err != OK) {
        (void)close(fd);
        return err;
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    *ret_file = (struct import_file){.fd = fd,
                                     .path = path,
                                     .size = status.st_size,
                                     .mode = status.st_mode & 0666,
                                     .digest = digest};
    return OK;
}

void import_file_close(struct import_file *file)
{
    if (file->digest == NULL) return;
    EVP_MD_CTX_free(file->digest);
    file->digest = NULL;
    (void)close(file->fd);
}

enum err import_file_rewind(struct import_file *file)
{
    if (lseek(file->fd, 0, SEEK_SET) != 0)
        return detail_set(&file->detail, ERR_IO, "%s: cannot be read from its start: %s",
                          file->path, strerror(errno));
    if (EVP_DigestInit_ex(file->digest, EVP_sha256(), NULL) != 1)
        return detail_set(&file->detail, ERR_MEMORY, "%s: SHA-256 is not to be had", file->path);
    return OK;
}

enum err import_file_read(void *context, void *buffer, size_t size, size_t *ret_length)
{
    struct import_file *file = context;
    ssize_t length;
    do
        length = read(file->fd, buffer, size);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return detail_set(&file->detail, ERR_IO, "%s: cannot be read: %s", file->path,
                          strerror(errno));
    if (EVP_DigestUpdate(file->digest, buffer, (size_t)length) != 1)
        return detail_set(&file->detail, ERR_MEMORY, "%s: SHA-256 failed", file->path);
    *ret_length = (size_t)length;
    return OK;
}

enum err import_file_hash(struct import_file *file, char ret_hash[IMPORT_HASH])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_DigestFinal_ex(file->digest, bytes, &length) != 1)
        return detail_set(&file->detail, ERR_MEMORY, "%s: SHA-256 failed", file->path);
    ASSERT(length * 2 + 1 == IMPORT_HASH);
    for (size_t i = 0; i < length; i++)
        (void)text_format(ret_hash + 2 * i, 3, "%02x", bytes[i]);
    return OK;
}

enum err import_file_copy(const struct import_file *file, int64_t offset, int64_t length,
                          FILE *target)
{
    char buffer[COPY_BYTES];
    while (length > 0) {
        errno = 0;
        ssize_t got = pread(file->fd, buffer, (size_t)min_i64(length, COPY_BYTES), offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return ERR_IO;
        if (fwrite(buffer, 1, (size_t)got, target) != (size_t)got) return ERR_IO;
        offset += got;
        length -= got;
    }
    return OK;
}

/* The file that is imported: opened once and held, so that it cannot be exchanged under our feet;
 * every byte that is read in order goes through SHA-256, so that two passes can be compared. */
#ifndef CLI_IMPORT_FILE_H
#define CLI_IMPORT_FILE_H

#include <openssl/evp.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/base.h"

enum { IMPORT_HASH = 65 /* 64 hexadecimal digits and their end */ };

struct import_file {
    int fd;
    const char *path; /* the caller's */
    int64_t size;     /* when it was opened */
    mode_t mode;      /* who may read and write it: what is copied from it is for nobody else */
    EVP_MD_CTX *digest;
    struct detail detail; /* of the last failure to read */
};

/* ERR_NOT_FOUND, ERR_IO, or ERR_INVALID for what is no regular file or has no byte in it.
 * `path` must outlive the file. Close with import_file_close, which may be called on a zeroed
 * one as well. */
enum err import_file_open(const char *path, struct import_file *ret_file,
                          struct detail *detail) MUST_CHECK;
void import_file_close(struct import_file *file);

/* Goes back to the first byte and starts the hash anew. */
enum err import_file_rewind(struct import_file *file) MUST_CHECK;

/* The next bytes in order; a csv_source whose context is the file. ERR_IO with the words in
 * file->detail. */
enum err import_file_read(void *file, void *buffer, size_t size, size_t *ret_length) MUST_CHECK;

/* The hash of what was read since import_file_rewind. Once for each pass. */
enum err import_file_hash(struct import_file *file, char ret_hash[IMPORT_HASH]) MUST_CHECK;

/* Copies bytes from anywhere in the file. ERR_IO and errno 0 when they are not there any more. */
enum err import_file_copy(const struct import_file *file, int64_t offset, int64_t length,
                          FILE *target) MUST_CHECK;

#endif

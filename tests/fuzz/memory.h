/* An input in memory as a csv_source, which comes in pieces. */
#ifndef TESTS_FUZZ_MEMORY_H
#define TESTS_FUZZ_MEMORY_H

#include "common/csv_reader.h"

struct memory {
    const char *bytes;
    size_t size, at, step; /* of each read at most so many bytes */
};

enum err memory_read(void *memory, void *buffer, size_t size, size_t *ret_length);

#endif

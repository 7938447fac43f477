#include "tests/fuzz/memory.h"

#include <string.h>

enum err memory_read(void *context, void *buffer, size_t size, size_t *ret_length)
{
    struct memory *memory = context;
    size_t length = memory->size - memory->at;
    if (length > memory->step) length = memory->step;
    if (length > size) length = size;
    if (length > 0) memcpy(buffer, memory->bytes + memory->at, length);
    memory->at += length;
    *ret_length = length;
    return OK;
}

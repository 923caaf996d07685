/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/decode_params.h"

enum { BLOCK_BYTES = 16 * 1024, ALIGN = 16 };

typedef struct Block {
    struct Block *next;
    size_t used, size;
    _Alignas(ALIGN) char bytes[];
} Block;

struct PmArena {
    Block *blocks;
};

static void *need(void *memory)
{
    if (memory == NULL) { /* a pipeline file of 1 MiB cannot ask for much: this machine has nothing left at all */
        fputs("pixmill: out of memory\n", stderr);
        abort();
    }
    return memory;
}

PmArena *pm_arena_new(void)
{
    return need(calloc(1, sizeof(PmArena)));
}

void pm_arena_free(PmArena *arena)
{
    if (arena == NULL) return;
    for (Block *block = arena->blocks, *next; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

void *pm_arena_alloc(PmArena *arena, size_t size)
{
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    Block *block = arena->blocks;
    if (block == NULL || block->size - block->used < size) {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        block = need(calloc(1, sizeof *block + room));
        block->size = room;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *memory = block->bytes + block->used;
    block->used += size;
    return memory;
}

char *pm_arena_strdup(PmArena *arena, const char *text)
{
    size_t n = strlen(text) + 1;
    return memcpy(pm_arena_alloc(arena, n), text, n);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A growable byte buffer with a mandatory maximum. Hides its growth policy.
 */
#ifndef PM_BASE_BUFFER_H
#define PM_BASE_BUFFER_H

#include <pixmill/plugin.h>

typedef struct PmBuffer {
    char *data;        /* owned; NUL-terminated beyond size once anything was added */
    size_t size, room; /* bytes */
    size_t max;        /* bytes; what may be added in all */
    bool failed;       /* an add was refused: the maximum, or no memory. Sticky. */
    bool no_memory;    /* with failed: it was not the maximum */
} PmBuffer;

void pm_buffer_init(PmBuffer *buffer, size_t max);
void pm_buffer_finish(PmBuffer *buffer);

/* All return false, and set `failed`, when the maximum or memory does not allow it; nothing is added then. */
bool pm_buffer_add(PmBuffer *buffer, const void *bytes, size_t size);
bool pm_buffer_adds(PmBuffer *buffer, const char *text);
bool pm_buffer_addf(PmBuffer *buffer, const char *fmt, ...) PM_PRINTF(2, 3);

/* Forgets the contents, keeps the memory. */
void pm_buffer_clear(PmBuffer *buffer);

/* The contents as a string that the caller frees, the buffer empty again; NULL when it failed. */
char *pm_buffer_steal(PmBuffer *buffer);

#endif

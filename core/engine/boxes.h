/* SPDX-License-Identifier: Apache-2.0
 *
 * The boxes of ISO/IEC 14496-12, which HEIF and AVIF files are made of, from bytes that nobody has looked at yet. Pure.
 */
#ifndef PM_ENGINE_BOXES_H
#define PM_ENGINE_BOXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes still to be read; `failed` once more were asked for than there are. */
typedef struct PmCursor {
    const uint8_t *at;
    size_t left;
    bool failed;
} PmCursor;

typedef struct PmBox {
    char type[5];
    PmCursor body;
    bool whole; /* it claims no more than there is; one that does is cut */
} PmBox;

/* A number of so many bytes, 8 at most, the upper ones first; 0 once the cursor has failed. */
uint64_t pm_cursor_take(PmCursor *cursor, size_t bytes);
void pm_cursor_take_type(PmCursor *cursor, char type[5]);

/* The box in front of the cursor, which goes past it. False: there is none, or its head makes no sense. */
bool pm_box_next(PmCursor *cursor, PmBox *box);
/* The first of that type. */
bool pm_box_find(PmCursor cursor, const char *type, PmBox *box);
/* The version at the front of a full box. *flags may be NULL. */
unsigned pm_box_version(PmCursor *body, unsigned *flags);

#endif

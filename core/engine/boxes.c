/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/boxes.h"

#include <string.h>

uint64_t pm_cursor_take(PmCursor *cursor, size_t bytes)
{
    uint64_t value = 0;
    if (cursor->left < bytes) {
        cursor->failed = true;
        cursor->left = 0;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++) value = value << 8 | cursor->at[i];
    cursor->at += bytes;
    cursor->left -= bytes;
    return value;
}

void pm_cursor_take_type(PmCursor *cursor, char type[5])
{
    uint64_t code = pm_cursor_take(cursor, 4);
    for (int i = 0; i < 4; i++) type[i] = (char)(code >> (24 - 8 * i) & 0xFF);
    type[4] = '\0';
}

/* 4.2: size 1 means that 64 bits of it follow the type, 0 that the box ends with what holds it. */
bool pm_box_next(PmCursor *cursor, PmBox *box)
{
    size_t before = cursor->left;
    uint64_t size = pm_cursor_take(cursor, 4);
    pm_cursor_take_type(cursor, box->type);
    if (size == 1) size = pm_cursor_take(cursor, 8);
    size_t header = before - cursor->left;
    if (cursor->failed || (size != 0 && size < header)) return false;
    box->whole = size == 0 || size - header <= cursor->left;
    size_t body = size == 0 || !box->whole ? cursor->left : (size_t)size - header;
    box->body = (PmCursor){.at = cursor->at, .left = body};
    cursor->at += body;
    cursor->left -= body;
    return true;
}

bool pm_box_find(PmCursor cursor, const char *type, PmBox *box)
{
    while (pm_box_next(&cursor, box))
        if (strcmp(box->type, type) == 0) return true;
    return false;
}

unsigned pm_box_version(PmCursor *body, unsigned *flags)
{
    unsigned value = (unsigned)pm_cursor_take(body, 4);
    if (flags != NULL) *flags = value & 0xFFFFFF;
    return value >> 24;
}

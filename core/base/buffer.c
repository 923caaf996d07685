/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pm_buffer_init(PmBuffer *buffer, size_t max)
{
    *buffer = (PmBuffer){.max = max};
}

void pm_buffer_finish(PmBuffer *buffer)
{
    if (buffer == NULL) return;
    free(buffer->data);
    *buffer = (PmBuffer){0};
}

static bool reserve(PmBuffer *buffer, size_t extra)
{
    if (buffer->failed || extra > buffer->max - buffer->size) {
        buffer->failed = true;
        return false;
    }
    size_t need = buffer->size + extra + 1;
    if (buffer->data != NULL && need <= buffer->room) return true;
    size_t room = buffer->room > 0 ? buffer->room : 128;
    while (room < need) room = room > SIZE_MAX / 2 ? need : room * 2;
    if (room > buffer->max + 1) room = buffer->max + 1;
    char *data = realloc(buffer->data, room);
    if (data == NULL) {
        buffer->failed = buffer->no_memory = true;
        return false;
    }
    buffer->data = data;
    buffer->room = room;
    return true;
}

bool pm_buffer_add(PmBuffer *buffer, const void *bytes, size_t size)
{
    if (!reserve(buffer, size)) return false;
    if (size > 0) memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
    return true;
}

bool pm_buffer_adds(PmBuffer *buffer, const char *text)
{
    return pm_buffer_add(buffer, text, strlen(text));
}

bool pm_buffer_addf(PmBuffer *buffer, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(buffer, (size_t)n)) {
        buffer->failed = true;
        return false;
    }
    va_start(ap, fmt);
    vsnprintf(buffer->data + buffer->size, (size_t)n + 1, fmt, ap);
    va_end(ap);
    buffer->size += (size_t)n;
    return true;
}

void pm_buffer_clear(PmBuffer *buffer)
{
    buffer->size = 0;
    buffer->failed = buffer->no_memory = false;
    if (buffer->data != NULL) buffer->data[0] = '\0';
}

char *pm_buffer_steal(PmBuffer *buffer)
{
    char *data = NULL;
    if (!buffer->failed && (buffer->data != NULL || pm_buffer_add(buffer, "", 0))) {
        data = buffer->data;
        buffer->data = NULL;
    }
    free(buffer->data);
    pm_buffer_init(buffer, buffer->max);
    return data;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Files whose coded pixels are copied, with metadata of the very same file: what is let pass can be written, and what
 * was written passes again. The first byte is the format, the second the orientation.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/lossless/lossless.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Made {
    uint8_t *bytes;
    size_t size, room;
} Made;

static bool add(void *to, const void *bytes, size_t size)
{
    Made *made = to;
    if (size > made->room - made->size) abort(); /* longer than both together, and a block of EXIF */
    memcpy(made->bytes + made->size, bytes, size);
    made->size += size;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const PmFormat formats[] = {PM_FORMAT_JPEG, PM_FORMAT_PNG, PM_FORMAT_WEBP};
    if (size < 2) return 0;
    PmFormat format = formats[data[0] % 3];
    PmLosslessBytes file = {data + 2, size - 2};
    int orientation = format == PM_FORMAT_JPEG ? 1 + data[1] % 8 : 1;
    bool good = pm_lossless_judge(format, file) == NULL;
    Made made = {.room = 2 * size + 200000};
    made.bytes = malloc(made.room);
    if (made.bytes == NULL) return 0;
    PmLosslessOut out = {add, &made};
    bool written = pm_lossless_write(format, file, file, orientation, &out);
    if (written != good) abort();
    if (written && pm_lossless_judge(format, (PmLosslessBytes){made.bytes, made.size}) != NULL) abort();
    free(made.bytes);
    return 0;
}

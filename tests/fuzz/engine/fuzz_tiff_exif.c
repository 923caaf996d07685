/* SPDX-License-Identifier: Apache-2.0
 *
 * The EXIF of any TIFF: a block within its bound.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/tiff_exif.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *out = malloc(PM_TIFF_EXIF_MAX);
    if (out == NULL) return 0;
    size_t length = pm_tiff_exif(data, size, out);
    if (length > PM_TIFF_EXIF_MAX) abort();
    if (length > 0) {
        uint8_t *whole = malloc(length); /* read in full, beyond nothing */
        if (whole != NULL) memcpy(whole, out, length);
        if (whole != NULL && memcmp(whole, "Exif\0\0", 6) != 0) abort();
        free(whole);
    }
    free(out);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/heic.h"
#include "engine/heif_codec.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    PmError err = {0};
    return pm_engine_setup(&err) == PM_OK ? 0 : -1;
}

/* As load.c does: the header, then every pixel where the limits would let it in. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SIDE_MAX = 1024 };
    char codec[5];
    if (!pm_heif_codec(data, size, codec) && codec[0] != '\0') abort();
    if (!pm_heic_is_sound(data, size) || !pm_heic_is(data, size)) {
        vips_error_clear();
        return 0;
    }
    VipsImage *image = pm_heic_open(data, size);
    double average;
    if (image != NULL && image->Xsize <= SIDE_MAX && image->Ysize <= SIDE_MAX && vips_avg(image, &average, NULL) == 0 &&
        !(average >= 0 && average <= UINT16_MAX))
        abort();
    if (image != NULL) g_object_unref(image);
    vips_error_clear();
    return 0;
}

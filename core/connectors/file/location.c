/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/location.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *pm_location_below(const char *key)
{
    for (;;) {
        if (*key == '/')
            key++;
        else if (strncmp(key, "./", 2) == 0)
            key += 2;
        else if (strncmp(key, "../", 3) == 0)
            key += 3;
        else
            return key;
    }
}

char *pm_location_new(const PmPipeline *pipeline, const char *out_dir, const PmPlace *place, const char *key)
{
    char *location = NULL;
    int n;
    if (out_dir != NULL)
        n = asprintf(&location, "%s/%s", strcmp(out_dir, "/") == 0 ? "" : out_dir, pm_location_below(key));
    else if (place->kind == PM_PLACE_S3)
        n = asprintf(&location, "s3://%s/%s", ((const PmS3Place *)place->config)->bucket, key);
    else if (key[0] == '/')
        n = asprintf(&location, "%s", key);
    else
        n = asprintf(&location, "%s/%s", pipeline->dir, key);
    return n >= 0 ? location : NULL;
}

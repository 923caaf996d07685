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

char *pm_location_new(const char *folder, const char *key, bool confined)
{
    char *location = NULL;
    if (confined) key = pm_location_below(key);
    bool absolute = key[0] == '/';
    int n = asprintf(&location, "%s%s%s", absolute || strcmp(folder, "/") == 0 ? "" : folder, absolute ? "" : "/", key);
    return n >= 0 ? location : NULL;
}

void pm_location_name(const char *folder, const char *path, bool whole, char *out, size_t size)
{
    char *location = pm_location_new(folder, path, false);
    if (location != NULL && !whole) { /* "out/photo-" of "out/photo-{stem}.jpg" lies in "out" */
        char *slash = strrchr(location, '/');
        if (slash != NULL) slash[slash == location ? 1 : 0] = '\0';
    }
    snprintf(out, size, "file:%s", location != NULL ? location : path);
    free(location);
}

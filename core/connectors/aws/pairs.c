/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool pm_pairs_add(PmNameValue *pairs, size_t *count, size_t max, const char *name, const char *value)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(pairs[i].name, name) == 0) return true;
    if (*count == max) return true;
    PmNameValue pair = {strdup(name), strdup(value)};
    if (pair.name == NULL || pair.value == NULL) {
        free((char *)pair.name);
        free((char *)pair.value);
        return false;
    }
    pairs[(*count)++] = pair;
    return true;
}

bool pm_pairs_add_list(PmNameValue *pairs, size_t *count, size_t max, const PmList *list)
{
    bool ok = true;
    for (size_t i = 0; ok && i < list->count; i++) {
        char name[256];
        const char *equals = strchr(list->items[i], '=');
        snprintf(name, sizeof name, "%.*s", (int)(equals - list->items[i]), list->items[i]);
        ok = pm_pairs_add(pairs, count, max, name, equals + 1);
    }
    return ok;
}

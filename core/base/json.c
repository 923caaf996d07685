/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the helper thread reads stamps */
static json_malloc_t allocate;
static _Thread_local bool failed;

static void *watched(size_t size)
{
    void *block = allocate(size);
    failed = failed || block == NULL;
    return block;
}

json_t *pm_json_read(const char *text, size_t size, size_t flags, json_error_t *why, bool *no_memory)
{
    json_malloc_t now;
    json_free_t release;
    pthread_mutex_lock(&lock);
    json_get_alloc_funcs(&now, &release);
    if (now != watched) {
        allocate = now;
        json_set_alloc_funcs(watched, release);
    }
    pthread_mutex_unlock(&lock);
    failed = false;
    json_t *json = json_loadb(text, size, flags, why);
    *no_memory = failed;
    if (!failed) return json;
    json_decref(json);
    return NULL;
}

char *pm_json_text(const json_t *json, size_t flags)
{
    size_t size = json != NULL ? json_dumpb(json, NULL, 0, flags) : 0;
    char *text = size > 0 ? malloc(size + 1) : NULL;
    if (text == NULL) return NULL;
    if (json_dumpb(json, text, size, flags) != size) {
        free(text);
        return NULL;
    }
    text[size] = '\0';
    return text;
}

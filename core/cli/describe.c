/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/describe.h"

#include <stdio.h>
#include <string.h>

static json_t *ask(const PmPoolOptions *pool, json_t *names, PmError *err)
{
    json_t *body = json_pack("{so}", "plugin_dirs", pm_pool_plugin_dirs(pool));
    if (names != NULL) json_object_set(body, "names", names);
    json_t *answer = pm_pool_ask(pool, PM_MSG_DESCRIBE, body, err);
    json_decref(body);
    return answer;
}

json_t *pm_describe_plugins(const PmPoolOptions *pool, const char *const *names, size_t count, PmError *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(list, json_string(names[i]));
    json_t *answer = ask(pool, count > 0 ? list : NULL, err);
    json_decref(list);
    return answer;
}

json_t *pm_describe_build(const PmPoolOptions *pool, PmError *err)
{
    json_t *none = json_array();
    json_t *answer = ask(pool, none, err);
    json_decref(none);
    return answer;
}

json_t *pm_describe_formats(const json_t *answer, const char *what)
{
    json_t *names = json_array(), *format;
    const char *name;
    json_object_foreach(json_object_get(answer, "formats"), name, format)
    {
        if (json_is_true(json_object_get(format, what))) json_array_append_new(names, json_string(name));
    }
    return names;
}

void pm_describe_formats_text(const json_t *answer, const char *what, char *out, size_t size)
{
    json_t *names = pm_describe_formats(answer, what);
    snprintf(out, size, "%s", json_array_size(names) > 0 ? "" : "nothing");
    for (size_t i = 0; i < json_array_size(names); i++) {
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "", json_string_value(json_array_get(names, i)));
    }
    json_decref(names);
}

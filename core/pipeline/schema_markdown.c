/* SPDX-License-Identifier: Apache-2.0
 *
 * Reference pages from descriptions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "pipeline/decode_memory.h"
#include "pipeline/facts.h"
#include "pipeline/schema.h"
#include "pipeline/schema_internal.h"
#include "pipeline/sections.h"

enum { PAGE_MAX = 1024 * 1024 };

/* A table's cell ends at '|' and at a newline. */
static void add_cell(PmBuffer *page, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') pm_buffer_adds(page, "\\");
        pm_buffer_add(page, *text == '\n' ? " " : text, 1);
    }
}

static void add_code(PmBuffer *page, const char *text)
{
    pm_buffer_adds(page, "`");
    add_cell(page, text);
    pm_buffer_adds(page, "`");
}

static void add_limit(PmBuffer *page, const json_t *limit, const char *type)
{
    char text[40];
    double value = json_number_value(limit);
    if (strcmp(type, pm_type_name(PM_BYTES)) == 0)
        pm_text_bytes(text, sizeof text, (long long)value);
    else if (strcmp(type, pm_type_name(PM_DURATION)) == 0)
        pm_text_duration(text, sizeof text, (long long)value);
    else
        snprintf(text, sizeof text, "%.10g", value);
    pm_buffer_adds(page, text);
}

static void add_values(PmBuffer *page, const json_t *param)
{
    const char *type = pm_schema_text(param, "type"), *unit = pm_schema_text(param, "unit");
    const json_t *choices = json_object_get(param, "choices");
    bool pairs = json_is_true(json_object_get(param, "pairs"));
    if (strcmp(type, pm_type_name(PM_ENUM)) != 0) add_cell(page, pairs ? "mapping of names to texts" : type);
    if (json_array_size(choices) > 0 && strcmp(type, pm_type_name(PM_ENUM)) != 0) pm_buffer_adds(page, " of ");
    for (size_t i = 0; i < json_array_size(choices); i++) {
        const char *choice = json_string_value(json_array_get(choices, i));
        if (i > 0) pm_buffer_adds(page, ", ");
        add_code(page, choice != NULL ? choice : "");
    }
    if (unit[0] != '\0') {
        pm_buffer_adds(page, ", ");
        add_cell(page, unit);
    }
    bool text = strcmp(type, pm_type_name(PM_STRING)) == 0, list = strcmp(type, pm_type_name(PM_LIST)) == 0;
    const json_t *min = json_object_get(param, "min"), *max = json_object_get(param, "max");
    if (json_is_number(min) && json_is_number(max)) {
        pm_buffer_adds(page, ", ");
        add_limit(page, min, type);
        if (!json_equal(min, max)) {
            pm_buffer_adds(page, " to ");
            add_limit(page, max, type);
        }
        pm_buffer_adds(page, text ? " bytes" : pairs ? " entries" : list ? " items" : "");
    }
}

static void add_row(PmBuffer *page, const json_t *param)
{
    pm_buffer_adds(page, "| ");
    add_code(page, pm_schema_text(param, "name"));
    pm_buffer_adds(page, " | ");
    add_values(page, param);
    pm_buffer_adds(page, " | ");
    const json_t *def = json_object_get(param, "default");
    if (json_is_true(json_object_get(param, "required")))
        pm_buffer_adds(page, "required");
    else if (json_is_string(def) && json_string_length(def) > 0)
        add_code(page, json_string_value(def));
    pm_buffer_adds(page, " | ");
    if (json_is_true(json_object_get(param, "deprecated"))) pm_buffer_adds(page, "*Deprecated.* ");
    add_cell(page, pm_schema_text(param, "doc"));
    if (json_is_true(json_object_get(param, "template"))) pm_buffer_adds(page, " Takes {facts}.");
    if (json_is_true(json_object_get(param, "secret"))) pm_buffer_adds(page, " Never printed.");
    pm_buffer_adds(page, " |\n");
}

static void add_table(PmBuffer *page, const json_t *params)
{
    if (json_array_size(params) == 0) {
        pm_buffer_adds(page, "No parameters.\n");
        return;
    }
    pm_buffer_adds(page, "| Key | Value | Default | Meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < json_array_size(params); i++) add_row(page, json_array_get(params, i));
}

char *pm_schema_markdown(const json_t *params)
{
    PmBuffer page;
    pm_buffer_init(&page, PAGE_MAX);
    add_table(&page, params);
    return pm_buffer_steal(&page);
}

/* path and doc: the section's own, unless given. */
static void add_section(PmBuffer *page, const PmSection *section, const char *path, const char *doc)
{
    if (path == NULL) path = section->path;
    const char *star = strchr(path, '*');
    if (path[0] == '\0')
        pm_buffer_adds(page, "## Top level\n\n");
    else if (star != NULL)
        pm_buffer_addf(page, "## `%.*sNAME%s`\n\n", (int)(star - path), path, star + 1);
    else
        pm_buffer_addf(page, "## `%s`\n\n", path);
    pm_buffer_addf(page, "%s\n\n", doc != NULL ? doc : section->doc);
    json_t *params = pm_schema_describe(section->params, section->count);
    add_table(page, params);
    json_decref(params);
    pm_buffer_adds(page, "\n");
}

/* Role by role, as a reader looks for them. */
static void add_kinds(PmBuffer *page, const PmKind *const *kinds)
{
    const PmSection *shared;
    for (size_t i = 0; (shared = pm_schema_shared(kinds, i)) != NULL; i++) add_section(page, shared, NULL, NULL);
    for (size_t i = 0; kinds[i] != NULL; i++)
        if (kinds[i]->notify.path != NULL) add_section(page, &kinds[i]->notify, NULL, NULL);
    for (size_t i = 0; kinds[i] != NULL; i++)
        if (kinds[i]->trigger.path != NULL) add_section(page, &kinds[i]->trigger, NULL, NULL);
    for (size_t i = 0; kinds[i] != NULL; i++)
        if (kinds[i]->source.path != NULL) add_section(page, &kinds[i]->source, NULL, NULL);
    for (size_t i = 0; kinds[i] != NULL; i++)
        if (kinds[i]->place.path != NULL) add_section(page, &kinds[i]->place, NULL, NULL);
    for (size_t i = 0; kinds[i] != NULL; i++) {
        char path[80];
        snprintf(path, sizeof path, "quarantine.%.60s", kinds[i]->name);
        if (kinds[i]->place.path != NULL) add_section(page, &kinds[i]->place, path, kinds[i]->quarantine_doc);
    }
}

static void add_place_names(PmBuffer *page, const PmKind *const *kinds)
{
    bool first = true;
    for (; *kinds != NULL; kinds++) {
        if ((*kinds)->place.path == NULL) continue;
        pm_buffer_addf(page, "%s`%s`", first ? "" : " or ", (*kinds)->name);
        first = false;
    }
}

static void add_steps(PmBuffer *page, const PmKind *const *kinds)
{
    pm_buffer_adds(page, "## `steps` and `outputs.NAME.steps`\n\n"
                         "A list. Each step is a mapping with one plugin's name as key and its parameters as value, or "
                         "the bare name of a plugin that needs none. Some plugins take a single value, the short form "
                         "in [plugins.md](plugins.md): `resize: 300x200`, `convert: webp`. `steps` at the top level is "
                         "the trunk: it runs "
                         "once and all outputs share it. Beside the plugin a step may have:\n\n"
                         "| Key | Value | Default | Meaning |\n|---|---|---|---|\n");
    pm_buffer_addf(page, "| `name` | string | the plugin's name, `-2`, `-3`, ... added when it comes again | %s |\n",
                   PM_STEP_NAME_DOC);
    pm_buffer_adds(page,
                   "| `when` | conditions |  | Run the step only for images whose facts match. |\n| `on_reject` | ");
    for (size_t i = 0; pm_on_reject_names[i] != NULL; i++)
        pm_buffer_addf(page, "%s`%s`", i > 0 ? ", " : "", pm_on_reject_names[i]);
    pm_buffer_addf(page, " | `%s` | %s |\n\n", pm_on_reject_names[PM_ON_REJECT_QUARANTINE], PM_ON_REJECT_DOC);
    pm_buffer_adds(page,
                   "## `outputs.NAME`\n\nA rendition. At least one; names are made of a-z, 0-9, - and _.\n\n"
                   "| Key | Value | Default | Meaning |\n|---|---|---|---|\n"
                   "| `for` | mapping of names to values or lists of them |  | " PM_FOR_DOC " At most 8 names; all "
                   "outputs of a file are 64 at the most. |\n"
                   "| `when` | conditions |  | Make this rendition only for images whose facts match. |\n"
                   "| `steps` | list |  | What is done after the trunk. |\n"
                   "| `to` | ");
    add_place_names(page, kinds);
    pm_buffer_adds(page, " | required | Where the rendition goes. |\n\n");
}

static void add_facts(PmBuffer *page)
{
    pm_buffer_adds(page,
                   "## Conditions and facts\n\n"
                   "`when: { width: \">=64\", format: [jpeg, png], key: \"*.jpg\" }`: all conditions must hold. A "
                   "condition is a value, a list of which one must match, a comparison (`>=`, `>`, `<=`, `<`, "
                   "`!=`, `=`; several joined by commas must all hold), or a pattern in which `*` stands for "
                   "anything but `/` and `**` for anything. A fact that is not known matches nothing.\n\n"
                   "`{fact}` in a key or path is filled in for each image; `{{` and `}}` are literal braces. A "
                   "plugin's facts are written `{step.fact}`.\n\n"
                   "| Fact | In keys | In `when` | In plugins | Meaning |\n|---|---|---|---|---|\n");
    for (const PmFactInfo *info = pm_fact_table; info->name != NULL; info++)
        pm_buffer_addf(page, "| `%s` | %s | %s | %s | %s |\n", info->name, (info->flags & PM_FACT_KEY) ? "yes" : "",
                       (info->flags & PM_FACT_WHEN) ? "yes" : "", (info->flags & PM_FACT_PLUGIN) ? "yes" : "",
                       info->doc);
}

char *pm_schema_pipeline_markdown(const PmKind *const *kinds)
{
    PmBuffer page;
    pm_buffer_init(&page, PAGE_MAX);
    pm_buffer_adds(
        &page, "# The pipeline file\n\n"
               "One YAML document of at most 1 MiB. `${NAME}` and `${NAME:-default}` are taken from the environment "
               "when the file is read; `$${` is a literal `${`. Relative paths start at the pipeline file.\n\n"
               "What comes more than once may be written once: anchors (`&name`), aliases (`*name`) and merge keys "
               "(`<<: *name`) are YAML's own, and top-level keys that begin with `x-` are left alone, as a place for "
               "them.\n\n"
               "Values: an *integer* may have a suffix (`50M`, `2k`), a *size* is written `50MiB`, `200KiB` or "
               "`1GB`, a *duration* `15s`, `1500ms` or `2m`, a *length* `12`, `12px` or `5%`, a *color* "
               "`\"#20a0ff\"`, `\"#20a0ff80\"` or `white`. A *list* of one may be written without brackets.\n\n");
    for (const PmSection *section = pm_sections; section->path != NULL; section++) {
        add_section(&page, section, NULL, NULL);
        if (strcmp(section->path, "limits") == 0) pm_decode_memory_markdown(&page);
    }
    add_kinds(&page, kinds);
    add_steps(&page, kinds);
    add_facts(&page);
    return pm_buffer_steal(&page);
}

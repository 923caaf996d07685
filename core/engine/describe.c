/* SPDX-License-Identifier: Apache-2.0
 *
 * A loaded plugin as JSON: what DESCRIBED carries, and what docs and the JSON Schema are made from.
 */
#include <limits.h>

#include "base/text.h"
#include "engine/registry.h"
#include "engine/shorthand.h"
#include "pipeline/schema.h"

static json_t *words(const char *const *list)
{
    json_t *array = json_array();
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) json_array_append_new(array, json_string(list[i]));
    return array;
}

json_t *pm_registry_describe(const PmLoaded *loaded)
{
    const PmTransform *t = &loaded->transform;
    const char *kind = t->apply != NULL ? "apply" : t->inspect != NULL ? "inspect" : "encode";
    char form[PM_SHORTHAND_TEXT_MAX];
    pm_shorthand_form(t, form, sizeof form);
    char file[PATH_MAX]; /* the one text that the handshake has not seen to be UTF-8 */
    pm_text_utf8(file, sizeof file, loaded->file);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s}", "name", t->name, "kind", kind,
                     "summary", t->summary, "version", loaded->version, "file", file, "params",
                     pm_schema_describe(t->params, t->param_count), "facts", words(t->facts), "regions",
                     words(t->regions), "mime_types", words(t->mime_types), "shorthand", words(t->shorthand),
                     "short_form", form);
}

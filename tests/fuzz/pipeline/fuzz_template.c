/* SPDX-License-Identifier: Apache-2.0
 *
 * A key template filled with facts that an uploader chose: whatever both say, the result stays below the literal
 * prefix.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text up to the first NUL, and what follows it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 2);
    if (text == NULL) return 0;
    memcpy(text, data, size);
    text[size] = text[size + 1] = '\0';
    const char *key = text + strlen(text) + 1;
    if (key > text + size) key = "in/cat.jpg";
    for (int kind = PM_TEMPLATE_KEY; kind <= PM_TEMPLATE_TEXT; kind++) {
        PmError err = {0};
        PmTemplate *tmpl = pm_template_new((PmTemplateKind)kind, text, NULL, &err);
        PmFacts *facts = pm_facts_new();
        if (tmpl != NULL && facts != NULL && pm_facts_set_key(facts, key)) {
            char *result = pm_template_expand(tmpl, facts, &err);
            const char *prefix = pm_template_prefix(tmpl);
            if (result != NULL && kind != PM_TEMPLATE_TEXT) {
                if (strncmp(result, prefix, strlen(prefix)) != 0) abort();
                if (kind == PM_TEMPLATE_PATH && strstr(result + strlen(prefix), "/../") != NULL) abort();
            }
            free(result);
        }
        pm_facts_free(facts);
        pm_template_free(tmpl);
    }
    free(text);
    return 0;
}

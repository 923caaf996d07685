/* SPDX-License-Identifier: Apache-2.0
 *
 * A condition from the file against facts from an upload: up to the first NUL the one, then the key.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PmErrorList errors = {0};
    const uint8_t *end = memchr(data, '\0', size);
    size_t length = end != NULL ? (size_t)(end - data) : size;
    PmTree *tree = pm_tree_parse("p.yaml", (const char *)data, length, &errors);
    PmWhen *when =
        tree != NULL && pm_tree_root(tree) != NULL ? pm_when_new("p.yaml", "when", pm_tree_root(tree), &errors) : NULL;
    PmFacts *facts = pm_facts_new();
    char *key = strndup(end != NULL ? (const char *)end + 1 : "in/cat.jpg", end != NULL ? size - length - 1 : 64);
    if (when != NULL && facts != NULL && key != NULL) {
        char why[100];
        pm_facts_set_key(facts, key);
        pm_facts_set(facts, "width", "300");
        pm_facts_set(facts, "format", "png");
        pm_when_matches(when, facts, why, sizeof why);
    }
    free(key);
    pm_facts_free(facts);
    pm_when_free(when);
    pm_tree_free(tree);
    pm_error_list_finish(&errors);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A pipeline file, whatever it says: YAML, variables, sections, templates and conditions. Every error is written out,
 * since that is what happens to them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/connector.h"
#include "pipeline/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *environment(void *data, const char *name)
{
    (void)data;
    return strcmp(name, "SET") == 0 ? "${NAME}" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PmErrorList errors = {0};
    const PmKind *const *kinds = size > 0 && data[0] % 2 == 0 ? pm_kinds : NULL;
    PmPipeline *pipeline = pm_pipeline_read("p.yaml", "/", (const char *)data, size, kinds, environment, NULL, &errors);
    if (pipeline != NULL) pm_pipeline_check_facts(pipeline, NULL, &errors);
    if (pipeline != NULL) pm_pipeline_check_places(pipeline, NULL, &errors);
    pm_error_list_sort(&errors);
    for (size_t i = 0; i < errors.count; i++) {
        char text[300];
        pm_error_format(&errors.items[i], text, sizeof text);
    }
    pm_pipeline_free(pipeline);
    pm_error_list_finish(&errors);
    return 0;
}

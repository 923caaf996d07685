/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of several folders share: a pipeline from a text.
 */
#ifndef PM_TESTS_PIPELINES_H
#define PM_TESTS_PIPELINES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "connectors/connector.h"
#include "pipeline/pipeline.h"

static inline const char *no_environment(void *data, const char *name)
{
    (void)data, (void)name;
    return NULL;
}

/* The test fails when the text is not in order. */
static inline PmPipeline *read_pipeline(const char *dir, const char *text)
{
    PmErrorList errors = {0};
    PmPipeline *pipeline = pm_pipeline_read("p.yaml", dir, text, strlen(text), pm_kinds, no_environment, NULL, &errors);
    for (size_t i = 0; i < errors.count; i++) {
        char line[2000];
        pm_error_format(&errors.items[i], line, sizeof line);
        print_error("%s\n", line);
    }
    assert_int_equal(errors.count, 0);
    assert_non_null(pipeline);
    pm_error_list_finish(&errors);
    return pipeline;
}

#endif

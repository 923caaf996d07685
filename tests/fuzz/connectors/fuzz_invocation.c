/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever invokes the function: it is read or refused, every task can be settled, and the answer is JSON or an error.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/aws/invocation.h"
#include "connectors/connector.h"

static const char text[] = "version: 1\n"
                           "source: { s3: { buckets: [uploads], prefix: in/ } }\n"
                           "outputs: { a: { to: { file: { path: \"out/{stem}.{ext}\" } } } }\n";

static const char *no_environment(void *data, const char *name)
{
    (void)data, (void)name;
    return NULL;
}

static void answer(const PmInvocation *invocation, bool report)
{
    const char *type = NULL;
    PmError err = {0};
    json_t *root = pm_invocation_answer(invocation, report, &type, &err);
    if (root == NULL) {
        if (type == NULL || err.status == PM_OK) abort();
        return;
    }
    char *dumped = json_dumps(root, JSON_COMPACT);
    if (dumped == NULL) abort();
    free(dumped);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static PmPipeline *pipeline;
    PmErrorList errors = {0};
    if (pipeline == NULL)
        pipeline = pm_pipeline_read("p.yaml", "/", text, sizeof text - 1, pm_kinds, no_environment, NULL, &errors);
    if (pipeline == NULL) abort();
    PmQueueMessageRules rules = pm_queue_message_rules(pipeline, true);
    PmInvocation invocation;
    PmError err = {0};
    if (pm_invocation_read(&rules, (const char *)data, size, &invocation, &err) != PM_OK) {
        if (invocation.tasks != NULL || err.message[0] == '\0') abort();
        return 0;
    }
    for (size_t i = 0; i < invocation.count; i++) {
        PmTask *task = &invocation.tasks[i];
        if (task->event.count == 0 && task->event.error.status != PM_OK) {
            task->state = PM_TASK_FAILED;
            task->error = task->event.error;
            task->passes = i % 2;
        } else {
            task->state = PM_TASK_DONE;
        }
    }
    answer(&invocation, true);
    answer(&invocation, false);
    pm_invocation_finish(&invocation);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lambda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/aws/runtime_api.h"
#include "connectors/connector.h"
#include "connectors/record.h"

enum { MESSAGE_MAX = 16 * 1024 };

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

const char *pm_lambda_host(void)
{
    const char *host;
    return pm_connector_hosting(&host) != NULL ? host : NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

void pm_lambda_pipeline(char *out, size_t size)
{
    const char *file = environment("PIXMILL_PIPELINE"), *handler = environment("_HANDLER");
    const char *root = environment("LAMBDA_TASK_ROOT");
    if (file != NULL) {
        pm_text_copy(out, size, file);
        return;
    }
    if (handler == NULL || !(ends_with(handler, ".yaml") || ends_with(handler, ".yml"))) handler = "pipeline.yaml";
    snprintf(out, size, "%s/%s", root != NULL ? root : "/var/task", handler);
}

void pm_lambda_log(int *format, int *level)
{
    static const struct {
        const char *name;
        int level;
    } levels[] = {{"TRACE", PM_LOG_DEBUG}, {"DEBUG", PM_LOG_DEBUG}, {"INFO", PM_LOG_INFO},
                  {"WARN", PM_LOG_WARN},   {"ERROR", PM_LOG_ERROR}, {"FATAL", PM_LOG_ERROR}};
    const char *wanted = environment("AWS_LAMBDA_LOG_FORMAT"), *name = environment("AWS_LAMBDA_LOG_LEVEL");
    if (pm_lambda_host() == NULL) return;
    *format = wanted != NULL && strcasecmp(wanted, "JSON") == 0 ? PM_LOG_JSON_LAMBDA : PM_LOG_TEXT;
    for (size_t i = 0; name != NULL && i < sizeof levels / sizeof levels[0]; i++)
        if (strcasecmp(name, levels[i].name) == 0) *level = levels[i].level;
}

void pm_lambda_log_result(void *data, const PmJobResult *result)
{
    char source[1200], outputs[24], ms[24], why[1600] = "";
    (void)data;
    pm_object_label(result->object, source, sizeof source);
    snprintf(outputs, sizeof outputs, "%zu", result->output_count);
    snprintf(ms, sizeof ms, "%lld", (long long)result->ms);
    if (result->error != NULL)
        pm_error_format(result->error, why, sizeof why);
    else if (result->skipped != NULL)
        pm_text_copy(why, sizeof why, result->skipped);
    pm_log(result->error != NULL ? PM_LOG_ERROR : PM_LOG_INFO, "image.done", "source", source, "status",
           result->error != NULL ? pm_status_name(result->error->status) : pm_record_status(result), "outputs", outputs,
           "ms", ms, "msg", why[0] != '\0' ? why : NULL, NULL);
}

void pm_lambda_init_error(const PmErrorList *errors)
{
    const char *host = pm_lambda_host();
    PmBuffer all;
    PmError err = {0};
    if (host == NULL) return;
    pm_buffer_init(&all, MESSAGE_MAX);
    pm_buffer_adds(&all, "");
    for (size_t i = 0; i < errors->count; i++) {
        char text[2000], clean[2000];
        pm_error_format(&errors->items[i], text, sizeof text);
        pm_text_utf8(clean, sizeof clean, text);
        pm_buffer_addf(&all, "%s%s", i > 0 ? "\n" : "", clean);
    }
    char *message = all.failed ? NULL : pm_buffer_steal(&all);
    if (pm_runtime_init_error(host, "Pixmill.BadConfig", message != NULL ? message : "too many errors: see the log",
                              &err) != PM_OK)
        pm_log(PM_LOG_ERROR, "lambda.init", "msg", err.message, NULL);
    if (all.failed) pm_buffer_finish(&all);
    free(message);
}

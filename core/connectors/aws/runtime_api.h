/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS Lambda's Runtime API, the runtime's side: the next invocation, its answer or its error, an error of the start.
 * Hides HTTP and that the process is frozen between invocations. Source: "Lambda runtime API" (AWS Lambda Developer
 * Guide).
 */
#ifndef PM_CONNECTORS_AWS_RUNTIME_API_H
#define PM_CONNECTORS_AWS_RUNTIME_API_H

#include "net/http.h"

enum { PM_RUNTIME_PAYLOAD_MAX = 6 * 1024 * 1024 }; /* bytes of an event, and of an answer */

typedef struct PmRuntimeApi PmRuntimeApi;

typedef struct PmInvocationHead {
    char request_id[128];
    char trace_id[512]; /* "" when none */
    char function_arn[256];
    int64_t deadline_ms; /* wall clock, since 1970 */
} PmInvocationHead;

/* `host` is "address:port". Both borrowed; the loop outlives it. New. */
PmRuntimeApi *pm_runtime_api_new(PmLoop *loop, const char *host, PmError *err);
void pm_runtime_api_free(PmRuntimeApi *api); /* cancels what is under way */

/* Waits for the next invocation, without end: the process may be frozen meanwhile. When the connection is lost it is
 * asked for once more. head and body are borrowed for the callback; NULL and err when there is no next. */
typedef void PmRuntimeNext(void *data, const PmInvocationHead *head, const char *body, size_t size, const PmError *err);
bool pm_runtime_next(PmRuntimeApi *api, PmRuntimeNext *done, void *data, PmError *err);

/* err NULL: taken. body is copied. */
typedef void PmRuntimeDone(void *data, const PmError *err);
bool pm_runtime_respond(PmRuntimeApi *api, const char *request_id, const char *body, size_t size, PmRuntimeDone *done,
                        void *data, PmError *err);
/* type is a word such as "Pixmill.BadInput"; message is for people. */
bool pm_runtime_fail(PmRuntimeApi *api, const char *request_id, const char *type, const char *message,
                     PmRuntimeDone *done, void *data, PmError *err);

/* Reports that the runtime cannot start, before the first pm_runtime_next. Blocks, a few seconds at most. */
PmStatus pm_runtime_init_error(const char *host, const char *type, const char *message, PmError *err);

#endif

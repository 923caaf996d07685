/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/signer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/plugin_calls.h"
#include "base/text.h"
#include "connectors/aws/doctor.h"

enum { ORIGIN_MAX = 512 };

typedef struct Signer {
    PmSigner base;
    PmAwsSession *session;
} Signer;

struct PmSignedCall {
    const PmAwsPluginCall *to;
    PmAwsCall *call;
    size_t response_max;
    PmSignedDone *done;
    void *data;
};

static PmStatus judge_url(const char *url, PmError *err)
{
    return pm_aws_plugin_call(url, err) != NULL ? PM_OK : PM_BAD_CONFIG;
}

static PmStatus judge(PmSigner *signer, const char *url, PmError *err)
{
    (void)signer;
    return judge_url(url, err);
}

static PmStatus no_region(PmError *err)
{
    pm_error_set(err, PM_BAD_CONFIG, "AWS is called in a region, and none is set");
    pm_error_hint(err, "set aws.region, AWS_REGION or the profile's region");
    return PM_BAD_CONFIG;
}

PmStatus pm_signer_aws_request(PmAwsSession *session, const PmAwsPluginCall *call, const void *body, size_t size,
                               PmNameValue headers[2], char *origin, size_t origin_size, PmAwsRequest *out,
                               PmError *err)
{
    const PmAwsConfig *config = pm_aws_session_config(session);
    const char *region = pm_aws_session_region(session);
    if (region == NULL) return no_region(err);
    if (pm_aws_plugin_call_origin(call, region, config->endpoint_url, config->fips, origin, origin_size, err) != PM_OK)
        return err->status;
    headers[0] = (PmNameValue){"Content-Type", "application/x-amz-json-1.1"};
    headers[1] = (PmNameValue){"X-Amz-Target", call->target};
    *out = (PmAwsRequest){.protocol = PM_AWS_JSON,
                          .service = call->service,
                          .region = region,
                          .method = "POST",
                          .origin = origin,
                          .path = "/",
                          .headers = headers,
                          .header_count = 2,
                          .body = body,
                          .body_size = size,
                          .has_body = true,
                          .first_byte_timeout_ms = -1}; /* what it computes may take as long as the timeout */
    return PM_OK;
}

static void on_answer(void *data, const PmAwsResponse *response)
{
    PmSignedCall call = *(PmSignedCall *)data;
    PmSignedAnswer answer = {0};
    char name[120], size[40];
    free(data);
    snprintf(name, sizeof name, "%s %s", call.to->service, call.to->operation);
    if (response->http->outcome == PM_LIMIT) {
        pm_text_bytes(size, sizeof size, (int64_t)call.response_max);
        pm_error_set(&answer.error, PM_LIMIT, "the answer is longer than fetch.response_max, %s", size);
    } else if (response->status != PM_OK && response->status != PM_BAD_INPUT) {
        PmError err = {0};
        pm_aws_error(response, name, &err);
        /* Rights and keys are the operator's to mend, and no image's fault: its message waits meanwhile. */
        pm_error_set(&answer.error, PM_TRANSIENT, "%s", err.message);
        if (strstr(response->code, "AccessDenied") != NULL)
            pm_error_hint(&answer.error, "allow %s; `pixmill iam` prints the policy", call.to->action);
    } else {
        answer.http_status = response->http->status;
        answer.content_type = pm_http_header(response->http, "content-type");
        answer.body = response->http->body;
        answer.body_size = response->http->body_size;
    }
    call.done(call.data, &answer);
}

static PmSignedCall *send_call(PmSigner *base, const PmSignedRequest *request, PmSignedDone *done, void *data,
                               PmError *err)
{
    PmAwsSession *session = ((Signer *)base)->session;
    const PmAwsPluginCall *to = pm_aws_plugin_call(request->url, err);
    PmAwsRequest aws;
    PmNameValue headers[2];
    char origin[ORIGIN_MAX];
    if (to == NULL || pm_signer_aws_request(session, to, request->body, request->body_size, headers, origin,
                                            sizeof origin, &aws, err) != PM_OK)
        return NULL;
    aws.response_max = request->response_max;
    aws.length_is_final = true;
    aws.timeout_ms = request->timeout_ms;
    aws.attempts_max = request->attempts_max;
    PmSignedCall *call = calloc(1, sizeof *call);
    if (call == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *call = (PmSignedCall){.to = to, .response_max = request->response_max, .done = done, .data = data};
    call->call = pm_aws_send(pm_aws_session_client(session), &aws, on_answer, call, err);
    if (call->call != NULL) return call;
    free(call);
    return NULL;
}

static void cancel(PmSignedCall *call)
{
    if (call == NULL) return;
    pm_aws_cancel(call->call);
    free(call);
}

static void free_signer(PmSigner *signer)
{
    free(signer);
}

static const PmSignerOps ops = {.judge = judge, .send = send_call, .cancel = cancel, .free = free_signer};

PmSigner *pm_signer_aws_new(PmAwsSession *session, PmError *err)
{
    if (pm_aws_session_region(session) == NULL) {
        no_region(err);
        return NULL;
    }
    Signer *signer = calloc(1, sizeof *signer);
    if (signer == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    signer->base.ops = &ops;
    signer->session = session;
    return &signer->base;
}

static PmSigner *open_signer(PmContext *context, PmError *err)
{
    PmAwsSession *session = pm_aws_session_of(context, err);
    return session != NULL ? pm_signer_aws_new(session, err) : NULL;
}

static const char *action(const char *url)
{
    const PmAwsPluginCall *call = pm_aws_plugin_call(url, NULL);
    return call != NULL ? call->action : NULL;
}

const PmSignerKind pm_signer_aws = {
    .scheme = PM_AWS_SCHEME, .judge = judge_url, .open = open_signer, .doctor = pm_aws_call_doctor, .action = action};

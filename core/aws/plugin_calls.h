/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations of AWS that plugins may call through an endpoint "aws://SERVICE/OPERATION". One table, for the calls,
 * for IAM policies and for `doctor`: an operation that is not in it cannot be called, whatever the pipeline file says.
 * Only such that look at bytes sent along and change nothing.
 * Source: the services' API references (X-Amz-Target, JSON 1.1) and the Service Authorization Reference (actions).
 */
#ifndef PM_AWS_PLUGIN_CALLS_H
#define PM_AWS_PLUGIN_CALLS_H

#include "aws/client.h"

#define PM_AWS_SCHEME "aws://"

typedef struct PmAwsPluginCall {
    const char *service, *operation; /* "rekognition", "DetectFaces"; the service also signs and names the host */
    const char *target;              /* X-Amz-Target */
    const char *action;              /* for IAM; it knows no resources, but for "*" */
    const char *probe; /* a request that is refused for its bytes, where it is allowed, and costs nothing */
} PmAwsPluginCall;

/* By the URL. NULL and PM_BAD_CONFIG with a hint: there is none. */
const PmAwsPluginCall *pm_aws_plugin_call(const char *url, PmError *err);

/* The i-th of all, or NULL beyond the last. */
const PmAwsPluginCall *pm_aws_plugin_call_at(size_t i);

/* Where the service is in that region: AWS_ENDPOINT_URL_SERVICE, `endpoint_url` (may be NULL), AWS_ENDPOINT_URL, AWS's
 * own. PM_BAD_CONFIG: what is set is not a URL. */
PmStatus pm_aws_plugin_call_origin(const PmAwsPluginCall *call, const char *region, const char *endpoint_url, bool fips,
                                   char *out, size_t size, PmError *err);

#endif

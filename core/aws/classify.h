/* SPDX-License-Identifier: Apache-2.0
 *
 * What an HTTP status and a service's error code mean for the work at hand. Hides the lists of AWS's codes. Pure.
 * Source: the error pages of each service, and the "standard" retry mode (AWS SDKs and Tools Reference Guide).
 */
#ifndef PM_AWS_CLASSIFY_H
#define PM_AWS_CLASSIFY_H

#include "base/error.h"

/* `code` is "" when the answer names none. PM_OK only for a 2xx without a code. */
PmStatus pm_aws_classify(int http_status, const char *code);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS credentials, from the first of these that has any: environment, shared profile, web identity, container, IMDSv2.
 * Hides where they come from and when they are renewed: 15 minutes before they expire (of short sessions in their last
 * quarter), in the background, the old ones served on as long as they are valid. Secrets are never logged.
 * Source: "Standardized credential providers" (AWS SDKs and Tools Reference Guide).
 */
#ifndef PM_AWS_CREDENTIALS_H
#define PM_AWS_CREDENTIALS_H

#include "aws/sigv4.h"
#include "net/http.h"

typedef struct PmCredentials PmCredentials;

typedef struct PmCredentialsOptions {
    const char *profile;        /* NULL: AWS_PROFILE, else "default"; one that is named has to exist */
    const char *region;         /* for STS; NULL: as pm_aws_region finds it */
    int64_t process_timeout_ms; /* of credential_process; 0: 60 s */
} PmCredentialsOptions;

/* New; makes no request yet. */
PmCredentials *pm_credentials_new(PmLoop *loop, PmHttp *http, const PmCredentialsOptions *options, PmError *err);
/* New; always these. Copied. */
PmCredentials *pm_credentials_fixed(const char *access_key_id, const char *secret_access_key,
                                    const char *session_token);
void pm_credentials_free(PmCredentials *credentials);

/* Calls back with credentials (borrowed for the call), or with NULL and the error: PM_BAD_CONFIG when there are none
 * and what was tried, PM_TRANSIENT when a provider did not answer. May call back at once. Returns a waiting call to
 * cancel, or NULL when it called back already. */
typedef void PmCredentialsReady(void *data, const PmSigningCredentials *found, const PmError *err);
typedef struct PmCredentialsWait PmCredentialsWait;
PmCredentialsWait *pm_credentials_get(PmCredentials *credentials, PmCredentialsReady *ready, void *data);
void pm_credentials_cancel(PmCredentialsWait *wait); /* NULL is fine */

/* Counts the renewals: which credentials a request was signed with. */
unsigned pm_credentials_generation(const PmCredentials *credentials);

/* A service said ExpiredToken, or may have, to a request signed with that generation: the next get renews them, once a
 * minute at most; the old ones serve on when that fails. false: no others are to be expected, so no other answer. */
bool pm_credentials_expire(PmCredentials *credentials, unsigned generation);

/* Where they came from, for `doctor` and logs: "environment", "profile photos", "IMDS role web". "" when none yet. */
const char *pm_credentials_source(const PmCredentials *credentials);

/* The region: AWS_REGION, AWS_DEFAULT_REGION, the profile's. false when none is set. Checked as a label. */
bool pm_aws_region(const char *profile, char *out, size_t size);

#endif

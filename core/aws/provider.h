/* SPDX-License-Identifier: Apache-2.0
 *
 * Where credentials come from: one provider a function, tried in order by credentials.c. Not for use outside this
 * folder's credentials*.c and provider_*.c.
 */
#ifndef PM_AWS_PROVIDER_H
#define PM_AWS_PROVIDER_H

#include "aws/client.h"
#include "aws/profile.h"

enum { PM_TOKEN_MAX = 16 * 1024, PM_TOKEN_FILE_MAX = 64 * 1024 };

/* What a provider found. Cleansed when replaced. */
typedef struct PmFound {
    char access_key_id[160], secret_access_key[201];
    char *session_token; /* owned; NULL: none */
    int64_t expires_ms;  /* wall clock; 0: never */
    bool no_memory;      /* what was there could not be kept: it may well be right */
    char source[128];
} PmFound;
void pm_found_clear(PmFound *found);
/* Fills a PmFound; false when something is missing or too long. expires: ISO 8601, or NULL for never. */
bool pm_found_set(PmFound *found, const char *access_key_id, const char *secret, const char *token, const char *expires,
                  const char *source);
/* The same from {AccessKeyId, SecretAccessKey, Token or SessionToken, Expiration} as IMDS, containers and
 * credential_process write it. */
bool pm_found_from_json(PmFound *found, const char *text, size_t size, const char *source);

/* One walk along the providers. */
typedef struct PmSearch PmSearch;
struct PmSearch {
    PmLoop *loop;
    PmHttp *http;
    char profile[128], region[64];
    bool named; /* the profile was asked for by name */
    int64_t process_timeout_ms;
    PmProfiles *profiles;
    int step; /* of the provider at work */
    PmFound found;
    char tried[512]; /* "environment, profile default, ..." for the message when nothing is found */
    /* What the provider at work holds; freed by pm_search_release. */
    PmHttpCall *call;
    PmAwsClient *sts;
    PmCredentials *sts_credentials;
    void *process;
    char *body; /* of the request under way */
    char scratch[PM_TOKEN_MAX];
    void *owner;
};

/* How a provider ends, exactly one of these: */
void pm_search_found(PmSearch *search);                     /* search->found is filled */
void pm_search_absent(PmSearch *search, const char *tried); /* not set up here: the next one's turn */
void pm_search_failed(PmSearch *search, PmStatus status, const char *fmt, ...)
    PM_PRINTF(3, 4);                      /* set up, but does not work */
void pm_search_release(PmSearch *search); /* lets go of calls and processes */

typedef void PmProvider(PmSearch *search);
PmProvider pm_provider_environment;
PmProvider pm_provider_profile;
PmProvider pm_provider_web_identity;
PmProvider pm_provider_container;
PmProvider pm_provider_imds;

/* STS, for two of them. `source` NULL: unsigned AssumeRoleWithWebIdentity with `token`. */
typedef struct PmAssumeRole {
    const char *role_arn, *session_name, *external_id, *token, *label;
    const char *region; /* "": us-east-1 */
    int64_t duration_s; /* 0: the role's default */
    const PmFound *source;
} PmAssumeRole;
void pm_provider_assume_role(PmSearch *search, const PmAssumeRole *role);

/* New: a token's file without the white space at its end. NULL and err set: unreadable, empty, longer than 64 KiB, or
 * not text. Read afresh for each renewal, since such files are rotated. */
char *pm_provider_token_file(const char *path, const char *what, PmError *err);

/* Runs credential_process, split into words without a shell, in a process group of its own. */
void pm_provider_process(PmSearch *search, const char *command, const char *label);
void pm_provider_process_cancel(void *process);

#endif

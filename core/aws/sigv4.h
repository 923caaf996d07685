/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS Signature Version 4, in headers and in a query string (presigning). Hides canonical requests and key
 * derivation. Pure: time, region and credentials come in. Source: "Signature Version 4 signing process", AWS IAM
 * User Guide; checked against the official vectors.
 */
#ifndef PM_AWS_SIGV4_H
#define PM_AWS_SIGV4_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    PM_SIGV4_EXPIRES_MAX = 604800, /* seconds a presigned URL may live */
    PM_SIGV4_PAIRS_MAX = 64,
    PM_SIGV4_REQUEST_MAX = 64 * 1024 /* bytes of a canonical request */
};

#define PM_SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

typedef struct PmNameValue {
    const char *name, *value; /* borrowed */
} PmNameValue;

/* Credentials as far as signing goes; borrowed. */
typedef struct PmSigningCredentials {
    const char *access_key_id, *secret_access_key;
    const char *session_token; /* NULL: none */
} PmSigningCredentials;

typedef struct PmSigning {
    const char *method;
    /* The path as it goes over the wire, percent-encoded by the caller. S3 signs it verbatim; for other services set
     * encode_path (it is encoded once more) and normalize. */
    const char *path;
    bool encode_path, normalize;
    const PmNameValue *query; /* decoded; encoded and sorted here */
    size_t query_count;
    const PmNameValue *headers; /* Host included; x-amz-date and the token are added here */
    size_t header_count;
    const char *payload_hash; /* hex SHA-256 of the body, or PM_SIGV4_UNSIGNED_PAYLOAD */
    const char *service, *region;
    int64_t time_s;           /* seconds since 1970 UTC, clock offset already applied */
    bool token_after_signing; /* the session token is sent but not signed (AWS IoT); else it is signed */
} PmSigning;

/* Remembers the derived key of one day, region, service and secret. Zero it to start; no secret outlives
 * pm_signing_key_clear. */
typedef struct PmSigningKey {
    char scope[160];
    unsigned char secret_hash[32], key[32];
    bool valid;
} PmSigningKey;
void pm_signing_key_clear(PmSigningKey *key);

typedef struct PmSignature {
    char date[17];            /* value of x-amz-date */
    char authorization[2048]; /* value of Authorization; empty when presigning */
    char signature[65];
} PmSignature;

/* Signs in headers. The caller sends x-amz-date and Authorization from *out, and x-amz-security-token when there is a
 * token. `key` may be NULL. PM_BUG: too many headers or too long. */
PmStatus pm_sigv4_sign(const PmSigning *request, const PmSigningCredentials *credentials, PmSigningKey *key,
                       PmSignature *out, PmError *err);

/* Signs in the query: appends the complete query string (the request's own parameters first sorted in, the signature
 * last), without '?', to `query`. expires_s is 1 to PM_SIGV4_EXPIRES_MAX, else PM_BAD_CONFIG. */
PmStatus pm_sigv4_presign(const PmSigning *request, const PmSigningCredentials *credentials, int64_t expires_s,
                          PmSigningKey *key, PmBuffer *query, PmError *err);

/* Appends the query string as it goes over the wire: sorted by encoded name, then value; `k=` for empty ones. */
void pm_sigv4_query(PmBuffer *out, const PmNameValue *query, size_t count);

/* The intermediate texts, for tests and for `--log-level debug`. expires_s 0: header form. */
PmStatus pm_sigv4_canonical_request(const PmSigning *request, const PmSigningCredentials *credentials,
                                    int64_t expires_s, PmBuffer *out, PmError *err);
PmStatus pm_sigv4_string_to_sign(const PmSigning *request, const char *canonical_request, PmBuffer *out, PmError *err);

/* Hex SHA-256 of bytes. */
void pm_sha256_hex(const void *bytes, size_t size, char out[65]);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls to services that want a signature, for those who hold no credentials: workers ask, connectors sign. One struct
 * of operations, so that neither knows the other.
 */
#ifndef PM_NET_SIGNER_H
#define PM_NET_SIGNER_H

#include "base/error.h"

typedef struct PmSigner PmSigner;
typedef struct PmSignedCall PmSignedCall;

typedef struct PmSignedRequest {
    const char *url;  /* "aws://rekognition/DetectFaces" */
    const void *body; /* borrowed until the call is done */
    size_t body_size;
    size_t response_max; /* bytes */
    int64_t timeout_ms;  /* of one attempt */
    int attempts_max;
} PmSignedRequest;

/* Borrowed for the call. */
typedef struct PmSignedAnswer {
    PmError error;   /* PM_OK: the service answered; a refusal of this very request is an answer, too. PM_LIMIT: longer
                        than response_max. PM_TRANSIENT: anything else, also what an operator has to allow first */
    int http_status; /* as all below only with PM_OK */
    const char *content_type; /* or NULL */
    const void *body;
    size_t body_size;
} PmSignedAnswer;

typedef void PmSignedDone(void *data, const PmSignedAnswer *answer);

typedef struct PmSignerOps {
    /* PM_OK, or PM_BAD_CONFIG: there is no such call. */
    PmStatus (*judge)(PmSigner *signer, const char *url, PmError *err);
    /* `done` comes once, never from here, unless cancelled. NULL and err set when it cannot start. */
    PmSignedCall *(*send)(PmSigner *signer, const PmSignedRequest *request, PmSignedDone *done, void *data,
                          PmError *err);
    void (*cancel)(PmSignedCall *call);
    void (*free)(PmSigner *signer); /* every call has ended or been cancelled before */
} PmSignerOps;

struct PmSigner {
    const PmSignerOps *ops;
};

#endif

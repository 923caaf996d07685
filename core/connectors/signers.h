/* SPDX-License-Identifier: Apache-2.0
 *
 * Who signs what plugins call: one table for each scheme of endpoints beside http and https. registry.c lists them.
 */
#ifndef PM_CONNECTORS_SIGNERS_H
#define PM_CONNECTORS_SIGNERS_H

#include "connectors/connector.h"
#include "net/signer.h"

typedef struct PmSignerKind {
    const char *scheme; /* "aws://" */
    /* Of the URL alone. PM_OK, or PM_BAD_CONFIG. */
    PmStatus (*judge)(const char *url, PmError *err);
    /* New. PM_BAD_CONFIG: something is missing that every call needs. */
    PmSigner *(*open)(PmContext *context, PmError *err);
    /* Tries whether the call is allowed. */
    void (*doctor)(struct PmDoctor *doctor, const char *url);
    /* The action that the call needs, or NULL. Static. */
    const char *(*action)(const char *url);
} PmSignerKind;

extern const PmSignerKind *const pm_signer_kinds[]; /* ended by NULL */

/* NULL: nobody signs such calls. */
const PmSignerKind *pm_signer_kind_of(const char *url);

/* The i-th endpoint that READY declares and somebody has to sign; NULL beyond the last. *at its entry. */
const char *pm_signed_endpoint(const json_t *ready, size_t i, const json_t **at);

/* Every one of them: PM_BAD_CONFIG at its place for those that nobody may call. */
void pm_signed_endpoints_check(const PmPipeline *pipeline, const json_t *ready, PmErrorList *errors);
/* An error about one of them, at its place. */
void pm_signed_endpoint_error(const PmPipeline *pipeline, const json_t *at, PmError *err, PmErrorList *errors);

#endif

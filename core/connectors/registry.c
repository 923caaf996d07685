/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "connectors/aws/connectors.h"
#include "connectors/aws/signer.h"
#include "connectors/connector.h"
#include "connectors/file/connectors.h"

/* Every connector there is. Messages and reference pages name them in this order. */
#define CONNECTORS(X) X(directory) X(file) X(s3) X(sqs) X(lambda)

#define CONNECTOR(name) &pm_connector_##name,
#define KIND(name)      &pm_kind_##name,

const PmConnector *const pm_connectors[] = {CONNECTORS(CONNECTOR) NULL};
const PmKind *const pm_kinds[] = {CONNECTORS(KIND) NULL};

const PmSignerKind *const pm_signer_kinds[] = {&pm_signer_aws, NULL};

const PmConnector *pm_connector_of(const PmKind *kind)
{
    for (size_t i = 0; pm_connectors[i] != NULL; i++)
        if (pm_connectors[i]->kind == kind) return pm_connectors[i];
    return NULL;
}

const PmConnector *pm_connector_named(const char *name)
{
    for (size_t i = 0; pm_connectors[i] != NULL; i++)
        if (strcmp(pm_connectors[i]->kind->name, name) == 0) return pm_connectors[i];
    return NULL;
}

const PmConnector *pm_connector_hosting(const char **host)
{
    for (size_t i = 0; pm_connectors[i] != NULL; i++) {
        *host = pm_connectors[i]->host != NULL ? pm_connectors[i]->host() : NULL;
        if (*host != NULL) return pm_connectors[i];
    }
    return NULL;
}

void *pm_context_part(PmContext *context, const PmFamily *family, PmError *err)
{
    for (size_t i = 0; i < PM_FAMILIES_MAX; i++) {
        if (context->parts[i].family == family) return context->parts[i].part;
        if (context->parts[i].family != NULL) continue;
        void *part = family->open(context, err);
        if (part == NULL) return NULL;
        context->parts[i].family = family;
        context->parts[i].part = part;
        return part;
    }
    pm_error_set(err, PM_BUG, "too many families of connectors");
    return NULL;
}

void pm_context_finish(PmContext *context)
{
    for (size_t i = PM_FAMILIES_MAX; i-- > 0;) {
        if (context->parts[i].family != NULL) context->parts[i].family->close(context->parts[i].part);
        context->parts[i].family = NULL;
        context->parts[i].part = NULL;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/signers.h"

#include <string.h>

#include "base/text.h"

const PmSignerKind *pm_signer_kind_of(const char *url)
{
    for (size_t i = 0; pm_signer_kinds[i] != NULL; i++)
        if (strncmp(url, pm_signer_kinds[i]->scheme, strlen(pm_signer_kinds[i]->scheme)) == 0)
            return pm_signer_kinds[i];
    return NULL;
}

const char *pm_signed_endpoint(const json_t *ready, size_t i, const json_t **at)
{
    *at = json_array_get(json_object_get(ready, "endpoints"), i);
    return json_string_value(json_object_get(*at, "url"));
}

void pm_signed_endpoint_error(const PmPipeline *pipeline, const json_t *at, PmError *err, PmErrorList *errors)
{
    const char *where = json_string_value(json_object_get(at, "where")),
               *param = json_string_value(json_object_get(at, "param"));
    char crumbs[sizeof err->where];
    pm_text_escape(crumbs, sizeof crumbs, where != NULL ? where : "");
    if (param != NULL) pm_error_context(err, "%.60s", param);
    if (crumbs[0] != '\0') pm_error_context(err, "%s", crumbs);
    pm_error_place(err, pipeline->file, (int)json_integer_value(json_object_get(at, "line")),
                   (int)json_integer_value(json_object_get(at, "column")));
    pm_error_list_add(errors, err);
}

void pm_signed_endpoints_check(const PmPipeline *pipeline, const json_t *ready, PmErrorList *errors)
{
    const json_t *at;
    const char *url;
    for (size_t i = 0; (url = pm_signed_endpoint(ready, i, &at)) != NULL; i++) {
        PmError err = {0};
        const PmSignerKind *kind = pm_signer_kind_of(url);
        if (kind == NULL)
            pm_error_set(&err, PM_BAD_CONFIG, "nobody can sign calls to such an endpoint");
        else
            kind->judge(url, &err);
        if (err.status != PM_OK) pm_signed_endpoint_error(pipeline, at, &err, errors);
    }
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that can be written in a pipeline file, as JSON Schema, as a description and as Markdown,
 * made from the same PmParam tables that decode_params.h reads with.
 */
#ifndef PM_PIPELINE_SCHEMA_H
#define PM_PIPELINE_SCHEMA_H

#include <jansson.h>

#include "pipeline/kind.h"

/* JSON Schema (draft 2020-12) of an object with these parameters; unknown keys refused. New. */
json_t *pm_schema_object(const PmParam *params, size_t count);

/* [{name, type, required, default, min, max, choices, unit, doc, secret, deprecated}..]. New. This is what
 * travels from worker to broker, and what pm_schema_from_description reads back. */
json_t *pm_schema_describe(const PmParam *params, size_t count);

/* JSON Schema of an object from such a description. New. */
json_t *pm_schema_from_description(const json_t *params);

/* A Markdown table of such a description, into a string that the caller frees. */
char *pm_schema_markdown(const json_t *params);

/* The whole pipeline's JSON Schema; `kinds` is what it may be connected to, ended by NULL, `plugins` is the array of
 * plugin descriptions that DESCRIBED brings:
 * [{name, kind: apply|inspect|encode, summary, version, file, params: [..], facts: [..], mime_types: [..]}..]. New. */
json_t *pm_schema_pipeline(const PmKind *const *kinds, const json_t *plugins);

/* The reference page of the pipeline file (all sections and keys, from the tables), caller frees. */
char *pm_schema_pipeline_markdown(const PmKind *const *kinds);

#endif

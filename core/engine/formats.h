/* SPDX-License-Identifier: Apache-2.0
 *
 * What this build reads and writes, which differs with libvips and the libraries beside it. Hides how each is found
 * out.
 */
#ifndef PM_ENGINE_FORMATS_H
#define PM_ENGINE_FORMATS_H

#include <jansson.h>

#include "pipeline/pipeline.h"
#include "pipeline/sniff.h"

/* Once per process, when libvips has been started and files may still be opened. */
void pm_formats_setup(void);

/* True when there is a decoder: of the format, not only of its container. */
bool pm_formats_reads(PmFormat format);
/* The same for an encoder. */
bool pm_formats_writes(PmFormat format);

/* {"jpeg": {"load": true, "save": true}, ..}: all that pixmill knows. New. */
json_t *pm_formats_describe(void);

/* PM_BAD_INPUT, with what is read instead. */
PmStatus pm_formats_refuse(PmFormat format, PmError *err);

/* A codec's message says that it was not made for this kind of file, rather than that the file is damaged. */
bool pm_formats_lacks(const char *text);

/* Adds a warning to the array for each format that the file names in limits.formats or in a `when` and that is not
 * read. The default list does not count: it is what pixmill knows, and not all of it is everywhere. */
void pm_formats_warn(const PmPipeline *pipeline, json_t *warnings);

#endif

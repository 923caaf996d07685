/* SPDX-License-Identifier: Apache-2.0
 *
 * What an image may claim before anything is decoded. Each refusal names the limit, what was found, and the YAML
 * key to change. Pure.
 */
#ifndef PM_ENGINE_LIMITS_H
#define PM_ENGINE_LIMITS_H

#include "pipeline/pipeline.h"
#include "pipeline/sniff.h"

/* All return PM_OK, or PM_LIMIT (PM_BAD_INPUT for what is not an image of a listed format) with err set. */
PmStatus pm_limits_check_file(const PmLimits *limits, size_t bytes, PmError *err);
PmStatus pm_limits_check_format(const PmLimits *limits, PmFormat format, PmError *err);
/* Width and height of one page, in pixels. */
PmStatus pm_limits_check_size(const PmLimits *limits, int64_t width, int64_t height, int64_t pages, PmError *err);
/* Processor time of a job of which so many frames are decoded and so many pixels written (of which no more than
 * limits.pixels count), ms; 0: no limit. limits.cpu_time is for one small picture; as much again for each 16 frames
 * more, and for each 4 megapixels, but no longer than limits.wall_time. */
int64_t pm_limits_cpu_ms(const PmLimits *limits, int64_t frames, int64_t written);

/* How many frames or pages the file holds, whether or not they are needed: a codec walks through them to open it, at
 * some 10 us each. */
PmStatus pm_limits_check_held(const PmLimits *limits, PmFormat format, int64_t pages, PmError *err);
PmStatus pm_limits_check_metadata(const PmLimits *limits, size_t icc, size_t all, PmError *err);
PmStatus pm_limits_check_memory(const PmLimits *limits, int64_t bytes, PmError *err);
PmStatus pm_limits_check_output(const PmLimits *limits, int64_t width, int64_t height, PmError *err);

#endif

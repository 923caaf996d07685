/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the nsfw-hook plugin share: the step's configuration.
 */
#ifndef NSFW_HOOK_H
#define NSFW_HOOK_H

#include <vips/vips.h>

#include <pixmill/plugin.h>

enum { MODE_STUB, MODE_HTTP };
enum { ON_ERROR_FAIL, ON_ERROR_REJECT, ON_ERROR_PASS };

typedef struct Config {
    int32_t mode;
    double threshold, flag_threshold;
    const char *label;
    double stub_score;
    PmList stub_scores;
    const char *endpoint;
    int64_t timeout_ms, size, frames;
    const char *score_field, *label_field;
    int32_t on_error;
} Config;

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks a classifier over HTTP: a small JPEG goes out, a JSON answer with a score comes back. Hides pictures, requests
 * and answers. The exchange itself is the broker's.
 */
#ifndef NSFW_HOOK_REMOTE_H
#define NSFW_HOOK_REMOTE_H

#include "nsfw_hook.h"

enum { WHY_MAX = 256 };

/* Sets score and label of the worst of config->frames pages. PM_OK; PM_TRANSIENT with the reason in `why` when there is
 * no usable answer, nothing said to the host yet; any other status is said and final (the image is damaged). */
PmStatus remote_score(const PmHost *host, PmJob *job, const Config *config, VipsImage *in, PmVerdict *verdict,
                      char why[WHY_MAX]);

/* From an answer such as {"nsfw": {"score": 0.93, "label": "explicit"}}. False with the reason in `why`. */
bool remote_read(const Config *config, const char *body, size_t size, PmVerdict *verdict, char why[WHY_MAX]);

/* Whether `path` is names or list places joined by dots: "nsfw.score", "predictions.0.score". */
bool remote_path_good(const char *path);

#endif

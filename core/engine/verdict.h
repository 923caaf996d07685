/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a picture that an inspector refuses but the pipeline goes on with.
 */
#ifndef PM_ENGINE_VERDICT_H
#define PM_ENGINE_VERDICT_H

#include "engine/picture.h"

const char *pm_decision_name(PmDecision decision); /* "pass", "flag", "reject" */
const char *pm_on_reject_name(PmOnReject on_reject);

/* Blurs every page beyond recognition: about 24 blobs along the longer side, whatever the size. Metadata that may hold
 * a thumbnail or a description go. False with libvips' error buffer set. */
bool pm_picture_blur(PmPicture *picture);

/* Replaces every page by flat, opaque neutral grey of the same size and number of bands. */
bool pm_picture_placeholder(PmPicture *picture);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Who read a decoder's rows out of order? libvips says only that somebody did, and only where the pixels are wanted: in
 * the encoder. So while a picture streams, what each step reads passes through here, and how far back it went is kept.
 */
#ifndef PM_ENGINE_ORDER_H
#define PM_ENGINE_ORDER_H

#include "engine/internal.h"

/* Replaces the picture's strip by one that is watched on behalf of `reader`, when it streams. False: libvips failed. */
bool pm_order_watch(PmRun *run, PmPicture *picture, const PmInstance *reader);

/* Nothing streams any more: what was read before does not matter. */
void pm_order_forget(PmRun *run);

/* When `text` is libvips' word for rows read out of order and a step is found that did it: err is set to its bug, and
 * true. */
bool pm_order_blame(PmRun *run, const char *text, PmError *err);

#endif

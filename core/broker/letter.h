/* SPDX-License-Identifier: Apache-2.0
 *
 * What a queue's message asks for: its upload events judged by the pipeline's allow-list, as objects to work on. Pure.
 */
#ifndef PM_BROKER_LETTER_H
#define PM_BROKER_LETTER_H

#include "broker/trigger.h"

/* Reads a message's body into event->objects and count. Records of other kinds of events and all but the newest of one
 * key are left out. event->error is set, PM_BAD_INPUT, when the body is no upload event or a record names an object
 * that source.s3 does not allow; objects that it does allow are there nonetheless. false: out of memory. */
bool pm_letter_read(const PmPipeline *pipeline, const char *body, size_t size, PmEvent *event);

/* The reason that a dead letter is filed under: "plugin_crash:watermark:SIGSEGV", "rejected", "limit". */
const char *pm_letter_reason(const PmFate *fate);

#endif

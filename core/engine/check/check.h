/* SPDX-License-Identifier: Apache-2.0
 *
 * `pixmill plugin check`: does a plugin keep the rules of pixmill/plugin.h? Hides the forked children in which each
 * question is asked, so that a plugin that crashes, hangs or exits fails only that check.
 */
#ifndef PM_ENGINE_CHECK_H
#define PM_ENGINE_CHECK_H

#include <jansson.h>

#include "base/ipc.h"

/* Where plugins run. Each call is made in a child, for good, and returns PM_OK or says why the child must end. */
typedef struct PmCheckRoom {
    void *data;
    /* Before the plugin is opened: as for constructors and create(). `page` takes what a fatal signal has to tell. */
    PmStatus (*confine)(void *data, const char *file, PmProgress *page, PmError *err);
    /* After create(): as for a job. `fonts`: the plugin draws text. */
    PmStatus (*enter)(void *data, bool fonts, PmError *err);
    int tier; /* that the host lets it have: see worker/sandbox.h */
} PmCheckRoom;

/* [{name, ok, message}..] in the order asked: new. `params` is a YAML mapping for the step, or NULL: then values are
 * made up for what the plugin requires. `room` NULL: with no more protection than that of a process, for tests. The
 * questions after a failed handshake are left out, and so is the rest after a hang. libvips is set up already
 * (pm_engine_setup) but has no threads in this process: they would not survive the forks. Takes some seconds; at most
 * PM_CHECK_SECONDS for each question. */
json_t *pm_check_plugin(const char *file, const char *params, const PmCheckRoom *room);

enum { PM_CHECK_SECONDS = 15 };

#endif

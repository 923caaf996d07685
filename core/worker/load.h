/* SPDX-License-Identifier: Apache-2.0
 *
 * From a LOAD message to a pipeline with its engine, ready to be inherited by children.
 */
#ifndef PM_WORKER_LOAD_H
#define PM_WORKER_LOAD_H

#include "engine/engine.h"
#include "worker/sandbox.h"

enum { PM_LOAD_SECONDS = 60 };

typedef struct PmLoad {
    PmProbe probe;
    PmError early; /* what went wrong in pm_load_begin */
    PmPipeline *pipeline;
    PmEngine *engine;
    json_t *env;     /* {NAME: value}, owned */
    json_t *message; /* what the strings below belong to, owned */
    const char **plugin_dirs;
    PmSandbox sandbox;
    bool probed; /* the above is known */
    bool check;  /* only validated: nothing will be spawned */
    int64_t jobs_per_child;
    bool fetch; /* the broker carries out FETCH */
    PmSink log; /* for what plugins say in create(): its `log` */
} PmLoad;

/* The slow part that every pipeline needs: probes the sandbox and starts libvips. It may run before
 * LOAD arrives; its failures are reported by pm_load. */
void pm_load_begin(PmLoad *load);

/* Does all of LOAD, up to but without entering namespaces. *ready is the body of READY (new). Every error that can be
 * found goes to `errors`; false then, and *ready NULL. A plugin that crashes, or hangs for PM_LOAD_SECONDS, is an
 * error too, and the process must end after it. Once, after pm_load_begin. */
bool pm_load(PmLoad *load, PmMessage *message, json_t **ready, PmErrorList *errors);

/* What the sandbox can do here: from now on load->sandbox is set. */
void pm_load_probe(PmLoad *load);

/* Before plugins are opened without a LOAD: confines the process, for good. */
PmStatus pm_load_confine(PmLoad *load, const char *const *plugin_dirs, PmError *err);

/* When a plugin ends the process by exit() while pm_load is at work: the error to send last. false: it is not. */
bool pm_load_interrupted(PmError *err);

/* An array of strings as a NULL-terminated C array, whose strings belong to `names` (free the array only). NULL and
 * `err` when it is not such an array, or longer than a thousand. */
const char **pm_load_strings(const json_t *names, const char *what, PmError *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that plugins ask for and the broker carries out: the worker opens no socket. Over HTTP only URLs that stand
 * in the pipeline file are asked, no redirect is followed, link-local addresses only when `fetch.link_local` allows
 * them. Endpoints of other schemes are calls that a signer makes: of those that the file or a plugin's defaults named
 * when the pipeline was loaded.
 */
#ifndef PM_WORKERS_FETCH_H
#define PM_WORKERS_FETCH_H

#include "base/ipc.h"
#include "base/loop.h"
#include "net/signer.h"
#include "pipeline/pipeline.h"
#include "workers/names.h"

typedef struct PmFetcher PmFetcher;
typedef struct PmFetch PmFetch;

/* Who signs calls to such a URL; NULL and err: nobody. Belongs to whom was asked, and outlives the fetches. */
typedef PmSigner *PmFindSigner(void *data, const char *url, PmError *err);

/* New; loop and pipeline outlive it. `find` NULL: there are no signers. */
PmFetcher *pm_fetcher_new(PmLoop *loop, const PmPipeline *pipeline, PmFindSigner *find, void *data, PmError *err);
void pm_fetcher_free(PmFetcher *fetcher); /* every fetch has ended or been cancelled before */

/* Carries out FETCH's body (borrowed for the call); the request's body is given away to it. `declared`: the URLs that
 * READY declared, as keys, borrowed for the call. `done` comes once, never
 * from here: with FETCHED's body, borrowed, and a memfd of the answer's body, borrowed, or -1. An error is told in the
 * same way. `names`: of the job, for log lines; outlives the fetch. NULL: out of memory. */
typedef void PmFetchDone(void *data, const json_t *fetched, int body_fd);
PmFetch *pm_fetch_start(PmFetcher *fetcher, const json_t *request, PmMapping body, const json_t *declared,
                        const PmJobNames *names, PmFetchDone *done, void *data);
void pm_fetch_cancel(PmFetch *fetch); /* NULL is fine */

/* --- for tests --- */

/* Whether a text is the value of something below `steps` or `outputs.*.steps`. */
bool pm_fetch_is_declared(const PmPipeline *pipeline, const char *url);

#endif

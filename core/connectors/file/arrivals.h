/* SPDX-License-Identifier: Apache-2.0
 *
 * The files that a folder trigger has found and is not done with, each once, by its key. Hides two queues (ready to be
 * handed over; later) and an index by key, so that nothing searches a list. Knows nothing of files.
 */
#ifndef PM_CONNECTORS_FILE_ARRIVALS_H
#define PM_CONNECTORS_FILE_ARRIVALS_H

#include <stddef.h>

#include "connectors/file/file_version.h"

typedef enum PmArrivalState { PM_ARRIVAL_READY, PM_ARRIVAL_LATER, PM_ARRIVAL_TAKEN } PmArrivalState;

typedef struct PmArrival {
    PmArrivalState state; /* read only, as all of these: */
    char *key;
    struct PmArrival *previous, *next, *chain;
    int64_t due_ms;
    /* the trigger's: */
    PmFileVersion version; /* when it was looked at last */
    int64_t since_ms;      /* when `version` was seen first, monotonic */
    int64_t found_ms;      /* when the file was */
    bool closed;           /* somebody has finished writing it, or moved it here */
    int tries, attempt;
} PmArrival;

typedef struct PmArrivals PmArrivals;

/* New; NULL without memory. max: how many are kept at the same time. */
PmArrivals *pm_arrivals_new(size_t max);
void pm_arrivals_free(PmArrivals *arrivals); /* NULL is fine */

PmArrival *pm_arrivals_find(const PmArrivals *arrivals, const char *key);

/* Adds one that is not there, at the end of those that are ready. NULL: there are `max`, or no memory is left. */
PmArrival *pm_arrivals_add(PmArrivals *arrivals, const char *key);

/* To the end of those that are ready, from any state. */
void pm_arrivals_ready(PmArrivals *arrivals, PmArrival *arrival);
/* Not before due_ms (monotonic), from any state. */
void pm_arrivals_later(PmArrivals *arrivals, PmArrival *arrival, int64_t due_ms);
/* The first that is ready is the caller's until it says otherwise; NULL: none. */
PmArrival *pm_arrivals_take(PmArrivals *arrivals);
/* Forgets and frees it. */
void pm_arrivals_drop(PmArrivals *arrivals, PmArrival *arrival);

/* Makes ready what is due by now; when the next is, or INT64_MAX. */
int64_t pm_arrivals_ripen(PmArrivals *arrivals, int64_t now_ms);

/* Those that are ready, by their keys. */
void pm_arrivals_sort(PmArrivals *arrivals);

size_t pm_arrivals_count(const PmArrivals *arrivals, PmArrivalState state);

#endif

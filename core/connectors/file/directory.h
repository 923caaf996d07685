/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the folder trigger: finding files (directory_find.c), handing them over (trigger_directory.c), settling them
 * (directory_settle.c).
 */
#ifndef PM_CONNECTORS_FILE_DIRECTORY_H
#define PM_CONNECTORS_FILE_DIRECTORY_H

#include <limits.h>

#include "connectors/file/arrivals.h"
#include "connectors/file/disposition.h"
#include "connectors/file/seen.h"
#include "connectors/file/settings.h"
#include "connectors/file/watches.h"
#include "connectors/trigger.h"

enum {
    PM_DIRECTORY_SETTLED_MS = 1000,    /* unchanged for so long: finished */
    PM_DIRECTORY_LATER_MAX_MS = 30000, /* longest pause before anything is tried again */
    PM_DIRECTORY_RESCAN_MS = 200,
    PM_DIRECTORY_ARRIVALS_MAX = 20000, /* more are found by another scan when these are done */
    PM_DIRECTORY_GIVEN_UP_MAX = 256
};

typedef struct PmDirectory PmDirectory;

/* Handed over, until it is settled. */
typedef struct PmDirectoryEntry {
    PmEvent event;
    PmObject object;
    PmArrival *arrival;
    PmFileVersion version;
    struct PmDirectoryEntry *previous, *next;
    /* while it is set aside: */
    PmDirectory *trigger;
    PmDisposition *disposition;
    PmHelperJob *job;
    PmTimer *again;
    int tries;
    PmDispositionOutcome outcome;
    PmError err;
    void (*done)(void *data, const PmError *err);
    void *data;
} PmDirectoryEntry;

struct PmDirectory {
    PmTrigger base;
    PmLoop *loop;
    PmHelper *helper;
    const PmDirectoryTrigger *config;
    const PmPipeline *pipeline;
    const char *digest;
    char *folder, *aside[3]; /* absolute; done, failed, quarantine */
    int inotify;
    PmWatch *watch;
    PmWatches *watches;
    PmArrivals *arrivals;
    PmSeen *seen; /* settle: keep; NULL until the first scan while another session has it */
    PmDirectoryEntry *open;
    size_t open_count, wanted, stuck; /* stuck: asides that wait for another try */
    PmFileVersion given_up[PM_DIRECTORY_GIVEN_UP_MAX];
    size_t given_up_next;
    PmTimer *timer, *tick, *rescan;
    int64_t tick_due;
    bool once, scanned, more; /* more: there was no room for all that a scan found */
    bool stopped, unsaved_told;
};

/* "FOLDER/KEY"; false: no path is so long. */
bool pm_directory_path(const PmDirectory *t, const char *key, char out[PATH_MAX]);
/* Is it one of done, failed and quarantine? */
bool pm_directory_is_aside(const PmDirectory *t, const char *path);

/* --- directory_find.c --- */
PmStatus pm_directory_watch(PmDirectory *t, PmError *err);
/* Everything there is now below a key; "" for all. */
void pm_directory_scan(PmDirectory *t, const char *key);
void pm_directory_rescan(PmDirectory *t, int64_t delay_ms);
/* By what is known of it: 0 when it has settled, else how long until more is known. */
int64_t pm_directory_unsettled_ms(const PmArrival *arrival, int64_t now_ms);
void pm_directory_again(PmDirectory *t, PmArrival *arrival, int64_t delay_ms);

/* --- trigger_directory.c --- */
/* The configured path, or `standard` inside the folder. New; NULL: out of memory. */
char *pm_directory_place(const PmPipeline *pipeline, const char *folder, const char *configured, const char *standard);
void pm_directory_soon(PmDirectory *t); /* hand over in the loop's next turn */
void pm_directory_free_entry(PmDirectoryEntry *entry);

/* --- directory_settle.c --- */
void pm_directory_settle(PmTrigger *trigger, PmEvent *event, const PmFate *fate,
                         void (*done)(void *data, const PmError *err), void *data);
/* What waits to be set aside stays where it is and comes again at the next start. */
void pm_directory_give_up_waiting(PmDirectory *t);

#endif

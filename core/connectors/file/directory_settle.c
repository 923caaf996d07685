/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a file: it is moved aside or noted as done, or it comes again.
 */
#include <fcntl.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "connectors/file/directory.h"

enum { ONCE_TRIES = 4 };

static void unlink_entry(PmDirectory *t, PmDirectoryEntry *entry)
{
    if (entry->previous != NULL)
        entry->previous->next = entry->next;
    else
        t->open = entry->next;
    if (entry->next != NULL) entry->next->previous = entry->previous;
    t->open_count--;
}

/* The arrival has been given to somebody else or dropped. */
static void close_entry(PmDirectory *t, PmDirectoryEntry *entry, const PmError *err)
{
    entry->done(entry->data, err);
    PM_CRASH_POINT("directory.settled");
    unlink_entry(t, entry);
    pm_directory_free_entry(entry);
    pm_directory_soon(t);
}

static void comes_again(PmDirectory *t, PmDirectoryEntry *entry, int attempt, int64_t delay)
{
    entry->arrival->attempt = attempt;
    entry->arrival->closed = false;
    if (t->stopped)
        pm_arrivals_drop(t->arrivals, entry->arrival);
    else
        pm_directory_again(t, entry->arrival, delay);
}

static void finish(PmDirectory *t, PmDirectoryEntry *entry, const PmError *err)
{
    pm_arrivals_drop(t->arrivals, entry->arrival);
    close_entry(t, entry, err);
}

static void move_aside(PmDirectory *t, PmDirectoryEntry *entry);

static void on_again(void *data)
{
    PmDirectoryEntry *entry = data;
    entry->again = NULL;
    entry->trigger->stuck--;
    move_aside(entry->trigger, entry);
}

static bool try_again(PmDirectory *t, PmDirectoryEntry *entry)
{
    if (t->stopped || (t->once && entry->tries >= ONCE_TRIES)) return false;
    int64_t delay = PM_DIRECTORY_SETTLED_MS << (entry->tries < 5 ? entry->tries : 5);
    entry->again =
        pm_loop_after(t->loop, delay < PM_DIRECTORY_LATER_MAX_MS ? delay : PM_DIRECTORY_LATER_MAX_MS, on_again, entry);
    if (entry->again == NULL) return false;
    t->stuck++;
    if (entry->tries++ == 0 && entry->err.status != PM_OK) {
        char text[1600];
        pm_error_format(&entry->err, text, sizeof text);
        pm_log(PM_LOG_WARN, "settle.waits", "source", entry->object.key, "msg", text, NULL);
    }
    return true;
}

static void on_aside(void *data, bool cancelled)
{
    PmDirectoryEntry *entry = data;
    if (cancelled) { /* the trigger has ended */
        pm_directory_free_entry(entry);
        return;
    }
    PmDirectory *t = entry->trigger;
    entry->job = NULL;
    switch (entry->outcome) {
    case PM_DISPOSITION_MOVED:
    case PM_DISPOSITION_GONE:
        finish(t, entry, NULL);
        return;
    case PM_DISPOSITION_CHANGED:
        comes_again(t, entry, 1, PM_DIRECTORY_SETTLED_MS);
        close_entry(t, entry, NULL);
        return;
    case PM_DISPOSITION_OPEN: /* its writer may go on */
        if (try_again(t, entry)) return;
        pm_error_set(&entry->err, PM_TRANSIENT, "%.300s is open for writing, so it stays where it is",
                     entry->object.key);
        finish(t, entry, &entry->err);
        return;
    case PM_DISPOSITION_FAILED:
        /* The folder's trouble is not the file's: it waits, done as it is, until the folder can be written to. */
        if (entry->err.status != PM_BAD_INPUT && try_again(t, entry)) return;
        break;
    }
    t->given_up[t->given_up_next] = entry->version; /* at least it is not taken again and again */
    t->given_up_next = (t->given_up_next + 1) % PM_DIRECTORY_GIVEN_UP_MAX;
    finish(t, entry, &entry->err);
}

/* On the helper thread. */
static void do_aside(void *data)
{
    PmDirectoryEntry *entry = data;
    entry->err = (PmError){0};
    entry->outcome = pm_disposition_move(entry->disposition, &entry->err);
}

static void move_aside(PmDirectory *t, PmDirectoryEntry *entry)
{
    entry->job = pm_helper_run(t->helper, do_aside, on_aside, entry);
    if (entry->job != NULL) return;
    pm_error_set(&entry->err, PM_TRANSIENT, "out of memory");
    if (!try_again(t, entry)) finish(t, entry, &entry->err);
}

static void put_aside(PmDirectory *t, PmDirectoryEntry *entry, const PmFate *fate)
{
    const char *folder = t->aside[fate->kind == PM_FATE_ACK ? 0 : fate->kind == PM_FATE_DEAD ? 1 : 2];
    PmDispositionRequest request = {.root = t->folder,
                                    .folder = folder,
                                    .object = &entry->object,
                                    .version = &entry->version,
                                    .reason = fate->kind == PM_FATE_ACK ? NULL : fate->reason,
                                    .tag = fate->tag,
                                    .attempts = entry->event.attempt};
    entry->disposition = pm_disposition_new(&request);
    if (entry->disposition != NULL) {
        move_aside(t, entry);
        return;
    }
    pm_error_set(&entry->err, PM_TRANSIENT, "out of memory");
    finish(t, entry, &entry->err);
}

/* settle: keep. What cannot be noted is done again after a restart, which is not worth stopping for. */
static void keep(PmDirectory *t, PmDirectoryEntry *entry)
{
    PmFileVersion now;
    PmError err = {0};
    if (pm_file_version(AT_FDCWD, entry->object.path, &now) && !pm_file_version_same(&now, &entry->version)) {
        comes_again(t, entry, 1, PM_DIRECTORY_SETTLED_MS);
        close_entry(t, entry, NULL);
        return;
    }
    bool noted = pm_seen_add(t->seen, entry->object.key, &entry->version, &err);
    if (!noted && !t->unsaved_told) {
        char text[1600];
        pm_error_format(&err, text, sizeof text);
        pm_log(PM_LOG_WARN, "trigger.seen", "msg", text, NULL);
    }
    t->unsaved_told = !noted;
    if (pm_seen_wants_scan(t->seen)) pm_directory_rescan(t, PM_DIRECTORY_RESCAN_MS);
    finish(t, entry, NULL);
}

void pm_directory_settle(PmTrigger *base, PmEvent *event, const PmFate *fate,
                         void (*done)(void *data, const PmError *err), void *data)
{
    PmDirectory *t = (PmDirectory *)base;
    PmDirectoryEntry *entry = (PmDirectoryEntry *)event; /* event is the first member */
    entry->done = done;
    entry->data = data;
    PM_CRASH_POINT("directory.settle_next");
    switch (fate->kind) {
    case PM_FATE_RETRY:
        comes_again(t, entry, event->attempt + 1, fate->delay_ms);
        close_entry(t, entry, NULL);
        return;
    case PM_FATE_RELEASE:
        if (t->once) { /* it stays for the next run */
            finish(t, entry, NULL);
            return;
        }
        comes_again(t, entry, event->attempt, PM_DIRECTORY_SETTLED_MS);
        close_entry(t, entry, NULL);
        return;
    case PM_FATE_ACK:
    case PM_FATE_DEAD:
    case PM_FATE_QUARANTINE:
        break;
    }
    if (t->config->settle == PM_SETTLE_KEEP)
        keep(t, entry);
    else
        put_aside(t, entry, fate);
}

void pm_directory_give_up_waiting(PmDirectory *t)
{
    for (PmDirectoryEntry *entry = t->open, *next; entry != NULL; entry = next) {
        next = entry->next;
        if (entry->again == NULL) continue;
        pm_loop_cancel(entry->again);
        entry->again = NULL;
        t->stuck--;
        finish(t, entry, entry->err.status != PM_OK ? &entry->err : NULL);
    }
}

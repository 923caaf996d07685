/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { AGAIN_MS = 50 };

void pm_outbox_open(PmOutbox *box, PmLoop *loop, int sock, const PmOutboxSink *sink)
{
    *box = (PmOutbox){.loop = loop, .sock = sock, .sink = *sink};
}

static void drop(PmOutboxItem *item)
{
    json_decref(item->body);
    for (size_t i = 0; i < item->fd_count; i++) close(item->fds[i]);
}

void pm_outbox_close(PmOutbox *box)
{
    for (size_t i = 0; i < box->count; i++) drop(&box->items[i]);
    pm_loop_cancel(box->timer);
    *box = (PmOutbox){.sock = -1};
}

static PmStatus send_now(const PmOutbox *box, const PmOutboxItem *item, bool *crowded, PmError *err)
{
    return pm_ipc_try_send(box->sock, item->type, item->body, item->fds, item->fd_count, crowded, err);
}

static void on_time(void *data)
{
    PmOutbox *box = data;
    PmError err = {0};
    bool crowded = false;
    box->timer = NULL;
    while (box->count > 0) {
        PmOutboxItem item = box->items[0];
        if (send_now(box, &item, &crowded, &err) != PM_OK) break;
        memmove(box->items, box->items + 1, --box->count * sizeof item);
        drop(&item);
        box->sink.sent(box->sink.data, item.type);
    }
    if (box->count == 0) return;
    if (crowded) box->timer = pm_loop_after(box->loop, AGAIN_MS, on_time, box);
    if (box->timer != NULL) return;
    pm_error_set(&err, PM_TRANSIENT, "out of memory");
    box->sink.failed(box->sink.data, &err);
}

static PmStatus wait_for_room(PmOutbox *box, const PmOutboxItem *item, PmError *err)
{
    PmOutboxItem kept = {.type = item->type, .body = json_incref(item->body)};
    if (box->count == PM_OUTBOX_MAX) {
        pm_error_set(err, PM_BUG, "%s: more messages wait than a process is owed", pm_message_name(item->type));
        goto fail;
    }
    for (; kept.fd_count < item->fd_count; kept.fd_count++) {
        int fd = fcntl(item->fds[kept.fd_count], F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            pm_error_set(err, PM_TRANSIENT, "no descriptor: %s", strerror(errno));
            goto fail;
        }
        kept.fds[kept.fd_count] = fd;
    }
    if (box->timer == NULL) box->timer = pm_loop_after(box->loop, AGAIN_MS, on_time, box);
    if (box->timer == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        goto fail;
    }
    box->items[box->count++] = kept;
    return PM_OK;
fail:
    drop(&kept);
    return err->status;
}

PmStatus pm_outbox_send(PmOutbox *box, PmMessageType type, const json_t *body, const int *fds, size_t fd_count,
                        PmError *err)
{
    PmOutboxItem item = {.type = type, .body = (json_t *)body, .fd_count = fd_count};
    for (size_t i = 0; i < fd_count; i++) item.fds[i] = fds[i];
    bool crowded = false;
    PmStatus status = box->count > 0 ? PM_TRANSIENT : send_now(box, &item, &crowded, err);
    if (status == PM_OK) {
        box->sink.sent(box->sink.data, type);
        return PM_OK;
    }
    if (box->count == 0 && !crowded) return status;
    if (crowded) box->sink.crowded(box->sink.data);
    return wait_for_room(box, &item, err);
}

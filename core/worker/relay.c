/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum { CHUNKS_PER_PUMP = 16 }; /* so that a noisy child cannot keep the zygote from its work */

PmStatus pm_relay_open(PmRelay *relay, PmError *err)
{
    int ends[2];
    *relay = (PmRelay){.read_fd = -1, .write_fd = -1};
    if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
        return pm_error_set(err, PM_TRANSIENT, "no pipe for the children's stderr: %s", strerror(errno));
    relay->read_fd = ends[0];
    relay->write_fd = ends[1];
    return PM_OK;
}

void pm_relay_log(int sock, int level, const char *text)
{
    char clean[2 * PM_RELAY_LINE_MAX];
    pm_text_utf8(clean, sizeof clean, text);
    json_t *body = json_pack("{siss}", "level", level, "text", clean);
    (void)pm_ipc_send(sock, PM_MSG_LOG, body, NULL, 0, NULL); /* when the broker is gone, we learn it elsewhere */
    json_decref(body);
}

static void flush_line(PmRelay *relay, int sock)
{
    int64_t second = pm_clock_mono_ms() / 1000;
    if (second != relay->second) {
        if (relay->dropped > 0) {
            char text[64];
            snprintf(text, sizeof text, "%u lines on stderr dropped", relay->dropped);
            pm_relay_log(sock, PM_LOG_WARN, text);
        }
        relay->second = second;
        relay->lines = relay->dropped = 0;
    }
    relay->line[relay->used] = '\0';
    if (relay->used > 0 && relay->lines++ < PM_RELAY_LINES_PER_SECOND)
        pm_relay_log(sock, PM_LOG_WARN, relay->line);
    else if (relay->used > 0)
        relay->dropped++;
    relay->used = 0;
}

void pm_relay_pump(PmRelay *relay, int sock)
{
    char chunk[4096];
    for (int i = 0; i < CHUNKS_PER_PUMP; i++) {
        ssize_t n = read(relay->read_fd, chunk, sizeof chunk);
        if (n <= 0) break;
        for (ssize_t k = 0; k < n; k++) {
            if (chunk[k] != '\n') relay->line[relay->used++] = chunk[k];
            if (chunk[k] == '\n' || relay->used == sizeof relay->line - 1) flush_line(relay, sock);
        }
    }
}

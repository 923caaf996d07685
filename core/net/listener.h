/* SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP server on the event loop, for few and small answers. Hides libmicrohttpd. A client is a stranger: there is a
 * most of connections, of a request's header, of the time that a connection may last; bodies are not read.
 */
#ifndef PM_NET_LISTENER_H
#define PM_NET_LISTENER_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/loop.h"

typedef struct PmListener PmListener;

typedef struct PmListenRequest {
    const char *path;   /* "/metrics", without the query */
    const char *accept; /* "" when the client does not say */
} PmListenRequest;

typedef struct PmListenAnswer {
    int status;               /* 200 */
    const char *content_type; /* "text/plain; charset=utf-8" */
    PmBuffer body;
} PmListenAnswer;

/* Fills in the answer to a GET or HEAD; called from the loop, and must not wait. */
typedef void PmListenHandler(void *data, const PmListenRequest *request, PmListenAnswer *answer);

/* address: "127.0.0.1:9464", "[::1]:9464", ":9464" (every address); port 0: any that is free. The loop outlives it.
 * New; PM_BAD_CONFIG when it is no such address or cannot be listened on. */
PmListener *pm_listener_new(PmLoop *loop, const char *address, PmListenHandler *handler, void *data, PmError *err);
/* Where it listens, with the port that was found: "127.0.0.1:40123". */
const char *pm_listener_address(const PmListener *listener);
void pm_listener_free(PmListener *listener); /* ends all connections; NULL is fine */

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Where renditions go. Hides what it writes to. A put is done only when the bytes are durable.
 */
#ifndef PM_CONNECTORS_STORE_H
#define PM_CONNECTORS_STORE_H

#include "base/helper.h"
#include "connectors/object.h"
#include "pipeline/pipeline.h"

typedef struct PmStore PmStore;
typedef struct PmStoreCall PmStoreCall;

typedef struct PmStorePut {
    const PmPlace *place;
    const char *key;        /* place's template, expanded */
    const char *key_prefix; /* the template's fixed prefix: the put may not leave it */
    const void *bytes;      /* borrowed until done */
    size_t size;
    const char *content_type;
    const char *output;     /* name of the output; "quarantine" for a rejected source */
    bool quarantine;        /* the rejected source itself */
    bool record;            /* no rendition but a record of what was done: replaces whatever lies there */
    const PmObject *source; /* what it was made of */
    const char *digest;     /* of pipeline and plugins */
    PmStoreCall *expected;  /* given away: what `expect` returned for the same place, or NULL */
} PmStorePut;

typedef enum PmStoreOutcome {
    PM_STORED,
    PM_STORE_CURRENT, /* the same rendition of the same version is there already */
    PM_STORE_STALE,   /* one of a newer version is there: ours must not replace it */
    PM_STORE_FAILED
} PmStoreOutcome;

typedef struct PmStored {
    PmStoreOutcome outcome;
    const char *location; /* path or s3://bucket/key; borrowed */
    const PmError *err;
} PmStored;

typedef void PmStoreDone(void *data, const PmStored *stored);

typedef struct PmStoreOps {
    /* `done` comes once, never from here. All strings are copied as needed. NULL and err set when it cannot start. */
    PmStoreCall *(*put)(PmStore *store, const PmStorePut *put, PmStoreDone *done, void *data, PmError *err);
    /* A put will follow whose bytes are not there yet: looks what lies at its key meanwhile. Or NULL, where there is
     * nothing to gain. Returns NULL when it cannot; the put will fail with the reason. */
    PmStoreCall *(*expect)(PmStore *store, const PmStorePut *put);
    void (*cancel)(PmStore *store, PmStoreCall *call);
    /* Where a put to that key ends, as text: two that are equal are one file or object. New; NULL: out of memory. */
    char *(*locate)(const PmStore *store, const PmPlace *place, const char *key);
    /* What a put to that place depends on, for the circuit breaker and for people: "s3://bucket", "file:/srv/out". */
    void (*name)(const PmStore *store, const PmPlace *place, char *out, size_t size);
    void (*free)(PmStore *store);
} PmStoreOps;

struct PmStore {
    const PmStoreOps *ops;
};

#endif

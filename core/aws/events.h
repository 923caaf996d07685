/* SPDX-License-Identifier: Apache-2.0
 *
 * What a message about uploads says, from any sender: S3, S3 behind SNS, EventBridge, MinIO, radosgw. The format is
 * detected, never configured. Hides JSON and each sender's way of encoding keys. Pure.
 * Source: "Event message structure" (Amazon S3 User Guide), EventBridge "Object Created", MinIO and Ceph docs.
 */
#ifndef PM_AWS_EVENTS_H
#define PM_AWS_EVENTS_H

#include <stdint.h>

#include "base/error.h"

enum {
    PM_EVENT_BODY_MAX = 1024 * 1024, /* bytes: the largest SQS message */
    PM_EVENT_DEPTH_MAX = 16,         /* nesting of the JSON, once more for each wrapping */
    PM_EVENT_RECORDS_MAX = 100,
    PM_EVENT_KEY_MAX = 1024 /* bytes, decoded */
};

/* How the sender wrote the key. AUTO goes by the sender's name. */
typedef enum PmKeyEncoding { PM_KEY_ENCODING_AUTO, PM_KEY_ENCODING_FORM, PM_KEY_ENCODING_RAW } PmKeyEncoding;

typedef struct PmObjectEvent {
    char *bucket, *key; /* owned; the key decoded */
    char *version_id;   /* owned; NULL when the event pins no version */
    char *etag;         /* owned, without quotes; NULL when unknown */
    char *sequencer;    /* owned; NULL when unknown */
    char *region;       /* owned; NULL when unknown */
    char name[64];      /* "ObjectCreated:Put", without "s3:" */
    int64_t size;       /* bytes; -1 when unknown */
    int64_t time_ms;    /* since 1970 UTC; 0 when unknown */
    bool created;       /* an object was created or restored; false: removed, tagged, ... */
} PmObjectEvent;

typedef struct PmEvents {
    PmObjectEvent *items; /* owned */
    size_t count;
    bool test; /* s3:TestEvent: nothing to do */
} PmEvents;

/* Reads one message body. PM_BAD_INPUT with the reason when it is not such an event, or a part of it is not allowed;
 * then *out is empty. Records of other event kinds are kept with `created` false. */
PmStatus pm_events_parse(const char *body, size_t size, PmKeyEncoding encoding, PmEvents *out, PmError *err);
void pm_events_finish(PmEvents *events);

/* Orders two sequencers of the same key: negative when `a` is older, 0 when equal, positive when newer. Case is
 * ignored; the shorter one is padded with zeros on the right. */
int pm_sequencer_compare(const char *a, const char *b);

/* True when S3 allows such a key and it can be asked for: 1 to 1,024 bytes of UTF-8 without control characters. */
bool pm_object_key_valid(const char *key);

#endif

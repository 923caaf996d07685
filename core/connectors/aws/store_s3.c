/* SPDX-License-Identifier: Apache-2.0
 *
 * Renditions in S3. HEAD shows what is there, the stamp in its metadata whether it is ours, current or newer; the put
 * is conditional on exactly that, so that of two workers with the same key one wins and the other looks again. Looking
 * may begin while the bytes are still being made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/xml.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/aws/aws_session.h"
#include "connectors/aws/pairs.h"
#include "connectors/aws/stamp_s3.h"
#include "connectors/aws/stores.h"
#include "connectors/aws/turns.h"
#include "connectors/store.h"
#include "net/retry.h"

/* What was learnt of a bucket's conditions is not believed for ever: stores are upgraded, and a refusal may have had
 * another reason. */
enum { ROUNDS = 6, PAIRS_MAX = 64, TAGS_MAX = 10, UNCONDITIONAL_MS = 15 * 60 * 1000 };

/* What was learnt of one bucket at one endpoint. */
typedef struct Bucket {
    struct Bucket *next;
    const PmS3 *s3;
    const char *name;          /* of the place's config */
    int64_t unconditional_ms;  /* it does not know If-Match, until this monotonic time; 0: it does, as far as known */
    bool reported, bare_etags; /* it compares If-Match without quotes, as radosgw does */
} Bucket;

typedef struct S3Store {
    PmStore base;
    PmLoop *loop;
    PmAwsSession *session;
    const PmS3Source *source; /* for copied metadata and tags; NULL: sources are not objects */
    struct Bucket *buckets;   /* owned; one for each that the pipeline writes to */
    PmTurns turns;            /* of the puts, by bucket and key */
} S3Store;

typedef enum Seen { NOTHING_YET, ROOM, NO_ROOM, UNSURE } Seen;

struct PmStoreCall {
    S3Store *store;
    PmS3 *s3;
    PmS3Call *call;
    PmTimer *timer;
    PmTurn turn; /* at its key */
    Bucket *bucket;
    const PmS3Place *place;
    char *key, *content_type, *digest, *location, *if_match;
    const void *bytes;
    size_t size;
    PmObject source;
    PmNameValue metadata[PAIRS_MAX], tags[TAGS_MAX]; /* owned */
    size_t metadata_count, tag_count;
    int round;
    bool quarantine;
    char place_name[PM_STAMP_SOURCE_SIZE]; /* of where it goes to */
    bool bare_etag;
    bool conditional;  /* the put under way has a condition */
    bool trial;        /* its condition was refused: without one, to learn whether that was why */
    bool awaits_bytes; /* expected, not yet asked to put */
    bool prepared;     /* what comes along from the source is here */
    Seen seen;         /* while it awaits them */
    PmError err;
    PmStoreOutcome outcome;
    PmStoreDone *done;
    void *data;
};

static void free_pairs(PmNameValue *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)pairs[i].name);
        free((char *)pairs[i].value);
    }
}

static void free_call(PmStoreCall *call)
{
    pm_turn_end(&call->store->turns, &call->turn);
    pm_s3_cancel(call->call);
    pm_loop_cancel(call->timer);
    pm_object_finish(&call->source);
    free_pairs(call->metadata, call->metadata_count);
    free_pairs(call->tags, call->tag_count);
    free(call->key);
    free(call->content_type);
    free(call->digest);
    free(call->location);
    free(call->if_match);
    free(call);
}

static void tell(PmStoreCall *call)
{
    PmStored stored = {.outcome = call->outcome,
                       .location = call->location,
                       .err = call->outcome == PM_STORE_FAILED ? &call->err : NULL};
    PmStoreDone *done = call->done;
    void *data = call->data;
    done(data, &stored);
    free_call(call);
}

static void fail(PmStoreCall *call, const PmError *err)
{
    if (call->awaits_bytes) { /* whatever it was: looked at anew when there is something to put */
        call->seen = UNSURE;
        return;
    }
    call->err = *err;
    call->outcome = PM_STORE_FAILED;
    tell(call);
}

static void out_of_memory(PmStoreCall *call)
{
    PmError err = {0};
    pm_error_set(&err, PM_TRANSIENT, "out of memory");
    fail(call, &err);
}

static void finish(PmStoreCall *call, PmStoreOutcome outcome)
{
    call->outcome = outcome;
    if (call->awaits_bytes)
        call->seen = NO_ROOM;
    else
        tell(call);
}

/* --- look, then put --- */

static void look(PmStoreCall *call);

static void forget_look(PmStoreCall *call)
{
    free(call->if_match);
    call->if_match = NULL;
    call->seen = NOTHING_YET;
}

static void on_later(void *data)
{
    PmStoreCall *call = data;
    call->timer = NULL;
    look(call);
}

/* Somebody else is at the same key: once more, after a moment. */
static void look_again(PmStoreCall *call, const PmError *err)
{
    if (++call->round < ROUNDS)
        call->timer = pm_loop_after(call->store->loop, 20 + pm_retry_random(200u << call->round), on_later, call);
    if (call->timer != NULL) return;
    PmError last = *err;
    last.status = PM_TRANSIENT;
    fail(call, &last);
}

static bool has_conditions(const Bucket *bucket)
{
    return bucket->unconditional_ms == 0 || pm_clock_mono_ms() >= bucket->unconditional_ms;
}

/* It may be the condition that the store does not know. It may also be any other header of the put, so this is a
 * suspicion that only the same put without a condition can confirm. */
static bool refuses_conditions(const PmS3Result *result)
{
    if (strcmp(result->code, "NotImplemented") != 0 && strcmp(result->code, "InvalidArgument") != 0) return false;
    return result->argument[0] == '\0' || strcasecmp(result->argument, "If-Match") == 0 ||
           strcasecmp(result->argument, "If-None-Match") == 0;
}

static void learn_unconditional(Bucket *bucket)
{
    bucket->unconditional_ms = pm_clock_mono_ms() + UNCONDITIONAL_MS;
    if (bucket->reported) return;
    bucket->reported = true;
    pm_log(
        PM_LOG_WARN, "store.unconditional", "bucket", bucket->name, "msg",
        "this bucket does not know conditional writes: two workers at the same key at the same moment could overwrite "
        "each other",
        NULL);
}

static void on_put(void *data, const PmS3Result *result)
{
    PmStoreCall *call = data;
    call->call = NULL;
    if (result->outcome == PM_S3_OK) {
        if (call->trial) learn_unconditional(call->bucket);
        if (call->conditional && call->if_match != NULL) call->bucket->bare_etags = call->bare_etag;
        finish(call, PM_STORED);
    } else if (result->outcome != PM_S3_FAILED) {
        /* What was there has changed, or is gone, since the look. After a lost answer this may be our own write: HEAD
         * will show our stamp, and that is success. */
        look_again(call, result->err);
    } else if (call->conditional && !call->trial && refuses_conditions(result)) {
        call->trial = true;
        look(call); /* at the last moment, since nothing else guards the put */
    } else {
        fail(call, result->err);
    }
}

static bool takes_turn(PmStoreCall *call);

static void put_now(PmStoreCall *call)
{
    if (call->awaits_bytes) {
        call->seen = ROOM;
        return;
    }
    if (!call->turn.has) {
        if (!takes_turn(call)) return;
        /* An ETag identifies bytes, not stamps: when the same bytes are written again for a newer event, a condition
         * from before still holds. So what is written over something is looked at while nobody else here writes to it.
         */
        if (call->if_match != NULL) {
            forget_look(call);
            look(call);
            return;
        }
    }
    const PmS3Place *place = call->place;
    static const char *const encryptions[] = {NULL, "AES256", "aws:kms"};
    PmNameValue metadata[PAIRS_MAX + PM_STAMP_PAIRS];
    PmStamp stamp;
    char time[PM_STAMP_TIME_SIZE];
    pm_stamp_of(&call->source, call->digest, &stamp);
    size_t n = pm_stamp_s3_write(&stamp, call->quarantine ? call->place_name : NULL, time, metadata);
    for (size_t i = 0; i < call->metadata_count; i++) metadata[n++] = call->metadata[i];
    call->conditional = has_conditions(call->bucket) && !call->trial;
    PmS3Put put = {.bucket = place->bucket,
                   .key = call->key,
                   .bytes = call->bytes,
                   .size = call->size,
                   .content_type = call->content_type,
                   .cache_control = place->cache_control,
                   .content_disposition = place->content_disposition,
                   .metadata = metadata,
                   .metadata_count = n,
                   .tags = call->tags,
                   .tag_count = call->tag_count,
                   .storage_class = place->storage_class,
                   .sse = encryptions[place->sse],
                   .kms_key_id = place->kms_key_id,
                   .acl = place->acl,
                   .bucket_key = place->bucket_key,
                   .if_none_match = call->conditional && call->if_match == NULL,
                   .if_match = call->conditional ? call->if_match : NULL,
                   .bare_etag = call->bare_etag};
    PmError err = {0};
    PM_CRASH_POINT("s3.put_next");
    call->call = pm_s3_put(call->s3, &put, on_put, call, &err);
    PM_CRASH_POINT("s3.put_under_way");
    if (call->call == NULL) fail(call, &err);
}

/* What the rendition that is there knows of its order and the event does not, so that a stamp never goes back. */
static bool carry(PmStoreCall *call, const PmStamp *existing, PmStamp *ours)
{
    pm_stamp_carry(existing, ours);
    call->source.time_ms = ours->time_ms;
    if (ours->sequencer == call->source.sequencer) return true;
    char *sequencer = ours->sequencer != NULL ? strdup(ours->sequencer) : NULL;
    if (sequencer == NULL && ours->sequencer != NULL) return false;
    free(call->source.sequencer);
    call->source.sequencer = sequencer;
    return true;
}

static void on_head(void *data, const PmS3Result *result)
{
    PmStoreCall *call = data;
    PM_CRASH_POINT("s3.looked");
    call->call = NULL;
    char *before = call->if_match;
    call->if_match = NULL;
    /* Refused over this very ETag: the other way to write it. */
    if (before != NULL && result->outcome == PM_S3_OK && strcmp(before, result->object.etag) == 0)
        call->bare_etag = !call->bare_etag;
    free(before);
    if (result->outcome == PM_S3_MISSING) {
        put_now(call);
        return;
    }
    if (result->outcome != PM_S3_OK) {
        fail(call, result->err);
        return;
    }
    PmStamp existing, ours;
    pm_stamp_s3_read(&result->object, call->quarantine, &existing);
    pm_stamp_of(&call->source, call->digest, &ours);
    PmStampVerdict verdict = pm_stamp_judge(&existing, &ours);
    if (verdict != PM_STAMP_WRITE) {
        finish(call, verdict == PM_STAMP_CURRENT ? PM_STORE_CURRENT : PM_STORE_STALE);
        return;
    }
    if (!carry(call, &existing, &ours)) {
        PmError err = {0};
        pm_error_set(&err, PM_TRANSIENT, "out of memory");
        fail(call, &err);
        return;
    }
    call->if_match = result->object.etag[0] != '\0' ? strdup(result->object.etag) : NULL;
    put_now(call);
}

static void look(PmStoreCall *call)
{
    PmError err = {0};
    call->prepared = true;
    call->call = pm_s3_head(call->s3, call->place->bucket, call->key, NULL, on_head, call, &err);
    if (call->call == NULL) fail(call, &err);
}

/* --- what comes along from the source --- */

/* Where the source is, if that is `wanted` of it; NULL: nothing is. */
static PmS3 *source_s3(PmStoreCall *call, bool wanted, PmError *err)
{
    return wanted && call->store->source != NULL
               ? pm_aws_session_s3_of_source(call->store->session, call->store->source, err)
               : NULL;
}

/* When the source is gone by now, and with it what was to be copied, the next attempt will find that out and end there.
 */
static void fail_source(PmStoreCall *call, const PmS3Result *result)
{
    PmError err = *result->err;
    if (result->outcome != PM_S3_FAILED) err.status = PM_TRANSIENT;
    fail(call, &err);
}

static void on_tags(void *data, const PmS3Result *result)
{
    PmStoreCall *call = data;
    call->call = NULL;
    if (result->outcome != PM_S3_OK) {
        fail_source(call, result);
        return;
    }
    const PmXml *set = pm_xml_child(result->xml, "TagSet", 0), *tag;
    for (size_t i = 0; (tag = pm_xml_child(set, "Tag", i)) != NULL; i++)
        if (!pm_pairs_add(call->tags, &call->tag_count, TAGS_MAX, pm_xml_get(tag, "Key"), pm_xml_get(tag, "Value"))) {
            out_of_memory(call);
            return;
        }
    look(call);
}

static void take_tags(PmStoreCall *call)
{
    PmError err = {0};
    PmS3 *s3 = source_s3(call, call->place->copy_tags, &err);
    if (s3 == NULL) {
        look(call);
        return;
    }
    call->call =
        pm_s3_get_tags(s3, call->source.bucket, call->source.key, call->source.version_id, on_tags, call, &err);
    if (call->call == NULL) fail(call, &err);
}

static void on_source_head(void *data, const PmS3Result *result)
{
    PmStoreCall *call = data;
    call->call = NULL;
    if (result->outcome != PM_S3_OK) {
        fail_source(call, result);
        return;
    }
    const char *name = NULL, *value;
    for (size_t i = 0; (value = pm_s3_metadata_at(&result->object, i, &name)) != NULL; i++)
        if (strncmp(name, PM_STAMP_PREFIX, sizeof PM_STAMP_PREFIX - 1) != 0 &&
            !pm_pairs_add(call->metadata, &call->metadata_count, PAIRS_MAX, name, value)) {
            out_of_memory(call);
            return;
        }
    take_tags(call);
}

static void begin(PmStoreCall *call)
{
    PmError err = {0};
    PmS3 *s3 = source_s3(call, call->place->copy_metadata, &err);
    if (s3 == NULL) {
        take_tags(call);
        return;
    }
    call->call =
        pm_s3_head(s3, call->source.bucket, call->source.key, call->source.version_id, on_source_head, call, &err);
    if (call->call == NULL) fail(call, &err);
}

/* --- the store --- */

static Bucket *bucket_of(S3Store *store, const PmS3 *s3, const char *name)
{
    for (Bucket *bucket = store->buckets; bucket != NULL; bucket = bucket->next)
        if (bucket->s3 == s3 && strcmp(bucket->name, name) == 0) return bucket;
    Bucket *bucket = calloc(1, sizeof *bucket);
    if (bucket == NULL) return NULL;
    *bucket = (Bucket){.next = store->buckets, .s3 = s3, .name = name};
    store->buckets = bucket;
    return bucket;
}

static char *locate(const PmStore *base, const PmPlace *place, const char *key)
{
    char *location = NULL;
    (void)base;
    int n = asprintf(&location, "s3://%s/%s", ((const PmS3Place *)place->config)->bucket, key);
    return n >= 0 ? location : NULL;
}

static PmStoreCall *new_call(S3Store *store, const PmStorePut *request, PmError *err)
{
    const PmS3Place *place = request->place->config;
    PmS3 *s3 = pm_aws_session_s3_of_place(store->session, place, err);
    Bucket *bucket = s3 != NULL ? bucket_of(store, s3, place->bucket) : NULL;
    PmStoreCall *call = bucket != NULL ? calloc(1, sizeof *call) : NULL;
    if (call == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *call = (PmStoreCall){.store = store,
                          .s3 = s3,
                          .bucket = bucket,
                          .place = place,
                          .quarantine = request->quarantine,
                          .bare_etag = bucket->bare_etags};
    pm_stamp_name(place->bucket, request->key, call->place_name);
    call->key = strdup(request->key);
    call->content_type = strdup(request->content_type);
    call->digest = strdup(request->digest);
    call->location = locate(&store->base, request->place, request->key);
    bool listed = pm_pairs_add_list(call->metadata, &call->metadata_count, PAIRS_MAX, &place->metadata) &&
                  pm_pairs_add_list(call->tags, &call->tag_count, TAGS_MAX, &place->tags);
    if (listed && call->key != NULL && call->content_type != NULL && call->digest != NULL && call->location != NULL &&
        pm_object_copy(&call->source, request->source))
        return call;
    free_call(call);
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    return NULL;
}

/* From the start, or from what was seen in the meantime. */
static void go_on(void *data)
{
    PmStoreCall *call = data;
    call->timer = NULL;
    if (call->seen == ROOM)
        put_now(call);
    else if (call->seen == NO_ROOM)
        tell(call);
    else if (call->awaits_bytes || takes_turn(call))
        begin(call);
}

static void on_turn_timer(void *data)
{
    PmStoreCall *call = data;
    call->timer = NULL;
    look(call);
}

/* What was seen before it waited is old. */
static void on_turn(void *data)
{
    PmStoreCall *call = data;
    forget_look(call);
    call->timer = pm_loop_after(call->store->loop, 0, call->prepared ? on_turn_timer : go_on, call);
    if (call->timer != NULL) return;
    PmError err = {0};
    pm_error_set(&err, PM_TRANSIENT, "out of memory");
    fail(call, &err);
}

static bool takes_turn(PmStoreCall *call)
{
    return pm_turn_take(&call->store->turns, &call->turn, call->bucket, call->key, on_turn, call);
}

static PmStoreCall *expect(PmStore *base, const PmStorePut *request)
{
    S3Store *store = (S3Store *)base;
    /* Where a put has no condition, looking late is all that keeps two workers apart. */
    PmError err = {0};
    PmStoreCall *call = new_call(store, request, &err);
    if (call == NULL) return NULL;
    if (!has_conditions(call->bucket)) {
        free_call(call);
        return NULL;
    }
    call->awaits_bytes = true;
    call->timer = pm_loop_after(store->loop, 0, go_on, call);
    if (call->timer != NULL) return call;
    free_call(call);
    return NULL;
}

static bool is_for(const PmStoreCall *call, const PmStorePut *request)
{
    return call != NULL && call->place == request->place->config && strcmp(call->key, request->key) == 0 &&
           strcmp(call->content_type, request->content_type) == 0;
}

static PmStoreCall *put(PmStore *base, const PmStorePut *request, PmStoreDone *done, void *data, PmError *err)
{
    S3Store *store = (S3Store *)base;
    PmStoreCall *call = request->expected;
    if (!is_for(call, request)) {
        if (call != NULL) free_call(call);
        call = new_call(store, request, err);
        if (call == NULL) return NULL;
    }
    call->bytes = request->bytes;
    call->size = request->size;
    call->done = done;
    call->data = data;
    call->awaits_bytes = false;
    if (call->call != NULL || call->timer != NULL) return call; /* it is looking, or about to */
    call->timer = pm_loop_after(store->loop, 0, go_on, call);
    if (call->timer != NULL) return call;
    free_call(call);
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    return NULL;
}

static void cancel(PmStore *base, PmStoreCall *call)
{
    (void)base;
    if (call != NULL) free_call(call);
}

static void name(const PmStore *base, const PmPlace *place, char *out, size_t size)
{
    (void)base;
    snprintf(out, size, "s3://%s", ((const PmS3Place *)place->config)->bucket);
}

static void free_store(PmStore *base)
{
    S3Store *store = (S3Store *)base;
    for (Bucket *bucket = store->buckets, *next; bucket != NULL; bucket = next) {
        next = bucket->next;
        free(bucket);
    }
    free(store);
}

PmStore *pm_store_s3_new(PmLoop *loop, PmAwsSession *session, const PmS3Source *source, PmError *err)
{
    static const PmStoreOps ops = {
        .put = put, .expect = expect, .cancel = cancel, .locate = locate, .name = name, .free = free_store};
    S3Store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    store->base.ops = &ops;
    store->loop = loop;
    store->session = session;
    store->source = source;
    return &store->base;
}

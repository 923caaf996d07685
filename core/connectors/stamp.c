/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/stamp.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "aws/events.h"

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Half of its SHA-256. */
void pm_stamp_name(const char *bucket, const char *key, char name[PM_STAMP_SOURCE_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    const char *parts[] = {bucket, bucket != NULL ? "/" : NULL, key};
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    bool ok = sha != NULL && EVP_DigestInit_ex(sha, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; ok && i < sizeof parts / sizeof parts[0]; i++)
        ok = parts[i] == NULL || EVP_DigestUpdate(sha, parts[i], strlen(parts[i])) == 1;
    ok = ok && EVP_DigestFinal_ex(sha, digest, NULL) == 1;
    EVP_MD_CTX_free(sha);
    name[0] = '\0';
    for (size_t i = 0; ok && i < (PM_STAMP_SOURCE_SIZE - 1) / 2; i++) snprintf(name + 2 * i, 3, "%02x", digest[i]);
}

void pm_stamp_of(const PmObject *source, const char *digest, PmStamp *stamp)
{
    *stamp =
        (PmStamp){.digest = digest, .etag = source->etag, .sequencer = source->sequencer, .time_ms = source->time_ms};
    pm_stamp_name(source->bucket, source->bucket != NULL ? source->key : source->path, stamp->source);
}

/* Stamps of older releases name no source: taken for the same one, as those releases did. */
static bool same_source(const PmStamp *a, const PmStamp *b)
{
    return a->source[0] == '\0' || b->source[0] == '\0' || strcmp(a->source, b->source) == 0;
}

static int compare_times(const PmStamp *a, const PmStamp *b)
{
    if (a->time_ms <= 0 || b->time_ms <= 0 || a->time_ms == b->time_ms) return 0;
    return a->time_ms < b->time_ms ? -1 : 1;
}

/* Two sources that are written to one key: the later event wins, in whatever order they are delivered, and of two at
 * the same millisecond always the same one. */
static PmStampVerdict judge_other_source(const PmStamp *existing, const PmStamp *ours)
{
    if (existing->time_ms <= 0 || ours->time_ms <= 0) return PM_STAMP_WRITE;
    int order = compare_times(existing, ours);
    if (order == 0) order = strcmp(existing->source, ours->source);
    return order > 0 ? PM_STAMP_STALE : PM_STAMP_WRITE;
}

PmStampVerdict pm_stamp_judge(const PmStamp *existing, const PmStamp *ours)
{
    if (existing->digest == NULL) return PM_STAMP_WRITE;
    if (!same_source(existing, ours)) return judge_other_source(existing, ours);

    bool sequenced = existing->sequencer != NULL && ours->sequencer != NULL;
    bool same_etag = same(existing->etag, ours->etag);
    int order = sequenced ? pm_sequencer_compare(existing->sequencer, ours->sequencer) : 0;
    if (order < 0) return PM_STAMP_WRITE;
    /* The same bytes came back (versions A, B, A), and what is there is of the later of the two. */
    if (order > 0) return same_etag && same(existing->digest, ours->digest) ? PM_STAMP_CURRENT : PM_STAMP_STALE;
    /* The same event once more, or one that has no sequencer: then the times tell. */
    bool same_version = same_etag || (sequenced && (existing->etag == NULL || ours->etag == NULL));
    if (!sequenced) order = compare_times(existing, ours);
    if (same_version) return order >= 0 && same(existing->digest, ours->digest) ? PM_STAMP_CURRENT : PM_STAMP_WRITE;
    return (order != 0 ? order : compare_times(existing, ours)) > 0 ? PM_STAMP_STALE : PM_STAMP_WRITE;
}

void pm_stamp_carry(const PmStamp *existing, PmStamp *ours)
{
    if (existing->digest == NULL || !same_source(existing, ours)) return;
    if (existing->sequencer != NULL && ours->sequencer != NULL) return; /* judged by them */
    if (!same(existing->etag, ours->etag)) return;                      /* its order is that of other bytes */
    /* Sequencer and time go together: an old sequencer beside a new time would let in what came between. */
    if (existing->time_ms < ours->time_ms) return;
    if (existing->time_ms > ours->time_ms || ours->sequencer == NULL) ours->sequencer = existing->sequencer;
    ours->time_ms = existing->time_ms;
}

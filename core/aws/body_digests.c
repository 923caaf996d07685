/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/body_digests.h"

#include <errno.h>
#include <openssl/evp.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { STRIDE = 1024 * 1024 };

struct PmBodyJob {
    PmBodyDigests digests;
    const char *bytes;
    size_t size;
    atomic_bool stop;
    sem_t finished; /* work has returned */
    PmHelperJob *job;
    bool *gone; /* set when it is freed, while it is being cancelled */
    bool cancelled;
    PmBodyDone *done;
    void *data;
};

static void compute(PmBodyDigests *digests, const char *bytes, size_t size, const atomic_bool *stop)
{
    EVP_MD_CTX *sha256 = digests->wants_sha256 ? EVP_MD_CTX_new() : NULL;
    EVP_MD_CTX *md5 = digests->wants == PM_BODY_MD5 ? EVP_MD_CTX_new() : NULL;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    unsigned long crc = 0;
    bool ok = (!digests->wants_sha256 || EVP_DigestInit_ex(sha256, EVP_sha256(), NULL) == 1) &&
              (digests->wants != PM_BODY_MD5 || EVP_DigestInit_ex(md5, EVP_md5(), NULL) == 1);
    for (size_t at = 0; ok && at < size && (stop == NULL || !atomic_load(stop)); at += STRIDE) {
        size_t length = size - at < STRIDE ? size - at : STRIDE;
        if (sha256 != NULL) ok = EVP_DigestUpdate(sha256, bytes + at, length) == 1;
        if (md5 != NULL) ok = ok && EVP_DigestUpdate(md5, bytes + at, length) == 1;
        if (digests->wants == PM_BODY_CRC32) crc = crc32_z(crc, (const unsigned char *)bytes + at, length);
    }
    if (ok && sha256 != NULL && (ok = EVP_DigestFinal_ex(sha256, digest, &n) == 1))
        for (size_t i = 0; i < n; i++) snprintf(digests->sha256 + 2 * i, 3, "%02x", digest[i]);
    if (ok && md5 != NULL) ok = EVP_DigestFinal_ex(md5, digest, &n) == 1;
    if (digests->wants == PM_BODY_CRC32) {
        n = 4;
        for (unsigned i = 0; i < n; i++) digest[i] = (unsigned char)(crc >> (24 - 8 * i));
    }
    if (ok && digests->wants != PM_BODY_NO_CHECKSUM)
        EVP_EncodeBlock((unsigned char *)digests->checksum, digest, (int)n);
    digests->failed = !ok;
    EVP_MD_CTX_free(sha256);
    EVP_MD_CTX_free(md5);
}

void pm_body_digests_compute(PmBodyDigests *digests, const void *bytes, size_t size)
{
    compute(digests, bytes, size, NULL);
}

/* --- on the helper thread --- */

static void work(void *data)
{
    PmBodyJob *job = data;
    compute(&job->digests, job->bytes, job->size, &job->stop);
    sem_post(&job->finished);
}

static void on_done(void *data, bool cancelled)
{
    PmBodyJob *job = data;
    PmBodyDone *done = job->done;
    void *caller = job->data;
    PmBodyDigests digests = job->digests;
    bool wanted = !job->cancelled;
    if (job->gone != NULL) *job->gone = true;
    sem_destroy(&job->finished);
    free(job);
    if (wanted) done(caller, cancelled ? NULL : &digests);
}

PmBodyJob *pm_body_digests_start(PmHelper *helper, const PmBodyDigests *wanted, const void *bytes, size_t size,
                                 PmBodyDone *done, void *data)
{
    PmBodyJob *job = calloc(1, sizeof *job);
    if (job == NULL) return NULL;
    job->digests = *wanted;
    job->bytes = bytes;
    job->size = size;
    job->done = done;
    job->data = data;
    sem_init(&job->finished, 0, 0);
    job->job = pm_helper_run(helper, work, on_done, job);
    if (job->job != NULL) return job;
    sem_destroy(&job->finished);
    free(job);
    return NULL;
}

void pm_body_digests_cancel(PmBodyJob *job)
{
    bool gone = false;
    if (job == NULL) return;
    atomic_store(&job->stop, true);
    job->gone = &gone;
    job->cancelled = true;
    pm_helper_cancel(job->job);
    if (gone) return;
    /* It runs: the helper frees it later, but the bytes are the caller's to unmap as soon as we return. */
    while (sem_wait(&job->finished) != 0 && errno == EINTR) {
    }
    job->gone = NULL;
}

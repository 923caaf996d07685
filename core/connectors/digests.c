/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/digests.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Digest {
    const EVP_MD *kind; /* NULL: not asked for */
    EVP_MD_CTX *context;
    bool good, ended;
    char hex[2 * 32 + 1];
} Digest;

struct PmDigests {
    Digest md5, sha256;
};

static bool open_digest(Digest *digest, const EVP_MD *kind)
{
    digest->kind = kind;
    digest->context = EVP_MD_CTX_new();
    return digest->context != NULL;
}

static void restart(Digest *digest)
{
    digest->ended = false;
    digest->good = digest->kind != NULL && EVP_DigestInit_ex(digest->context, digest->kind, NULL) == 1;
}

static void add(Digest *digest, const void *bytes, size_t size)
{
    digest->good = digest->good && !digest->ended && EVP_DigestUpdate(digest->context, bytes, size) == 1;
}

static const char *hex_of(Digest *digest)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!digest->ended && digest->good) {
        digest->good = EVP_DigestFinal_ex(digest->context, bytes, &size) == 1 && size <= 32;
        for (size_t i = 0; digest->good && i < size; i++) snprintf(digest->hex + 2 * i, 3, "%02x", bytes[i]);
    }
    digest->ended = true;
    return digest->good ? digest->hex : NULL;
}

PmDigests *pm_digests_new(bool md5, bool sha256)
{
    PmDigests *digests = calloc(1, sizeof *digests);
    if (digests == NULL) return NULL;
    if ((md5 && !open_digest(&digests->md5, EVP_md5())) || (sha256 && !open_digest(&digests->sha256, EVP_sha256()))) {
        pm_digests_free(digests);
        return NULL;
    }
    pm_digests_restart(digests);
    return digests;
}

void pm_digests_free(PmDigests *digests)
{
    if (digests == NULL) return;
    EVP_MD_CTX_free(digests->md5.context);
    EVP_MD_CTX_free(digests->sha256.context);
    free(digests);
}

void pm_digests_restart(PmDigests *digests)
{
    restart(&digests->md5);
    restart(&digests->sha256);
}

void pm_digests_add(PmDigests *digests, const void *bytes, size_t size)
{
    add(&digests->md5, bytes, size);
    add(&digests->sha256, bytes, size);
}

const char *pm_digests_md5(PmDigests *digests)
{
    return hex_of(&digests->md5);
}

const char *pm_digests_sha256(PmDigests *digests)
{
    return hex_of(&digests->sha256);
}

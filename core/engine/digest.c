/* SPDX-License-Identifier: Apache-2.0
 *
 * One hash of all that decides what outputs look like. Limits are left out: they decide whether there are outputs,
 * not what these are, and raising one must not have every object processed anew.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/heic.h"
#include "engine/internal.h"
#include "pipeline/sections.h"

/* Counts up when the engine itself makes other pixels of the same pipeline. */
enum { REVISION = 1 };

/* Length first, so that no two lists of texts read the same. */
static void put(EVP_MD_CTX *hash, const void *bytes, size_t size)
{
    char length[32];
    int n = snprintf(length, sizeof length, "%zu:", size);
    EVP_DigestUpdate(hash, length, (size_t)n);
    EVP_DigestUpdate(hash, bytes, size);
}

static void put_text(EVP_MD_CTX *hash, const char *text)
{
    put(hash, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

static int by_key(const void *a, const void *b)
{
    const PmPair *x = a, *y = b;
    return strcmp(x->key->text, y->key->text);
}

/* Canonical: keys sorted, comments, quotes and layout gone. */
static void put_node(EVP_MD_CTX *hash, const PmNode *node)
{
    if (node == NULL) {
        put_text(hash, "-");
        return;
    }
    switch (node->kind) {
    case PM_NODE_SCALAR:
        put_text(hash, node->plain ? "plain" : "quoted");
        put_text(hash, node->text);
        break;
    case PM_NODE_SEQUENCE:
        put_text(hash, "[");
        for (size_t i = 0; i < node->count; i++) put_node(hash, node->items[i]);
        put_text(hash, "]");
        break;
    case PM_NODE_MAPPING: {
        PmPair *pairs = calloc(node->count + 1, sizeof *pairs);
        put_text(hash, "{");
        if (pairs != NULL && node->count > 0) {
            memcpy(pairs, node->pairs, node->count * sizeof *pairs);
            qsort(pairs, node->count, sizeof *pairs, by_key);
            for (size_t i = 0; i < node->count; i++) {
                put_text(hash, pairs[i].key->text);
                put_node(hash, pairs[i].value);
            }
        }
        put_text(hash, "}");
        free(pairs);
        break;
    }
    }
}

static void put_plugins(EVP_MD_CTX *hash, const PmInstances *instances)
{
    for (size_t i = 0; i < instances->count; i++) {
        const PmLoaded *plugin = instances->items[i].plugin;
        put_text(hash, plugin->transform.name);
        put_text(hash, plugin->version);
        put_text(hash, plugin->digest);
    }
}

void pm_engine_digest(const PmEngine *engine, char out[65])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    char text[32];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    out[0] = '\0';
    if (hash == NULL || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1) goto out;
    snprintf(text, sizeof text, "pixmill engine %d", REVISION);
    put_text(hash, text);
    put_text(hash, vips_version_string());
    put_text(hash, pm_heic_version());
    if (engine->one_pass) put_text(hash, "one pass");

    const PmNode *root = pm_tree_root(engine->pipeline->tree), *outputs = NULL;
    if (root != NULL) {
        put_node(hash, pm_node_get(root, PM_KEY_STEPS));
        outputs = pm_node_get(root, PM_KEY_OUTPUTS);
    }
    for (size_t i = 0; outputs != NULL && outputs->kind == PM_NODE_MAPPING && i < outputs->count; i++) {
        put_text(hash, outputs->pairs[i].key->text);
        const PmNode *matrix = pm_node_get(outputs->pairs[i].value, PM_KEY_FOR);
        if (matrix != NULL) put_node(hash, matrix);
        put_node(hash, pm_node_get(outputs->pairs[i].value, PM_KEY_WHEN));
        put_node(hash, pm_node_get(outputs->pairs[i].value, PM_KEY_STEPS));
    }
    put_plugins(hash, &engine->trunk);
    for (size_t i = 0; i < engine->pipeline->output_count; i++) put_plugins(hash, &engine->outputs[i]);
    for (const PmAsset *asset = engine->assets; asset != NULL; asset = asset->next) {
        put_text(hash, asset->name);
        put(hash, asset->bytes, asset->size);
    }
    if (EVP_DigestFinal_ex(hash, bytes, &size) != 1) goto out;
    for (unsigned int i = 0; i < size && i < 32; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
out:
    EVP_MD_CTX_free(hash);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "net/uri.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

static void hex(const unsigned char *bytes, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}

void pm_sha256_hex(const void *bytes, size_t size, char out[65])
{
    unsigned char digest[32] = {0};
    EVP_Digest(size > 0 ? bytes : "", size, digest, NULL, EVP_sha256(), NULL);
    hex(digest, sizeof digest, out);
}

static void hmac(const void *key, size_t key_size, const char *text, unsigned char out[32])
{
    HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text, strlen(text), out, NULL);
}

static void format_date(int64_t time_s, char date[17])
{
    time_t t = (time_t)time_s;
    struct tm tm = {0};
    gmtime_r(&t, &tm);
    strftime(date, 17, "%Y%m%dT%H%M%SZ", &tm);
}

static bool format_scope(const PmSigning *request, char *out, size_t size)
{
    char date[17];
    format_date(request->time_s, date);
    int n = snprintf(out, size, "%.8s/%s/%s/aws4_request", date, request->region, request->service);
    return n > 0 && (size_t)n < size;
}

/* Headers that proxies, libraries or the transport may change on the way. */
static bool never_signed(const char *name)
{
    static const char *const names[] = {
        "authorization", "connection", "expect",     "keep-alive",        "te",
        "trailer",       "upgrade",    "user-agent", "transfer-encoding", "x-amzn-trace-id"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i]) == 0) return true;
    return strncasecmp(name, "proxy-", 6) == 0;
}

/* --- query --- */

typedef struct Encoded {
    char *name, *value; /* owned */
} Encoded;

static int compare_encoded(const void *a, const void *b)
{
    const Encoded *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    return c != 0 ? c : strcmp(x->value, y->value);
}

static char *encode(const char *text, bool *no_memory)
{
    PmBuffer buffer;
    pm_buffer_init(&buffer, PM_SIGV4_REQUEST_MAX);
    pm_buffer_adds(&buffer, "");
    pm_uri_encode(&buffer, text != NULL ? text : "", false);
    *no_memory = *no_memory || buffer.no_memory;
    return pm_buffer_steal(&buffer);
}

static PmStatus too_long(bool no_memory, const char *message, PmError *err)
{
    return no_memory ? pm_error_set(err, PM_TRANSIENT, "out of memory") : pm_error_set(err, PM_BUG, "%s", message);
}

void pm_sigv4_query(PmBuffer *out, const PmNameValue *query, size_t count)
{
    Encoded *pairs = calloc(count + 1, sizeof *pairs);
    bool complete = pairs != NULL, no_memory = pairs == NULL;
    for (size_t i = 0; complete && i < count; i++) {
        pairs[i] = (Encoded){encode(query[i].name, &no_memory), encode(query[i].value, &no_memory)};
        complete = pairs[i].name != NULL && pairs[i].value != NULL;
    }
    if (complete && count > 0) qsort(pairs, count, sizeof *pairs, compare_encoded);
    if (!complete) out->failed = true;
    if (no_memory) out->no_memory = true;
    for (size_t i = 0; complete && i < count; i++)
        pm_buffer_addf(out, "%s%s=%s", i > 0 ? "&" : "", pairs[i].name, pairs[i].value);
    for (size_t i = 0; pairs != NULL && i < count; i++) {
        free(pairs[i].name);
        free(pairs[i].value);
    }
    free(pairs);
}

/* --- headers --- */

typedef struct HeaderSet {
    PmNameValue items[PM_SIGV4_PAIRS_MAX]; /* sorted by lower-case name, stable */
    size_t count;
} HeaderSet;

static bool header_insert(HeaderSet *set, const char *name, const char *value)
{
    if (never_signed(name)) return true;
    if (set->count == PM_SIGV4_PAIRS_MAX) return false;
    size_t at = set->count++;
    for (; at > 0 && strcasecmp(set->items[at - 1].name, name) > 0; at--) set->items[at] = set->items[at - 1];
    set->items[at] = (PmNameValue){name, value};
    return true;
}

static bool collect_headers(const PmSigning *request, const PmSigningCredentials *credentials, bool presign,
                            const char *date, HeaderSet *set)
{
    bool ok = true;
    set->count = 0;
    for (size_t i = 0; i < request->header_count; i++)
        ok = ok && header_insert(set, request->headers[i].name, request->headers[i].value);
    if (!presign) {
        ok = ok && header_insert(set, "x-amz-date", date);
        if (credentials->session_token != NULL && !request->token_after_signing)
            ok = ok && header_insert(set, "x-amz-security-token", credentials->session_token);
    }
    return ok;
}

static void add_lower(PmBuffer *out, const char *name)
{
    for (; *name != '\0'; name++) {
        char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
        pm_buffer_add(out, &c, 1);
    }
}

/* Trimmed, inner white space (folded lines included) collapsed to one space. */
static void add_value(PmBuffer *out, const char *value)
{
    bool started = false, pending = false;
    for (; *value != '\0'; value++) {
        if (*value == ' ' || *value == '\t' || *value == '\r' || *value == '\n') {
            pending = started;
            continue;
        }
        if (pending) pm_buffer_adds(out, " ");
        pm_buffer_add(out, value, 1);
        started = true;
        pending = false;
    }
}

static bool same_name(const HeaderSet *set, size_t i)
{
    return i > 0 && strcasecmp(set->items[i - 1].name, set->items[i].name) == 0;
}

static void add_signed_names(PmBuffer *out, const HeaderSet *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (same_name(set, i)) continue;
        if (i > 0) pm_buffer_adds(out, ";");
        add_lower(out, set->items[i].name);
    }
}

static void add_headers(PmBuffer *out, const HeaderSet *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (same_name(set, i)) {
            pm_buffer_adds(out, ",");
        } else {
            if (i > 0) pm_buffer_adds(out, "\n");
            add_lower(out, set->items[i].name);
            pm_buffer_adds(out, ":");
        }
        add_value(out, set->items[i].value);
    }
    pm_buffer_adds(out, "\n");
}

/* --- the request as one --- */

typedef struct Material {
    char date[17], scope[160], credential[320], expires[24];
    char *signed_names; /* owned */
    HeaderSet headers;
    PmNameValue query[PM_SIGV4_PAIRS_MAX + 6];
    size_t query_count;
} Material;

static void material_finish(Material *material)
{
    free(material->signed_names);
}

/* Gathers what is signed; expires_s > 0 adds the X-Amz- query parameters. */
static PmStatus prepare(const PmSigning *request, const PmSigningCredentials *credentials, int64_t expires_s,
                        Material *m, PmError *err)
{
    *m = (Material){0};
    bool presign = expires_s > 0;
    format_date(request->time_s, m->date);
    PmBuffer names;
    pm_buffer_init(&names, PM_SIGV4_REQUEST_MAX);
    if (request->query_count > PM_SIGV4_PAIRS_MAX || !format_scope(request, m->scope, sizeof m->scope) ||
        !collect_headers(request, credentials, presign, m->date, &m->headers))
        return pm_error_set(err, PM_BUG, "the request has too many headers or parameters to sign");
    add_signed_names(&names, &m->headers);
    bool no_memory = names.no_memory;
    m->signed_names = pm_buffer_steal(&names);
    int n = snprintf(m->credential, sizeof m->credential, "%s/%s", credentials->access_key_id, m->scope);
    if (m->signed_names == NULL || n < 0 || (size_t)n >= sizeof m->credential)
        return too_long(no_memory, "the access key id is too long to sign with", err);

    for (size_t i = 0; i < request->query_count; i++) m->query[m->query_count++] = request->query[i];
    if (presign) {
        snprintf(m->expires, sizeof m->expires, "%lld", (long long)expires_s);
        m->query[m->query_count++] = (PmNameValue){"X-Amz-Algorithm", ALGORITHM};
        m->query[m->query_count++] = (PmNameValue){"X-Amz-Credential", m->credential};
        m->query[m->query_count++] = (PmNameValue){"X-Amz-Date", m->date};
        m->query[m->query_count++] = (PmNameValue){"X-Amz-Expires", m->expires};
        m->query[m->query_count++] = (PmNameValue){"X-Amz-SignedHeaders", m->signed_names};
        if (credentials->session_token != NULL && !request->token_after_signing)
            m->query[m->query_count++] = (PmNameValue){"X-Amz-Security-Token", credentials->session_token};
    }
    return PM_OK;
}

static PmStatus canonical_request(const PmSigning *request, const Material *m, PmBuffer *out, PmError *err)
{
    PmBuffer path;
    pm_buffer_init(&path, PM_SIGV4_REQUEST_MAX);
    if (request->normalize)
        pm_uri_normalize(&path, request->path);
    else
        pm_buffer_adds(&path, request->path[0] != '\0' ? request->path : "/");

    pm_buffer_addf(out, "%s\n", request->method);
    out->failed = out->failed || path.failed || path.data == NULL;
    out->no_memory = out->no_memory || path.no_memory;
    if (path.data != NULL && request->encode_path)
        pm_uri_encode(out, path.data, true);
    else if (path.data != NULL)
        pm_buffer_adds(out, path.data);
    pm_buffer_finish(&path);
    pm_buffer_adds(out, "\n");
    pm_sigv4_query(out, m->query, m->query_count);
    pm_buffer_adds(out, "\n");
    add_headers(out, &m->headers);
    pm_buffer_addf(out, "\n%s\n%s", m->signed_names, request->payload_hash);
    return out->failed ? too_long(out->no_memory, "the request is too long to sign", err) : PM_OK;
}

PmStatus pm_sigv4_canonical_request(const PmSigning *request, const PmSigningCredentials *credentials,
                                    int64_t expires_s, PmBuffer *out, PmError *err)
{
    Material material;
    PmStatus status = prepare(request, credentials, expires_s, &material, err);
    if (status == PM_OK) status = canonical_request(request, &material, out, err);
    material_finish(&material);
    return status;
}

PmStatus pm_sigv4_string_to_sign(const PmSigning *request, const char *canonical, PmBuffer *out, PmError *err)
{
    char date[17], scope[160], digest[65];
    format_date(request->time_s, date);
    if (!format_scope(request, scope, sizeof scope))
        return pm_error_set(err, PM_BUG, "region or service name is too long");
    pm_sha256_hex(canonical, strlen(canonical), digest);
    pm_buffer_addf(out, ALGORITHM "\n%s\n%s\n%s", date, scope, digest);
    return out->failed ? too_long(out->no_memory, "the request is too long to sign", err) : PM_OK;
}

void pm_signing_key_clear(PmSigningKey *key)
{
    OPENSSL_cleanse(key, sizeof *key);
}

static void derive_key(const PmSigning *request, const char *scope, const PmSigningCredentials *credentials,
                       PmSigningKey *cache)
{
    const char *secret = credentials->secret_access_key;
    unsigned char secret_hash[32];
    EVP_Digest(secret, strlen(secret), secret_hash, NULL, EVP_sha256(), NULL);
    if (cache->valid && strcmp(cache->scope, scope) == 0 &&
        CRYPTO_memcmp(cache->secret_hash, secret_hash, sizeof secret_hash) == 0)
        return;

    char start[256], day[9];
    pm_text_copy(day, sizeof day, scope);
    int n = snprintf(start, sizeof start, "AWS4%s", secret);
    unsigned char a[32], b[32];
    hmac(start, n > 0 ? (size_t)n : 0, day, a);
    hmac(a, sizeof a, request->region, b);
    hmac(b, sizeof b, request->service, a);
    hmac(a, sizeof a, "aws4_request", cache->key);
    OPENSSL_cleanse(start, sizeof start);
    OPENSSL_cleanse(a, sizeof a);
    OPENSSL_cleanse(b, sizeof b);
    memcpy(cache->secret_hash, secret_hash, sizeof secret_hash);
    pm_text_copy(cache->scope, sizeof cache->scope, scope);
    cache->valid = true;
}

/* The signature over a prepared request. */
static PmStatus sign(const PmSigning *request, const PmSigningCredentials *credentials, const Material *material,
                     PmSigningKey *cache, char signature[65], PmError *err)
{
    if (strlen(credentials->secret_access_key) > 200)
        return pm_error_set(err, PM_BAD_CONFIG, "the secret access key is longer than 200 characters");
    PmSigningKey local = {0};
    PmSigningKey *key = cache != NULL ? cache : &local;
    PmBuffer canonical, text;
    pm_buffer_init(&canonical, PM_SIGV4_REQUEST_MAX);
    pm_buffer_init(&text, 1024);
    PmStatus status = canonical_request(request, material, &canonical, err);
    if (status == PM_OK) status = pm_sigv4_string_to_sign(request, canonical.data, &text, err);
    if (status == PM_OK) {
        unsigned char mac[32];
        derive_key(request, material->scope, credentials, key);
        hmac(key->key, sizeof key->key, text.data, mac);
        hex(mac, sizeof mac, signature);
    }
    pm_buffer_finish(&canonical);
    pm_buffer_finish(&text);
    pm_signing_key_clear(&local);
    return status;
}

PmStatus pm_sigv4_sign(const PmSigning *request, const PmSigningCredentials *credentials, PmSigningKey *key,
                       PmSignature *out, PmError *err)
{
    Material material;
    PmSignature result = {0};
    PmStatus status = prepare(request, credentials, 0, &material, err);
    if (status == PM_OK) status = sign(request, credentials, &material, key, result.signature, err);
    if (status == PM_OK) {
        memcpy(result.date, material.date, sizeof result.date);
        int n = snprintf(result.authorization, sizeof result.authorization,
                         ALGORITHM " Credential=%s, SignedHeaders=%s, Signature=%s", material.credential,
                         material.signed_names, result.signature);
        if (n < 0 || (size_t)n >= sizeof result.authorization)
            status = pm_error_set(err, PM_BUG, "the request has too many headers to sign");
    }
    if (status == PM_OK) *out = result;
    material_finish(&material);
    return status;
}

PmStatus pm_sigv4_presign(const PmSigning *request, const PmSigningCredentials *credentials, int64_t expires_s,
                          PmSigningKey *key, PmBuffer *query, PmError *err)
{
    if (expires_s < 1 || expires_s > PM_SIGV4_EXPIRES_MAX)
        return pm_error_set(err, PM_BAD_CONFIG, "a presigned URL lives 1 second to 7 days, not %lld seconds",
                            (long long)expires_s);
    Material material;
    char signature[65];
    PmStatus status = prepare(request, credentials, expires_s, &material, err);
    if (status == PM_OK) status = sign(request, credentials, &material, key, signature, err);
    if (status == PM_OK) {
        pm_sigv4_query(query, material.query, material.query_count);
        if (credentials->session_token != NULL && request->token_after_signing) {
            pm_buffer_adds(query, "&X-Amz-Security-Token=");
            pm_uri_encode(query, credentials->session_token, false);
        }
        pm_buffer_addf(query, "&X-Amz-Signature=%s", signature);
        if (query->failed) status = too_long(query->no_memory, "the presigned URL is too long", err);
    }
    material_finish(&material);
    return status;
}

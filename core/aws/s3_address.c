/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>

#include "aws/s3_internal.h"
#include "base/text.h"
#include "net/uri.h"

bool pm_s3_bucket_valid(const char *bucket)
{
    size_t n = strlen(bucket);
    return n >= 1 && n <= 255 &&
           strspn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == n &&
           strcmp(bucket, ".") != 0 && strcmp(bucket, "..") != 0;
}

const char *pm_s3_region_of(const PmS3 *s3, const char *bucket)
{
    for (size_t i = 0; i < PM_S3_REGIONS_MAX; i++)
        if (s3->regions[i].bucket[0] != '\0' && strcmp(s3->regions[i].bucket, bucket) == 0)
            return s3->regions[i].region;
    return s3->region;
}

bool pm_s3_learn_region(PmS3 *s3, const char *bucket, const char *region)
{
    size_t n = strlen(region);
    if (n == 0 || n >= sizeof s3->regions[0].region || strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != n ||
        region[0] == '-' || region[n - 1] == '-' || strcmp(pm_s3_region_of(s3, bucket), region) == 0)
        return false;
    PmS3Region *slot = NULL;
    for (size_t i = 0; i < PM_S3_REGIONS_MAX && slot == NULL; i++)
        if (strcmp(s3->regions[i].bucket, bucket) == 0) slot = &s3->regions[i];
    if (slot == NULL) slot = &s3->regions[s3->region_next++ % PM_S3_REGIONS_MAX];
    pm_text_copy(slot->bucket, sizeof slot->bucket, bucket);
    pm_text_copy(slot->region, sizeof slot->region, region);
    return true;
}

/* A name that can stand before the host: lower-case DNS labels. */
static bool is_dns_label(const char *bucket, bool dots_allowed)
{
    size_t n = strlen(bucket);
    if (n < 3 || n > 63 || strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-.") != n) return false;
    return (dots_allowed || strchr(bucket, '.') == NULL) && bucket[0] != '-' && bucket[n - 1] != '-' &&
           bucket[0] != '.' && bucket[n - 1] != '.' && strstr(bucket, "..") == NULL;
}

static bool is_address(const char *origin)
{
    const char *host = strstr(origin, "://") + 3;
    char name[256];
    size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    if (host[0] == '[') return true;
    if (n >= sizeof name) return false;
    memcpy(name, host, n);
    name[n] = '\0';
    struct in_addr address;
    return inet_pton(AF_INET, name, &address) == 1 || strcmp(name, "localhost") == 0;
}

static bool use_path_style(const PmS3 *s3, const char *bucket, bool tls)
{
    if (s3->addressing != PM_ADDRESSING_AUTO) return s3->addressing == PM_ADDRESSING_PATH;
    /* A dot in the name breaks the wildcard certificate; an address has no names below it. */
    if (!is_dns_label(bucket, !tls)) return true;
    return s3->endpoint != NULL && is_address(s3->endpoint);
}

void pm_s3_address(const PmS3 *s3, const char *bucket, const char *key, PmBuffer *origin, PmBuffer *path)
{
    const char *region = pm_s3_region_of(s3, bucket);
    bool tls = s3->endpoint == NULL || strncmp(s3->endpoint, "https:", 6) == 0;
    bool in_path = use_path_style(s3, bucket, tls);
    if (s3->endpoint != NULL) {
        const char *host = strstr(s3->endpoint, "://") + 3;
        if (in_path)
            pm_buffer_adds(origin, s3->endpoint);
        else
            pm_buffer_addf(origin, "%.*s%s.%s", (int)(host - s3->endpoint), s3->endpoint, bucket, host);
    } else {
        const char *suffix = strncmp(region, "cn-", 3) == 0 ? ".amazonaws.com.cn" : ".amazonaws.com";
        pm_buffer_addf(origin, "https://%s%ss3%s%s.%s%s", in_path ? "" : bucket, in_path ? "" : ".",
                       s3->fips ? "-fips" : "", s3->dualstack ? ".dualstack" : "", region, suffix);
    }
    pm_buffer_adds(path, "/");
    if (in_path) {
        pm_uri_encode(path, bucket, false);
        if (key[0] != '\0') pm_buffer_adds(path, "/");
    }
    pm_uri_encode(path, key, true);
}

PmStatus pm_s3_presign(PmS3 *s3, const char *method, const char *bucket, const char *key, int64_t expires_s,
                       int64_t now_s, const PmSigningCredentials *credentials, PmBuffer *out, PmError *err)
{
    if (!pm_s3_bucket_valid(bucket)) return pm_error_set(err, PM_BAD_CONFIG, "\"%s\" is not a bucket name", bucket);
    PmBuffer origin, path;
    pm_buffer_init(&origin, 1024);
    pm_buffer_init(&path, 8192);
    pm_s3_address(s3, bucket, key, &origin, &path);
    PmStatus status = PM_BUG;
    if (!origin.failed && !path.failed) {
        PmNameValue host = {"Host", strstr(origin.data, "://") + 3};
        PmSigning signing = {.method = method,
                             .path = path.data,
                             .headers = &host,
                             .header_count = 1,
                             .payload_hash = PM_SIGV4_UNSIGNED_PAYLOAD,
                             .service = "s3",
                             .region = pm_s3_region_of(s3, bucket),
                             .time_s = now_s};
        pm_buffer_addf(out, "%s%s?", origin.data, path.data);
        status = pm_sigv4_presign(&signing, credentials, expires_s, NULL, out, err);
    }
    if (status == PM_OK && out->failed) status = PM_BUG;
    if (status == PM_BUG) pm_error_set(err, PM_BUG, "the URL is too long");
    pm_buffer_finish(&origin);
    pm_buffer_finish(&path);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/credentials.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/provider.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

enum {
    RENEW_BEFORE_MS = 15 * 60 * 1000,
    FORCE_EVERY_MS = 60 * 1000,
    RETRY_EVERY_MS = 30 * 1000,    /* a renewal that failed, while the old ones serve */
    FAILURE_HOLDS_MS = 1000,       /* without credentials, callers get the same error for this long */
    EXPIRED_ALREADY_MS = 60 * 1000 /* found expired by our clock: used nevertheless, since the clock may be wrong */
};

struct PmCredentialsWait {
    PmCredentials *credentials;
    PmCredentialsWait *next;
    PmCredentialsReady *ready;
    void *data;
    bool *answered; /* set when the callback came while pm_credentials_get was still on the stack */
};

struct PmCredentials {
    PmLoop *loop;
    PmHttp *http;
    char profile[128], region[64];
    PmFound current;
    bool have, fixed, named;
    bool forced; /* renew although they look valid; callers wait for the new ones */
    unsigned generation;
    int64_t renew_at_ms, valid_until_ms; /* wall clock, of `current`; 0: never */
    int64_t forced_at_ms, failed_at_ms;  /* monotonic; 0: not yet */
    int64_t process_timeout_ms;
    PmError failure;  /* of failed_at_ms */
    PmSearch *search; /* under way */
    PmCredentialsWait *waits;
};

static PmProvider *const providers[] = {pm_provider_environment, pm_provider_profile, pm_provider_web_identity,
                                        pm_provider_container, pm_provider_imds};

/* --- what is found --- */

void pm_found_clear(PmFound *found)
{
    if (found->session_token != NULL) {
        OPENSSL_cleanse(found->session_token, strlen(found->session_token));
        free(found->session_token);
    }
    OPENSSL_cleanse(found, sizeof *found);
}

static bool parse_expiry(const char *text, int64_t *ms)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest == NULL) return false;
    if (*rest == '.') rest += 1 + strspn(rest + 1, "0123456789");
    int64_t offset_s = *rest != '\0' && strptime(rest, "%z", &tm) != NULL ? tm.tm_gmtoff : 0;
    *ms = ((int64_t)timegm(&tm) - offset_s) * 1000;
    return true;
}

bool pm_found_set(PmFound *found, const char *access_key_id, const char *secret, const char *token, const char *expires,
                  const char *source)
{
    pm_found_clear(found);
    if (access_key_id == NULL || access_key_id[0] == '\0' || secret == NULL || secret[0] == '\0') return false;
    bool no_memory = false;
    bool ok = pm_text_copy(found->access_key_id, sizeof found->access_key_id, access_key_id) &&
              pm_text_copy(found->secret_access_key, sizeof found->secret_access_key, secret);
    if (ok && token != NULL && token[0] != '\0') {
        found->session_token = strlen(token) < PM_TOKEN_MAX ? strdup(token) : NULL;
        no_memory = strlen(token) < PM_TOKEN_MAX && found->session_token == NULL;
        ok = found->session_token != NULL;
    }
    if (ok && expires != NULL && expires[0] != '\0') ok = parse_expiry(expires, &found->expires_ms);
    pm_text_copy(found->source, sizeof found->source, source);
    if (!ok) pm_found_clear(found);
    found->no_memory = no_memory;
    return ok;
}

bool pm_found_from_json(PmFound *found, const char *text, size_t size, const char *source)
{
    bool no_memory = false;
    json_t *json = pm_json_read(text, size, 0, NULL, &no_memory);
    const char *token = json_string_value(json_object_get(json, "Token"));
    if (token == NULL) token = json_string_value(json_object_get(json, "SessionToken"));
    bool ok = pm_found_set(found, json_string_value(json_object_get(json, "AccessKeyId")),
                           json_string_value(json_object_get(json, "SecretAccessKey")), token,
                           json_string_value(json_object_get(json, "Expiration")), source);
    found->no_memory = found->no_memory || no_memory;
    json_decref(json);
    return ok;
}

/* --- life --- */

PmCredentials *pm_credentials_new(PmLoop *loop, PmHttp *http, const PmCredentialsOptions *options, PmError *err)
{
    PmCredentials *credentials = calloc(1, sizeof *credentials);
    if (credentials == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    credentials->loop = loop;
    credentials->http = http;
    pm_text_copy(credentials->profile, sizeof credentials->profile,
                 pm_profile_name(options != NULL ? options->profile : NULL));
    const char *named = getenv("AWS_PROFILE");
    credentials->named = (options != NULL && options->profile != NULL && options->profile[0] != '\0') ||
                         (named != NULL && named[0] != '\0');
    if (options != NULL) credentials->process_timeout_ms = options->process_timeout_ms;
    if (options != NULL && options->region != NULL)
        pm_text_copy(credentials->region, sizeof credentials->region, options->region);
    else
        pm_aws_region(credentials->profile, credentials->region, sizeof credentials->region);
    return credentials;
}

PmCredentials *pm_credentials_fixed(const char *access_key_id, const char *secret_access_key, const char *session_token)
{
    PmCredentials *credentials = calloc(1, sizeof *credentials);
    if (credentials == NULL) return NULL;
    credentials->fixed = credentials->have =
        pm_found_set(&credentials->current, access_key_id, secret_access_key, session_token, NULL, "fixed");
    if (credentials->fixed) return credentials;
    free(credentials);
    return NULL;
}

static void free_search(PmSearch *search)
{
    if (search == NULL) return;
    pm_search_release(search);
    pm_found_clear(&search->found);
    pm_profiles_free(search->profiles);
    OPENSSL_cleanse(search->scratch, sizeof search->scratch);
    free(search);
}

void pm_credentials_free(PmCredentials *credentials)
{
    if (credentials == NULL) return;
    free_search(credentials->search);
    for (PmCredentialsWait *wait = credentials->waits, *next; wait != NULL; wait = next) {
        next = wait->next;
        free(wait);
    }
    pm_found_clear(&credentials->current);
    free(credentials);
}

void pm_credentials_cancel(PmCredentialsWait *wait)
{
    if (wait == NULL) return;
    PmCredentialsWait **at = &wait->credentials->waits;
    while (*at != wait) at = &(*at)->next;
    *at = wait->next;
    free(wait);
}

const char *pm_credentials_source(const PmCredentials *credentials)
{
    return credentials->have ? credentials->current.source : "";
}

unsigned pm_credentials_generation(const PmCredentials *credentials)
{
    return credentials->generation;
}

bool pm_credentials_expire(PmCredentials *credentials, unsigned generation)
{
    int64_t now = pm_clock_mono_ms();
    if (credentials->fixed) return false;
    if (generation != credentials->generation || credentials->forced) return true; /* others came before */
    if (credentials->forced_at_ms != 0 && now - credentials->forced_at_ms < FORCE_EVERY_MS) return false;
    credentials->forced_at_ms = now;
    credentials->forced = true;
    return true;
}

/* --- the walk --- */

static bool start_search(PmCredentials *credentials);

static void answer_waits(PmCredentials *credentials, const PmError *err)
{
    PmCredentialsWait *list = credentials->waits;
    credentials->waits = NULL;
    while (list != NULL) {
        PmCredentialsWait *wait = list;
        list = wait->next;
        PmSigningCredentials found = {credentials->current.access_key_id, credentials->current.secret_access_key,
                                      credentials->current.session_token};
        PmCredentialsReady *ready = wait->ready;
        void *data = wait->data;
        if (wait->answered != NULL) *wait->answered = true;
        /* Those still to be answered stay cancellable while this one runs. */
        credentials->waits = list;
        free(wait);
        ready(data, err == NULL ? &found : NULL, err);
        list = credentials->waits;
        credentials->waits = NULL;
    }
}

/* When the credentials just found are renewed, and until when they serve. A quarter of what is left is the most that
 * is given away: else a session of 15 minutes would be renewed for every single call. */
static void set_times(PmCredentials *credentials)
{
    int64_t expires = credentials->current.expires_ms, now = pm_clock_wall_ms(), left = expires - now;
    credentials->renew_at_ms = credentials->valid_until_ms = 0;
    if (expires == 0) return;
    if (left <= 0) {
        pm_log(PM_LOG_WARN, "aws.credentials", "msg", "they are expired already, by the clock of this machine",
               "source", credentials->current.source, NULL);
        credentials->renew_at_ms = credentials->valid_until_ms = now + EXPIRED_ALREADY_MS;
        return;
    }
    credentials->valid_until_ms = expires;
    credentials->renew_at_ms = expires - (left / 4 < RENEW_BEFORE_MS ? left / 4 : RENEW_BEFORE_MS);
}

void pm_search_found(PmSearch *search)
{
    PmCredentials *credentials = search->owner;
    pm_found_clear(&credentials->current);
    credentials->current = search->found;
    search->found = (PmFound){0};
    credentials->have = true;
    credentials->forced = false;
    credentials->generation++;
    credentials->failed_at_ms = 0;
    credentials->search = NULL;
    set_times(credentials);
    free_search(search);
    pm_log(PM_LOG_DEBUG, "aws.credentials", "source", credentials->current.source, NULL);
    answer_waits(credentials, NULL);
}

static void fail(PmSearch *search, const PmError *err)
{
    PmCredentials *credentials = search->owner;
    credentials->search = NULL;
    credentials->failed_at_ms = pm_clock_mono_ms();
    credentials->forced = false;
    credentials->failure = *err;
    free_search(search);
    if (credentials->have) { /* a renewal in the background: the old ones still serve */
        pm_log(PM_LOG_WARN, "aws.credentials", "msg", err->message, NULL);
        answer_waits(credentials, NULL);
        return;
    }
    answer_waits(credentials, err);
}

void pm_search_failed(PmSearch *search, PmStatus status, const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    PmError err = {0};
    if (search->found.no_memory)
        pm_error_set(&err, PM_TRANSIENT, "credentials: out of memory");
    else
        pm_error_set(&err, status, "%s", message);
    fail(search, &err);
}

void pm_search_release(PmSearch *search)
{
    pm_http_cancel(search->call);
    search->call = NULL;
    pm_aws_client_free(search->sts);
    search->sts = NULL;
    pm_credentials_free(search->sts_credentials);
    search->sts_credentials = NULL;
    pm_provider_process_cancel(search->process);
    search->process = NULL;
    if (search->body != NULL) OPENSSL_cleanse(search->body, strlen(search->body));
    free(search->body);
    search->body = NULL;
}

void pm_search_absent(PmSearch *search, const char *tried)
{
    size_t used = strlen(search->tried);
    snprintf(search->tried + used, sizeof search->tried - used, "%s%s", used > 0 ? ", " : "", tried);
    pm_search_release(search);
    search->step++;
    if ((size_t)search->step < sizeof providers / sizeof providers[0]) {
        providers[search->step](search);
        return;
    }
    PmError err = {0};
    pm_error_set(&err, PM_BAD_CONFIG, "no AWS credentials found (tried %s)", search->tried);
    pm_error_hint(
        &err, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the task or instance a role");
    fail(search, &err);
}

/* false: out of memory. May answer at once, and be freed then. */
static bool start_search(PmCredentials *credentials)
{
    PmSearch *search = calloc(1, sizeof *search);
    if (search == NULL) return false;
    search->loop = credentials->loop;
    search->http = credentials->http;
    search->owner = credentials;
    search->profiles = pm_profiles_load();
    if (search->profiles == NULL) { /* without them, what is found may have other rights than those meant */
        free(search);
        return false;
    }
    search->named = credentials->named;
    search->process_timeout_ms = credentials->process_timeout_ms;
    pm_text_copy(search->profile, sizeof search->profile, credentials->profile);
    pm_text_copy(search->region, sizeof search->region, credentials->region);
    credentials->search = search;
    providers[0](search);
    return true;
}

PmCredentialsWait *pm_credentials_get(PmCredentials *credentials, PmCredentialsReady *ready, void *data)
{
    int64_t now = pm_clock_wall_ms(), mono = pm_clock_mono_ms();
    int64_t since_failure = credentials->failed_at_ms != 0 ? mono - credentials->failed_at_ms : INT64_MAX;
    if (credentials->valid_until_ms != 0 && now >= credentials->valid_until_ms) credentials->have = false;
    bool idle = !credentials->fixed && credentials->search == NULL;
    if (credentials->have && !credentials->forced) {
        bool renew = credentials->renew_at_ms != 0 && now >= credentials->renew_at_ms;
        if (idle && renew && since_failure >= RETRY_EVERY_MS) start_search(credentials);
        PmSigningCredentials found = {credentials->current.access_key_id, credentials->current.secret_access_key,
                                      credentials->current.session_token};
        ready(data, &found, NULL);
        return NULL;
    }
    if (!credentials->have && idle && since_failure < FAILURE_HOLDS_MS) {
        PmError err = credentials->failure;
        ready(data, NULL, &err);
        return NULL;
    }
    PmCredentialsWait *wait = calloc(1, sizeof *wait);
    if (wait == NULL) {
        PmError err = {0};
        pm_error_set(&err, PM_TRANSIENT, "out of memory");
        ready(data, NULL, &err);
        return NULL;
    }
    bool answered = false;
    *wait = (PmCredentialsWait){
        .credentials = credentials, .next = credentials->waits, .ready = ready, .data = data, .answered = &answered};
    credentials->waits = wait;
    if (idle && !start_search(credentials)) {
        PmError err = {0};
        pm_credentials_cancel(wait);
        pm_error_set(&err, PM_TRANSIENT, "out of memory");
        ready(data, NULL, &err);
        return NULL;
    }
    if (answered) return NULL; /* at once, by the environment or a file */
    wait->answered = NULL;
    return wait;
}

/* --- region --- */

static bool is_label(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && n < 64 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && text[0] != '-' &&
           text[n - 1] != '-';
}

bool pm_aws_region(const char *profile, char *out, size_t size)
{
    static const char *const variables[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = getenv(variables[i]);
        if (value != NULL && is_label(value)) return pm_text_copy(out, size, value);
    }
    PmProfiles *profiles = pm_profiles_load();
    const char *value = pm_profiles_get(profiles, pm_profile_name(profile), "region");
    bool ok = value != NULL && is_label(value) && pm_text_copy(out, size, value);
    pm_profiles_free(profiles);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Credentials from this machine: environment, profile, and the files that tokens are in.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/provider.h"
#include "base/text.h"

void pm_provider_environment(PmSearch *search)
{
    const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
    bool has_id = id != NULL && id[0] != '\0', has_secret = secret != NULL && secret[0] != '\0';
    if (has_id != has_secret) {
        pm_search_failed(search, PM_BAD_CONFIG, "%s is set, but %s is not",
                         has_id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                         has_id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    } else if (!has_id) {
        pm_search_absent(search, "environment");
    } else if (!pm_found_set(&search->found, id, secret, getenv("AWS_SESSION_TOKEN"), NULL, "environment")) {
        pm_search_failed(search, PM_BAD_CONFIG, "the credentials in the environment are too long");
    } else {
        pm_search_found(search);
    }
}

/* --- profile --- */

static const char *get(const PmSearch *search, const char *profile, const char *key)
{
    return pm_profiles_get(search->profiles, profile, key);
}

/* The keys written in a profile itself. */
static bool static_keys(const PmSearch *search, const char *profile, PmFound *found)
{
    char source[160];
    snprintf(source, sizeof source, "profile %s", profile);
    return pm_found_set(found, get(search, profile, "aws_access_key_id"), get(search, profile, "aws_secret_access_key"),
                        get(search, profile, "aws_session_token"), NULL, source);
}

static void assume_from_profile(PmSearch *search, const char *role_arn)
{
    const char *source = get(search, search->profile, "source_profile");
    const char *seconds = get(search, search->profile, "duration_seconds");
    const char *region = get(search, search->profile, "region");
    PmFound keys = {0};
    if (source == NULL) {
        pm_search_failed(search, PM_BAD_CONFIG, "profile %s has role_arn but no source_profile", search->profile);
        return;
    }
    if (!static_keys(search, source, &keys)) {
        search->found.no_memory = keys.no_memory;
        pm_search_failed(search, PM_BAD_CONFIG, "profile %s: its source_profile %s holds no access key",
                         search->profile, source);
        return;
    }
    char label[160];
    snprintf(label, sizeof label, "role of profile %s", search->profile);
    PmAssumeRole role = {.role_arn = role_arn,
                         .session_name = get(search, search->profile, "role_session_name"),
                         .external_id = get(search, search->profile, "external_id"),
                         .region = region != NULL ? region : search->region,
                         .duration_s = seconds != NULL ? strtol(seconds, NULL, 10) : 0,
                         .label = label,
                         .source = &keys};
    pm_provider_assume_role(search, &role);
    pm_found_clear(&keys);
}

void pm_provider_profile(PmSearch *search)
{
    char label[160];
    snprintf(label, sizeof label, "profile %s", search->profile);
    const char *role = get(search, search->profile, "role_arn"),
               *process = get(search, search->profile, "credential_process");
    if (!pm_profiles_has(search->profiles, search->profile)) {
        /* Going on would sign with whatever role the machine has: with other rights than those that were asked for. */
        if (search->named)
            pm_search_failed(search, PM_BAD_CONFIG,
                             "profile %s (of aws.profile or AWS_PROFILE) is in neither ~/.aws/credentials nor "
                             "~/.aws/config",
                             search->profile);
        else
            pm_search_absent(search, label);
    } else if (role != NULL && get(search, search->profile, "web_identity_token_file") == NULL) {
        assume_from_profile(search, role);
    } else if (static_keys(search, search->profile, &search->found)) {
        pm_search_found(search);
    } else if (search->found.no_memory) {
        pm_search_failed(search, PM_TRANSIENT, "%s: out of memory", label);
    } else if (process != NULL) {
        pm_provider_process(search, process, label);
    } else if (get(search, search->profile, "sso_session") != NULL ||
               get(search, search->profile, "sso_start_url") != NULL) {
        pm_search_failed(search, PM_BAD_CONFIG,
                         "profile %s signs in with SSO, which is not supported; export keys with "
                         "`aws configure export-credentials --format env`",
                         search->profile);
    } else {
        pm_search_absent(search, label);
    }
}

/* --- files with a token --- */

char *pm_provider_token_file(const char *path, const char *what, PmError *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        pm_error_set(err, PM_BAD_CONFIG, "%s %.200s cannot be read: %s", what, path, strerror(errno));
        return NULL;
    }
    char *text = malloc(PM_TOKEN_FILE_MAX + 2);
    size_t n = text != NULL ? fread(text, 1, PM_TOKEN_FILE_MAX + 1, file) : 0;
    bool failed = ferror(file) != 0;
    fclose(file);
    if (text == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    size_t size = n;
    while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL && text[n - 1] != '\0') n--;
    text[n] = '\0';
    if (failed)
        pm_error_set(err, PM_BAD_CONFIG, "%s %.200s cannot be read", what, path);
    else if (size > PM_TOKEN_FILE_MAX)
        pm_error_set(err, PM_BAD_CONFIG, "%s %.200s is longer than 64 KiB", what, path);
    else if (n == 0)
        pm_error_set(err, PM_BAD_CONFIG, "%s %.200s is empty", what, path);
    else if (strlen(text) != n || strpbrk(text, "\r\n") != NULL)
        pm_error_set(err, PM_BAD_CONFIG, "%s %.200s holds more than one line of text", what, path);
    else
        return text;
    OPENSSL_cleanse(text, size);
    free(text);
    return NULL;
}

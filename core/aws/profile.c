/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

typedef struct Entry {
    char *profile, *key, *value; /* owned */
} Entry;

enum { ENTRIES_MAX = 4000 };

struct PmProfiles {
    Entry *entries;
    size_t count;
    bool no_memory;
};

static char *trimmed(const char *begin, const char *end)
{
    while (begin < end && (*begin == ' ' || *begin == '\t')) begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) end--;
    return strndup(begin, (size_t)(end - begin));
}

static void add(PmProfiles *profiles, const char *profile, char *key, char *value)
{
    Entry *entries = profiles->count < ENTRIES_MAX && key != NULL && value != NULL
                         ? realloc(profiles->entries, (profiles->count + 1) * sizeof *entries)
                         : NULL;
    char *owner = entries != NULL ? strdup(profile) : NULL;
    if (entries != NULL) profiles->entries = entries;
    if (owner == NULL) {
        profiles->no_memory = profiles->no_memory || profiles->count < ENTRIES_MAX;
        free(key);
        free(value);
        return;
    }
    profiles->entries[profiles->count++] = (Entry){owner, key, value};
}

/* "[profile photos]" in config, "[photos]" in credentials; "[default]" in both. Other kinds of section: "". */
static char *section_name(const char *begin, const char *end, bool config)
{
    char *name = trimmed(begin, end);
    if (name == NULL || !config || strcmp(name, "default") == 0) return name;
    char *result = NULL;
    if (strncmp(name, "profile", 7) == 0 && (name[7] == ' ' || name[7] == '\t'))
        result = trimmed(name + 7, name + strlen(name));
    else
        result = strdup("");
    free(name);
    return result;
}

static void parse(PmProfiles *profiles, const char *text, bool config)
{
    char *section = strdup("");
    for (const char *line = text; line != NULL && *line != '\0' && section != NULL;) {
        const char *end = line + strcspn(line, "\n");
        const char *close = memchr(line, ']', (size_t)(end - line));
        const char *equals = memchr(line, '=', (size_t)(end - line));
        if (line[0] == '[' && close != NULL) {
            free(section);
            section = section_name(line + 1, close, config);
        } else if (line[0] == ' ' || line[0] == '\t' || line[0] == '#' || line[0] == ';') {
            /* nested settings ("s3 =" blocks) and comments */
        } else if (equals != NULL && section[0] != '\0') {
            const char *value_end = end;
            for (const char *p = equals + 1; p + 1 < end; p++) /* " #" begins a comment, a bare # does not */
                if ((p[0] == ' ' || p[0] == '\t') && (p[1] == '#' || p[1] == ';')) {
                    value_end = p;
                    break;
                }
            add(profiles, section, trimmed(line, equals), trimmed(equals + 1, value_end));
        }
        line = *end == '\n' ? end + 1 : end;
    }
    profiles->no_memory = profiles->no_memory || section == NULL;
    free(section);
}

PmProfiles *pm_profiles_parse(const char *credentials, const char *config)
{
    PmProfiles *profiles = calloc(1, sizeof *profiles);
    if (profiles == NULL) return NULL;
    if (credentials != NULL) parse(profiles, credentials, false);
    if (config != NULL) parse(profiles, config, true);
    if (!profiles->no_memory) return profiles;
    pm_profiles_free(profiles);
    return NULL;
}

static char *read_file(const char *variable, const char *in_home, bool *no_memory)
{
    char path[4096] = "";
    const char *configured = getenv(variable), *home = getenv("HOME");
    if (configured != NULL && configured[0] != '\0')
        snprintf(path, sizeof path, "%s", configured);
    else if (home != NULL && home[0] != '\0')
        snprintf(path, sizeof path, "%s/.aws/%s", home, in_home);
    FILE *file = path[0] != '\0' ? fopen(path, "re") : NULL;
    if (file == NULL) {
        *no_memory = *no_memory || (path[0] != '\0' && errno == ENOMEM);
        return NULL;
    }
    PmBuffer buffer;
    pm_buffer_init(&buffer, PM_PROFILE_FILE_MAX);
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0 && pm_buffer_add(&buffer, chunk, n);) {
    }
    fclose(file);
    *no_memory = *no_memory || buffer.no_memory;
    return pm_buffer_steal(&buffer);
}

PmProfiles *pm_profiles_load(void)
{
    bool no_memory = false;
    char *credentials = read_file("AWS_SHARED_CREDENTIALS_FILE", "credentials", &no_memory);
    char *config = read_file("AWS_CONFIG_FILE", "config", &no_memory);
    PmProfiles *profiles = no_memory ? NULL : pm_profiles_parse(credentials, config);
    free(credentials);
    free(config);
    return profiles;
}

void pm_profiles_free(PmProfiles *profiles)
{
    if (profiles == NULL) return;
    for (size_t i = 0; i < profiles->count; i++) {
        free(profiles->entries[i].profile);
        free(profiles->entries[i].key);
        free(profiles->entries[i].value);
    }
    free(profiles->entries);
    free(profiles);
}

bool pm_profiles_has(const PmProfiles *profiles, const char *profile)
{
    for (size_t i = 0; profiles != NULL && i < profiles->count; i++)
        if (strcmp(profiles->entries[i].profile, profile) == 0) return true;
    return false;
}

const char *pm_profiles_get(const PmProfiles *profiles, const char *profile, const char *key)
{
    for (size_t i = 0; profiles != NULL && i < profiles->count; i++)
        if (strcmp(profiles->entries[i].profile, profile) == 0 && strcmp(profiles->entries[i].key, key) == 0)
            return profiles->entries[i].value;
    return NULL;
}

const char *pm_profile_name(const char *profile)
{
    if (profile != NULL && profile[0] != '\0') return profile;
    const char *name = getenv("AWS_PROFILE");
    return name != NULL && name[0] != '\0' ? name : "default";
}

// SPDX-License-Identifier: Apache-2.0
#include "stub.h"

#include <string.h>

/* `*` is any number of any characters, also slashes; `?` is one. Takes back only the last star, which is enough, so
 * that no key can make it slow. */
static bool glob_matches(const char *glob, size_t length, const char *text)
{
    const char *end = glob + length, *star = NULL, *resume = NULL;
    while (*text != '\0') {
        if (glob < end && *glob == '*') {
            star = glob++;
            resume = text;
        } else if (glob < end && (*glob == '?' || *glob == *text)) {
            glob++;
            text++;
        } else if (star != NULL) {
            glob = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (glob < end && *glob == '*') glob++;
    return glob == end;
}

/* Splits at the last '=': keys may hold others. */
static bool split(const char *rule, size_t *glob_length, double *score)
{
    const char *equals = strrchr(rule, '=');
    if (equals == NULL || equals == rule) return false;
    char *end;
    *score = g_ascii_strtod(equals + 1, &end);
    *glob_length = (size_t)(equals - rule);
    return end != equals + 1 && *end == '\0' && *score >= 0 && *score <= 1;
}

bool stub_rule_good(const char *rule)
{
    size_t length;
    double score;
    return split(rule, &length, &score);
}

double stub_score(const Config *config, const char *key)
{
    for (size_t i = 0; key != NULL && i < config->stub_scores.count; i++) {
        size_t length;
        double score;
        const char *rule = config->stub_scores.items[i];
        if (split(rule, &length, &score) && glob_matches(rule, length, key)) return score;
    }
    return config->stub_score;
}

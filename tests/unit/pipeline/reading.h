/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of this folder share: an environment, and errors as one text to compare with.
 */
#ifndef PM_TESTS_PIPELINE_READING_H
#define PM_TESTS_PIPELINE_READING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* QUEUE_URL, DEST_BUCKET, WIDTH, EMPTY and BAD are set; nothing else is. */
static inline const char *test_env(void *data, const char *name)
{
    static const char *const pairs[][2] = {{"QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/q"},
                                           {"DEST_BUCKET", "renditions"},
                                           {"WIDTH", "300"},
                                           {"EMPTY", ""},
                                           {"NESTED", "${WIDTH}"},
                                           {"BAD", "a\xff"}};
    (void)data;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (strcmp(pairs[i][0], name) == 0) return pairs[i][1];
    return NULL;
}

/* All errors, sorted, as an operator reads them, a newline after each; valid until the next call. */
static inline const char *errors_text(PmErrorList *errors)
{
    static char text[32 * 1024];
    size_t used = 0;
    text[0] = '\0';
    pm_error_list_sort(errors);
    for (size_t i = 0; i < errors->count && used < sizeof text; i++) {
        char one[4096];
        pm_error_format(&errors->items[i], one, sizeof one);
        int n = snprintf(text + used, sizeof text - used, "%s\n", one);
        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}

/* cmocka has this only in its latest releases. */
#define assert_near(value, expected, within)                                \
    do {                                                                    \
        double value_ = (value), expected_ = (expected);                    \
        if (value_ < expected_ - (within) || value_ > expected_ + (within)) \
            fail_msg("%g instead of %g", value_, expected_);                \
    } while (0)

#define assert_contains(text, part)                                             \
    do {                                                                        \
        const char *text_ = (text);                                             \
        if (strstr(text_, (part)) == NULL) {                                    \
            fail_msg("expected: %s\n     in: %s", (const char *)(part), text_); \
        }                                                                       \
    } while (0)

#endif

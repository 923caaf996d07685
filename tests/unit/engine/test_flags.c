/* SPDX-License-Identifier: Apache-2.0
 *
 * The header that authors read, walked: every flag it offers is one that the handshake and `plugin check` accept, and
 * they accept no other; and the guide tells of each.
 */
#include "engine/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* All values of the enum after the comment `title`; *count: how many. */
static uint32_t walk(const char *title, size_t *count)
{
    uint32_t all = 0;
    bool inside = false;
    char line[256];
    FILE *header = fopen(PM_SOURCE_DIR "/core/include/pixmill/plugin.h", "re");
    assert_non_null(header);
    for (*count = 0; fgets(line, sizeof line, header) != NULL;) {
        const char *equals = strstr(line, " = ");
        if (strstr(line, title) == line) inside = true;
        if (inside && strstr(line, "};") == line) break;
        if (!inside || strncmp(line, "    PM_", 7) != 0 || equals == NULL) continue;
        uint32_t value = (uint32_t)strtoul(equals + 3, NULL, 0);
        assert_true(value != 0 && (value & (value - 1)) == 0 && (all & value) == 0);
        all |= value;
        ++*count;
    }
    fclose(header);
    return all;
}

static void every_flag_of_the_header_is_known(void **state)
{
    (void)state;
    size_t count;
    assert_int_equal(walk("/* PmParam.flags */", &count), PM_FLAGS_ALL(PM_PARAM_FLAGS));
    assert_true(count >= 5);
    assert_int_equal(walk("/* PmPlan.flags */", &count), PM_FLAGS_ALL(PM_PLAN_FLAGS));
    assert_true(count >= 6);
}

static void every_flag_is_in_the_guide(void **state)
{
    (void)state;
#define ROW(flag, name) "`" #flag "`",
    static const char *const flags[] = {PM_PARAM_FLAGS(ROW) PM_PLAN_FLAGS(ROW)};
#undef ROW
    char *guide = calloc(1, 256 * 1024);
    FILE *file = fopen(PM_SOURCE_DIR "/docs/plugin-authors.md", "re");
    assert_non_null(guide);
    assert_non_null(file);
    assert_true(fread(guide, 1, 256 * 1024 - 1, file) > 0);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (strstr(guide, flags[i]) == NULL) fail_msg("docs/plugin-authors.md does not tell of %s", flags[i]);
    fclose(file);
    free(guide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_flag_of_the_header_is_known),
                                       cmocka_unit_test(every_flag_is_in_the_guide)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <vips/vips.h>

#include <cmocka.h>

#include "engine/registry.h"

#define PLUGINS PM_BUILD_DIR "/test-plugins"
static const char *const dirs[] = {PLUGINS, NULL};

static void test_describe(void **state)
{
    (void)state;
    PmRegistry *registry = pm_registry_new(dirs);
    const PmLoaded *loaded = pm_registry_load(registry, "abi-long", NULL);
    assert_non_null(loaded);
    json_t *json = pm_registry_describe(loaded);
    const char *name, *kind, *summary, *version, *file, *param;
    json_t *params, *facts, *mime_types;
    assert_int_equal(json_unpack(json, "{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "name", &name, "kind", &kind,
                                 "summary", &summary, "version", &version, "file", &file, "params", &params, "facts",
                                 &facts, "mime_types", &mime_types),
                     0);
    assert_string_equal(name, "abi-long");
    assert_string_equal(kind, "apply");
    assert_string_equal(summary, "Crops to a width.");
    assert_string_equal(version, "2.0.0");
    assert_string_equal(file, PLUGINS "/abi-long.so");
    assert_int_equal(json_array_size(params), 2);
    assert_int_equal(json_unpack(json_array_get(params, 1), "{s:s}", "name", &param), 0);
    assert_string_equal(param, "mode");
    assert_int_equal(json_array_size(facts), 0);
    assert_int_equal(json_array_size(mime_types), 0);
    json_decref(json);
    pm_registry_free(registry);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (vips_init(argv[0]) != 0) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_describe)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

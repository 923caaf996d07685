/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/registry.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vips/vips.h>

#include <cmocka.h>

#include "engine/handshake.h"
#include "pipeline/decode_params.h"

#define PLUGINS PM_BUILD_DIR "/test-plugins"
static const char *const dirs[] = {PLUGINS, NULL};

/* --- every refusal, word by word --- */

static const struct {
    const char *name, *message, *hint; /* the message after "FILE: ", or from its start when it begins otherwise */
} refusals[] = {
    {"bad-entry", "expected the exported function pixmill_plugin, found none", "PM_PLUGIN()"},
    {"bad-null", "expected pixmill_plugin() to return a descriptor, found NULL", "PM_PLUGIN()"},
    {"bad-magic", "expected the magic 0x314c4d50 (\"PML1\"), found 0x21464c45", "not a pixmill plugin"},
    {"bad-major", "expected plugin ABI 1, found 2.0", "update pixmill"},
    {"bad-minor", "expected plugin ABI 1.0 or older, found 1.9", "-DPM_ABI_MINOR=0"},
    {"bad-size", "expected a PmPlugin of 56 to 4096 bytes, a multiple of 8; found 8", "PM_PLUGIN()"},
    {"bad-transform-size", "expected a PmTransform of 96 to 4096 bytes, a multiple of 8; found 1000000", "PM_PLUGIN()"},
    {"bad-transform", "expected a PmTransform, found NULL", "PM_PLUGIN()"},
    {"bad-create", "expected create and plan, found no create", "set .create"},
    {"bad-plan", "expected create and plan, found no plan", "set .plan"},
    {"bad-kind", "expected exactly one of apply, inspect and encode, found none", "set the callback"},
    {"bad-two-kinds", "expected exactly one of apply, inspect and encode, found apply and inspect", "split it"},
    {"bad-name", "expected a name in lower-case-with-dashes, found \"Bad Name\"", "a letter first"},
    {"bad-no-name", "expected a name in lower-case-with-dashes, found none", "a letter first"},
    {"bad-other-name", "expected the file to be named another.so after its step, found bad-other-name.so", "rename"},
    {"bad-regions", "expected regions in lower_snake_case, found \"no-word\"", "a letter first"},
    {"bad-facts", "expected facts in lower_snake_case, found \"Not A Fact\"", "a letter first"},
    {"bad-utf8", "expected a summary in UTF-8, found other bytes", "UTF-8"},
    {"bad-param-name",
     "parameter 2, Count Of: expected a name in lower_snake_case of at most 40 characters, found another", "a letter"},
    {"bad-param-no-name", "parameter 2: expected a name in lower_snake_case of at most 40 characters, found none",
     "a letter"},
    {"bad-param-twice", "parameter 2, sigma: expected names that differ, found the name of parameter 1 again",
     "rename"},
    {"bad-param-type", "parameter 2, count: expected a type of 0 to 11, found 77", "PM_PARAM_ macros"},
    {"bad-param-offset", "parameter 2, count: expected its 8 bytes inside of the config struct's 40, found offset 40",
     "PM_PARAM_ macros"},
    {"bad-param-align", "parameter 2, count: expected an offset aligned to 8, found 17", "PM_PARAM_ macros"},
    {"bad-param-overlap", "parameter 2, count: expected a field of its own, found one that overlaps parameter 1, sigma",
     "a field"},
    {"bad-param-choices", "parameter 2, mode: expected choices, found none", ".choices"},
    {"bad-param-choices-on", "parameter 2, count: expected choices only on an enum or list, found them on", "PM_ENUM"},
    {"bad-param-choice-twice", "parameter 2, mode: expected choices that differ, found fast twice", "drop one"},
    {"bad-param-limits", "parameter 2, count: expected min <= max, found min 5 and max 1", "no limit"},
    {"bad-param-nan", "parameter 2, ratio: expected min <= max, found min 0 and max nan", "no limit"},
    {"bad-param-flags",
     "parameter 2, count: expected no flags but PM_REQUIRED, PM_SECRET, PM_DEPRECATED, PM_TEMPLATE, PM_PAIRS, found "
     "0x40",
     "update pixmill"},
    {"bad-param-template", "parameter 2, count: expected PM_TEMPLATE only on a string, found it on", "PM_STRING"},
    {"bad-param-required", "parameter 2, count: expected a required parameter without a default, found the default 1",
     "drop .def"},
    {"bad-param-default",
     "parameter 2, count: expected a default that its own rules allow, found many: ", "correct .def"},
    {"bad-param-range", "parameter 2, count: expected a default that its own rules allow, found 11: ", "correct .def"},
    {"bad-param-choice",
     "parameter 2, mode: expected a default that its own rules allow, found slow: ", "correct .def"},
    {"bad-param-utf8", "parameter 2, count: expected its texts in UTF-8, found other bytes", "UTF-8"},
    {"bad-param-size", "expected a PmParam of 32 to 4096 bytes, a multiple of 8; found 12", "PM_PARAMS()"},
    {"bad-param-count", "expected at most 256 parameters and 65536 bytes of config, found 100000 and 40",
     "PM_PARAMS()"},
    {"bad-shorthand-none", "expected 1 to 4 parameters in .shorthand, found none", "NULL"},
    {"bad-shorthand-many", "expected 1 to 4 parameters in .shorthand, found more", "NULL"},
    {"bad-shorthand-name", "expected parameters that differ in .shorthand, found \"width\"", "of the table"},
    {"bad-shorthand-twice", "expected parameters that differ in .shorthand, found \"sigma\" twice", "of the table"},
    {"bad-shorthand-type", "expected numbers and lengths only in .shorthand with several, found mode, a choice",
     "two parts"},
    {"bad-param-table", "expected at most 256 parameters and 65536 bytes of config, found 3 without a table and 40",
     "PM_PARAMS()"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        PmRegistry *registry = pm_registry_new(dirs);
        PmError err = {0};
        assert_null(pm_registry_load(registry, refusals[i].name, &err));
        assert_int_equal(err.status, PM_BAD_CONFIG);
        char expected[768];
        snprintf(expected, sizeof expected, PLUGINS "/%s.so: %s", refusals[i].name, refusals[i].message);
        /* Some end in a message of the parser's, which its own tests are about. */
        if (strncmp(err.message, expected, strlen(expected)) != 0) fail_msg("%s\nnot\n%s", err.message, expected);
        if (strstr(err.hint, refusals[i].hint) == NULL) fail_msg("hint of %s: %s", refusals[i].name, err.hint);
        pm_registry_free(registry);
    }
}

static void test_newer_vips(void **state)
{
    (void)state;
    PmRegistry *registry = pm_registry_new(dirs);
    PmError err = {0};
    assert_null(pm_registry_load(registry, "bad-vips", &err));
    char expected[768];
    snprintf(expected, sizeof expected,
             PLUGINS "/bad-vips.so: expected a plugin built with libvips %d.%d.%d or older, found 99.%d.%d",
             vips_version(0), vips_version(1), vips_version(2), VIPS_MINOR_VERSION, VIPS_MICRO_VERSION);
    assert_string_equal(err.message, expected);
    assert_string_equal(err.hint, "update libvips, or rebuild the plugin with the libvips that runs here");
    pm_registry_free(registry);
}

static void test_undefined_symbols(void **state)
{
    (void)state;
    PmRegistry *registry = pm_registry_new(dirs);
    PmError err = {0};
    assert_null(pm_registry_load(registry, "bad-symbol", &err));
    assert_non_null(strstr(err.message, "GLib and the libraries it names, found nobody_defines_this"));
    assert_string_equal(err.hint, "link what defines nobody_defines_this into the plugin");
    pm_error_clear(&err);
    assert_null(pm_registry_load(registry, "bad-vips-symbol", &err));
    assert_non_null(strstr(err.message, "found vips_from_the_future"));
    assert_non_null(strstr(err.hint, "update libvips"));
    pm_registry_free(registry);
}

/* --- names, folders, files --- */

static void assert_load_fails(const char *const *where, const char *name, const char *message, const char *hint)
{
    PmRegistry *registry = pm_registry_new(where);
    PmError err = {0};
    assert_null(pm_registry_load(registry, name, &err));
    assert_int_equal(err.status, PM_BAD_CONFIG);
    if (strstr(err.message, message) == NULL) fail_msg("%s\nlacks\n%s", err.message, message);
    if (strstr(err.hint, hint) == NULL) fail_msg("hint %s\nlacks\n%s", err.hint, hint);
    pm_registry_free(registry);
}

static void test_names(void **state)
{
    (void)state;
    const char *const bad[] = {"",
                               "../test-plugins/abi-first",
                               "/etc/passwd",
                               "a/b",
                               ".",
                               "..",
                               "Abi",
                               "abi_first",
                               "-abi",
                               "abi-",
                               "1abi",
                               "abi first",
                               "abi.so",
                               "a-name-that-is-one-byte-longer-than-allow",
                               "abi\nfirst"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_load_fails(dirs, bad[i], "expected a plugin's name in lower-case-with-dashes, found \"",
                          "a letter first");
    assert_load_fails(dirs, "nothing-like-it", "there is no plugin nothing-like-it",
                      "there are abi-first, abi-long, abi-short, ");
    assert_load_fails(dirs, "abi-frist", "there is no plugin abi-frist", "did you mean abi-first? looked in " PLUGINS);
    const char *const none[] = {NULL};
    assert_load_fails(none, "abi-first", "there is no plugin abi-first", "no folder: none is set");
    const char *const relative[] = {"test-plugins", NULL};
    assert_load_fails(relative, "abi-first", "test-plugins: expected a plugin folder as an absolute path", "relative");
}

static void copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    char bytes[4096];
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;) assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void test_unsafe_places(void **state)
{
    (void)state;
    char dir[] = "/tmp/pixmill-registry-XXXXXX", file[64], link[64];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/abi-first.so", dir);
    snprintf(link, sizeof link, "%s/abi-short.so", dir);
    copy_file(PLUGINS "/abi-first.so", file);
    const char *const where[] = {dir, NULL};

    chmod(dir, 0777);
    assert_load_fails(where, "abi-first", "expected a plugin folder that others cannot write to, found mode 0777",
                      "chmod o-w");
    chmod(dir, 0755);
    chmod(file, 0666);
    assert_load_fails(where, "abi-first", "expected a plugin file that others cannot write to, found mode 0666",
                      "chmod o-w");
    if (geteuid() == 0) { /* another group than one's own */
        char message[200];
        chmod(file, 0664);
        assert_int_equal(chown(file, 0, 4711), 0);
        assert_load_fails(where, "abi-first", "expected a plugin file that group 4711 cannot write to, found mode 0664",
                          "chmod g-w");
        assert_int_equal(chown(file, 0, 0), 0);
        chmod(dir, 0775);
        assert_int_equal(chown(dir, 0, 4711), 0);
        snprintf(message, sizeof message, "chmod g-w %s", dir);
        assert_load_fails(where, "abi-first",
                          "expected a plugin folder that group 4711 cannot write to, found mode 0775", message);
        assert_int_equal(chown(dir, 0, 0), 0);
        chmod(dir, 0755);
    }
    if (geteuid() == 0) { /* only root can give files away */
        chmod(file, 0644);
        assert_int_equal(chown(file, 4711, 4711), 0);
        assert_load_fails(where, "abi-first", "expected a plugin file owned by root or user 0, found user 4711",
                          "chown");
        assert_int_equal(chown(file, 0, 0), 0);
        assert_int_equal(chown(dir, 4711, 4711), 0);
        assert_load_fails(where, "abi-first", "expected a plugin folder owned by root or user 0, found user 4711",
                          "chown");
        assert_int_equal(chown(dir, 0, 0), 0);
    }
    /* A link is as safe as what it points to. */
    chmod(file, 0666);
    assert_int_equal(symlink(file, link), 0);
    assert_load_fails(where, "abi-short", "expected a plugin file that others cannot write to", "chmod o-w");
    unlink(link);

    /* Not a file, not a shared object. */
    unlink(file);
    assert_int_equal(mkdir(file, 0755), 0);
    assert_load_fails(where, "abi-first", "abi-first.so: expected a regular file of at most 256 MiB", "");
    rmdir(file);
    assert_int_equal(mkfifo(file, 0644), 0);
    assert_load_fails(where, "abi-first", "abi-first.so: expected a regular file of at most 256 MiB", "");
    unlink(file);
    copy_file(PM_SOURCE_DIR "/LICENSE", file);
    assert_load_fails(where, "abi-first",
                      "abi-first.so: cannot be opened: ", "expected a shared object for this machine");
    unlink(file);
    rmdir(dir);
}

/* Of root or the user, and not to be written to by others, all the way up. */
static void test_folders_above(void **state)
{
    (void)state;
    char top[] = "/tmp/pixmill-registry-XXXXXX", dir[64], file[96], link[64], message[300];
    assert_non_null(mkdtemp(top));
    snprintf(dir, sizeof dir, "%s/plugins", top);
    snprintf(file, sizeof file, "%s/abi-first.so", dir);
    snprintf(link, sizeof link, "%s-link", top);
    assert_int_equal(mkdir(dir, 0755), 0);
    copy_file(PLUGINS "/abi-first.so", file);
    assert_int_equal(symlink(dir, link), 0);
    const char *const where[] = {dir, NULL}, *const linked[] = {link, NULL};

    PmRegistry *registry = pm_registry_new(where); /* /tmp is everybody's, and sticky */
    PmError err = {0};
    if (pm_registry_load(registry, "abi-first", &err) == NULL) fail_msg("%s", err.message);
    pm_registry_free(registry);

    chmod(top, 0777);
    snprintf(
        message, sizeof message,
        "%s: expected only root or user %u to be able to replace it, found the folder %s of user %u with mode 0777 "
        "above it",
        dir, (unsigned)geteuid(), top, (unsigned)geteuid());
    char hint[100];
    snprintf(hint, sizeof hint, "chmod go-w %s", top);
    assert_load_fails(where, "abi-first", message, hint);
    assert_load_fails(linked, "abi-first", "with mode 0777 above it", hint);
    chmod(top, 01777);
    registry = pm_registry_new(where);
    assert_non_null(pm_registry_load(registry, "abi-first", NULL));
    pm_registry_free(registry);
    if (geteuid() == 0) {
        chmod(top, 0755);
        assert_int_equal(chown(top, 4711, 4711), 0);
        assert_load_fails(where, "abi-first", "of user 4711 with mode 0755 above it",
                          "below folders of root or yourself");
        assert_int_equal(chown(top, 0, 4711), 0);
        chmod(top, 0775);
        assert_load_fails(where, "abi-first", "of user 0 with mode 0775 above it", hint);
        /* plugin check takes a file anywhere. */
        registry = pm_registry_new(where);
        assert_non_null(pm_registry_load_file(registry, file, NULL));
        pm_registry_free(registry);
    }
    unlink(link);
    unlink(file);
    rmdir(dir);
    rmdir(top);
}

/* --- what loads --- */

/* Under a name that the dynamic linker knows lies another file now: its digest, and its code. */
static void test_what_is_digested_is_what_runs(void **state)
{
    (void)state;
    char dir[] = "/tmp/pixmill-registry-XXXXXX", file[64], other[64];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/abi-first.so", dir);
    snprintf(other, sizeof other, "%s/new", dir);
    copy_file(PLUGINS "/abi-first.so", file);
    PmRegistry *before = pm_registry_new(NULL), *after = pm_registry_new(NULL);
    PmError err = {0};
    const PmLoaded *first = pm_registry_load_file(before, file, &err);
    assert_non_null(first);
    copy_file(PLUGINS "/abi-long.so", other);
    assert_int_equal(rename(other, file), 0);
    const PmLoaded *second = pm_registry_load_file(after, file, &err);
    if (second == NULL) { /* abi-long.so in the wrong place: so it was what ran */
        assert_non_null(
            strstr(err.message, "expected the file to be named abi-long.so after its step, found abi-first.so"));
    } else {
        fail_msg("the old code under the new digest %s", second->digest);
    }
    pm_registry_free(before);
    pm_registry_free(after);
    unlink(file);
    rmdir(dir);
}

static void test_names_of_objects(void **state)
{
    (void)state;
    PmRegistry *registry = pm_registry_new(dirs);
    const char *const names[] = {"abi-first", "abi-short", "fault-segv", "origin"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        PmError err = {0};
        const PmLoaded *loaded = pm_registry_load(registry, names[i], &err);
        if (loaded == NULL) fail_msg("%s", err.message);
        Dl_info info = {0};
        void *apply;
        memcpy(&apply, &loaded->transform.plan, sizeof apply);
        assert_int_not_equal(dladdr(apply, &info), 0);
        assert_string_equal(info.dli_fname, loaded->file);
        assert_ptr_equal(pm_registry_at(registry, (uintptr_t)apply), loaded);
    }
    pm_registry_free(registry);
}

static void test_load(void **state)
{
    (void)state;
    PmRegistry *registry = pm_registry_new(dirs);
    PmError err = {0};
    const PmLoaded *loaded = pm_registry_load(registry, "fault-segv", &err);
    assert_non_null(loaded);
    assert_string_equal(loaded->file, PLUGINS "/fault-segv.so");
    assert_string_equal(loaded->version, "1.0.0");
    assert_string_equal(loaded->transform.name, "fault-segv");
    assert_int_equal(strlen(loaded->digest), 64);
    assert_ptr_equal(pm_registry_load(registry, "fault-segv", &err), loaded);
    assert_ptr_equal(pm_registry_load_file(registry, PLUGINS "/../test-plugins/fault-segv.so", &err), loaded);
    assert_null(pm_registry_load_file(registry, "/nowhere/x.so", &err));
    assert_string_equal(err.message, "/nowhere/x.so: No such file or directory");

    const PmLoaded *other = pm_registry_load(registry, "abi-first", NULL);
    assert_non_null(other);
    assert_string_not_equal(loaded->digest, other->digest);
    assert_ptr_equal(pm_registry_at(registry, (uintptr_t)loaded->transform.apply), loaded);
    assert_ptr_equal(pm_registry_at(registry, (uintptr_t)other->transform.apply), other);
    assert_null(pm_registry_at(registry, (uintptr_t)test_load));
    assert_null(pm_registry_at(registry, 0));
    pm_registry_free(registry);
    pm_registry_free(NULL);
}

static void test_digest(void **state)
{
    (void)state;
    PmRegistry *registry = pm_registry_new(dirs);
    const PmLoaded *loaded = pm_registry_load(registry, "abi-first", NULL);
    assert_non_null(loaded);
    gchar *bytes;
    gsize size;
    assert_true(g_file_get_contents(PLUGINS "/abi-first.so", &bytes, &size, NULL));
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned hash_size = 0;
    char expected[2 * EVP_MAX_MD_SIZE + 1];
    assert_int_equal(EVP_Digest(bytes, size, hash, &hash_size, EVP_sha256(), NULL), 1);
    for (unsigned i = 0; i < hash_size; i++) snprintf(expected + 2 * i, 3, "%02x", hash[i]);
    assert_string_equal(loaded->digest, expected);
    g_free(bytes);
    pm_registry_free(registry);
}

static void test_names_of_folder(void **state)
{
    (void)state;
    char dir[] = "/tmp/pixmill-registry-XXXXXX", path[80];
    assert_non_null(mkdtemp(dir));
    const char *const files[] = {"zoom.so", "crop.so", "Bad.so", "readme.txt", ".so", "lib_x.so", "crop.so.1"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        fclose(fopen(path, "w"));
    }
    const char *const twice[] = {dir, dir, "/nowhere", NULL};
    PmRegistry *registry = pm_registry_new(twice);
    json_t *names = pm_registry_names(registry);
    char *text = json_dumps(names, JSON_COMPACT);
    assert_string_equal(text, "[\"crop\",\"zoom\"]");
    free(text);
    json_decref(names);
    pm_registry_free(registry);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* --- other ABI versions --- */

static PmStatus no_fail(PmJob *job, PmStatus status, const char *fmt, ...)
{
    (void)job, (void)fmt;
    return status;
}

/* Runs the plugin as the engine would: default config, plan, pixels. */
static void run_crop(const PmLoaded *loaded)
{
    const PmTransform *t = &loaded->transform;
    static const PmHost host = {.size = sizeof(PmHost), .fail = no_fail};
    _Alignas(16) char config[64] = {0};
    assert_true(t->config_size <= sizeof config);
    PmErrorList errors = {0};
    PmDecodeContext context = {.errors = &errors};
    PmArena *arena = pm_arena_new();
    assert_true(pm_decode_params(&context, NULL, t->params, t->param_count, config, arena));
    void *self = NULL;
    assert_int_equal(t->create(&host, NULL, config, &self), PM_OK);
    PmShape in = {.width = 20, .height = 10, .pages = 1, .bands = 3, .source_width = 20, .source_height = 10};
    PmPlan plan = {.out = in};
    assert_int_equal(t->plan(self, NULL, &in, &plan), PM_OK);
    assert_int_equal(plan.out.width, 7);
    assert_int_equal(plan.out.height, 10);
    VipsImage *image, *cropped = NULL;
    assert_int_equal(vips_black(&image, 20, 10, "bands", 3, NULL), 0);
    assert_int_equal(t->apply(self, NULL, &in, image, &cropped), PM_OK);
    assert_int_equal(vips_image_get_width(cropped), 7);
    g_object_unref(cropped);
    g_object_unref(image);
    if (t->destroy != NULL) t->destroy(self);
    pm_arena_free(arena);
    pm_error_list_finish(&errors);
}

static void test_other_abis(void **state)
{
    (void)state;
    PmRegistry *registry = pm_registry_new(dirs);
    const char *const ages[] = {"abi-first", "abi-short", "abi-long"};
    for (size_t i = 0; i < 3; i++) {
        PmError err = {0};
        const PmLoaded *loaded = pm_registry_load(registry, ages[i], &err);
        if (loaded == NULL) fail_msg("%s", err.message);
        const PmTransform *t = &loaded->transform;
        assert_int_equal(t->param_count, 2);
        assert_int_equal(t->param_size, sizeof(PmParam));
        assert_string_equal(t->params[0].name, "width");
        assert_string_equal(t->params[1].name, "mode");
        assert_string_equal(t->params[1].def, i == 1 ? "1" : "best");
        /* What the plugin did not know of is zero, what the host does not know of is gone. */
        assert_null(t->facts);
        assert_null(t->regions);
        assert_null(t->mime_types);
        if (i == 1) assert_null(t->params[0].doc);
        if (i == 1) assert_null(t->params[1].choices);
        if (i != 1) assert_string_equal(t->params[0].doc, "Width.");
        run_crop(loaded);
    }
    pm_registry_free(registry);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (vips_init(argv[0]) != 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_newer_vips),
        cmocka_unit_test(test_undefined_symbols),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unsafe_places),
        cmocka_unit_test(test_folders_above),
        cmocka_unit_test(test_what_is_digested_is_what_runs),
        cmocka_unit_test(test_names_of_objects),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_names_of_folder),
        cmocka_unit_test(test_other_abis),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vips_shutdown();
    return failed;
}

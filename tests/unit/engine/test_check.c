/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/check/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

#include <cmocka.h>

#define PLUGINS PM_BUILD_DIR "/test-plugins/"

#if defined(__SANITIZE_ADDRESS__)
#define COUNTS_BYTES 0 /* the sanitizer's allocator keeps no books that mallinfo could read */
#else
#define COUNTS_BYTES 1
#endif

static json_t *find(json_t *checks, const char *name)
{
    size_t i;
    json_t *check;
    json_array_foreach(checks, i,
                       check) if (strcmp(json_string_value(json_object_get(check, "name")), name) == 0) return check;
    return NULL;
}

static const char *message_of(json_t *check)
{
    return json_string_value(json_object_get(check, "message"));
}

/* Exactly `failing` fails (NULL: nothing does), with a message that contains `message`. */
static void assert_only_fails(const char *plugin, const char *params, const char *failing, const char *message)
{
    char file[256];
    snprintf(file, sizeof file, PLUGINS "%s.so", plugin);
    json_t *checks = pm_check_plugin(file, params, NULL), *check;
    size_t i;
    json_array_foreach(checks, i, check)
    {
        const char *name = json_string_value(json_object_get(check, "name"));
        bool fails = failing != NULL && strcmp(name, failing) == 0;
        if (json_is_true(json_object_get(check, "ok")) == fails)
            fail_msg("%s: %s: %s", plugin, name, message_of(check));
        if (fails && strstr(message_of(check), message) == NULL)
            fail_msg("%s: %s\nlacks\n%s", plugin, message_of(check), message);
    }
    if (failing != NULL && find(checks, failing) == NULL) fail_msg("%s: %s was not asked", plugin, failing);
    json_decref(checks);
}

/* `name` fails with this message, whatever else does. */
static void assert_fails(const char *plugin, const char *params, const char *name, const char *message)
{
    char file[256];
    snprintf(file, sizeof file, PLUGINS "%s.so", plugin);
    json_t *checks = pm_check_plugin(file, params, NULL), *check = find(checks, name);
    if (check == NULL) fail_msg("%s: %s was not asked", plugin, name);
    if (json_is_true(json_object_get(check, "ok")) || strstr(message_of(check), message) == NULL)
        fail_msg("%s: %s: %s\nlacks\n%s", plugin, name, message_of(check), message);
    json_decref(checks);
}

static void test_good(void **state)
{
    (void)state;
    assert_only_fails("abi-first", NULL, NULL, NULL);
    assert_only_fails("abi-short", NULL, "documented", "parameter width has no doc");
    assert_only_fails("abi-long", NULL, NULL, NULL);
    json_t *checks = pm_check_plugin(PLUGINS "abi-first.so", "width: 12", NULL);
    static const char *const names[] = {"exports", "libraries", "handshake",  "documented", "create", "plan",
                                        "outside", "shapes",    "sequential", "resample",   "leaks",  "allocations"};
    assert_int_equal(json_array_size(checks), sizeof names / sizeof names[0]);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(checks, i), "name")), names[i]);
    json_decref(checks);
}

static void test_file(void **state)
{
    (void)state;
    assert_only_fails("bad-export", NULL, "exports", "exports helper_that_leaked besides pixmill_plugin");
    assert_fails("bad-entry", NULL, "exports", "does not export pixmill_plugin");
    assert_only_fails("bad-needed", NULL, "libraries", "links libvips.so.");
    assert_only_fails("bad-major", NULL, "handshake", "expected plugin ABI 1, found 2.0; update pixmill");
    assert_fails("nowhere", NULL, "exports", "cannot open: No such file or directory");
    assert_fails("nowhere", NULL, "handshake", "No such file or directory");
}

static void test_params(void **state)
{
    (void)state;
    assert_only_fails("abi-first", "width: 1000", "create", "params:1:8: abi-first: ");
    assert_only_fails("abi-first", "wdith: 10", "create", "width");
    assert_only_fails("abi-first", "[", "create", "params:");
}

static void test_deaths(void **state)
{
    (void)state;
    const char *const places[] = {"at: apply", "at: pixels"};
    for (size_t i = 0; i < 2; i++) {
        assert_fails("fault-segv", places[i], "shapes", "crashed: SIGSEGV");
        assert_fails("fault-segv", places[i], "sequential", "crashed: SIGSEGV");
        assert_fails("fault-abort", places[i], "shapes", "crashed: SIGABRT");
        assert_fails("fault-exit", places[i], "leaks", "ended the process: exit(7)");
        assert_fails("fault-stack", places[i], "shapes", "crashed: SIGSEGV");
        assert_fails("fault-kill", places[i], "shapes", "crashed: SIGKILL");
    }
    assert_only_fails("fault-segv", "at: create", "create", "crashed: SIGSEGV");
    assert_fails("fault-segv", "at: plan", "plan", "crashed: SIGSEGV");
    assert_fails("fault-exit", "at: plan", "plan", "ended the process: exit(7)");
}

static void test_hang(void **state)
{
    (void)state;
    /* Nothing is asked after a hang: once is enough to wait for. */
    assert_only_fails("fault-hang", "at: create", "create", "hangs: no answer within 15 s");
}

static void test_promises(void **state)
{
    (void)state;
    assert_only_fails("fault-promise", NULL, "shapes", "RGB: promises 61x47 and 1 pages, delivers 31x47 and 1 pages");
    assert_fails("fault-null", NULL, "shapes", "RGB: apply() returns PM_OK without an image");
    assert_fails("fault-status", NULL, "shapes", "RGB: apply() returns 42, which is no PmStatus");
    assert_fails("fault-whim", NULL, "plan", "RGB: plan() answers differently the second time");
    assert_only_fails("fault-order", NULL, "sequential", "out of order");
}

/* What the header offers is fine: PM_PAIRS, with a default, and PM_NO_PIXELS. */
static void test_flags(void **state)
{
    (void)state;
    assert_only_fails("habit-none", NULL, NULL, NULL);
    assert_only_fails("habit-looks", NULL, NULL, NULL);
}

/* Each does well with a small picture in memory. */
static void test_habits(void **state)
{
    (void)state;
    assert_only_fails("habit-flip", NULL, "sequential", "reads rows out of order: set PM_RANDOM (JPEG: ");
    assert_fails("habit-borrow", NULL, "shapes", "gives back its input without a reference: g_object_ref() it");
    assert_fails("habit-borrow", NULL, "sequential", "gives back its input without a reference: g_object_ref() it");
    assert_only_fails("habit-glib", NULL, "outside", "logs through GLib: use host->log()");
    assert_only_fails("habit-socket", NULL, "outside", "asks for a socket: declare a PM_ENDPOINT");
    assert_only_fails("habit-passwd", NULL, "outside", "opens /etc/passwd: declare a PM_ASSET");
    assert_only_fails("habit-thread", NULL, "outside", "starts a thread: ");
    assert_only_fails("habit-print", NULL, "outside", "writes to stdout: use host->log()");
    assert_fails("habit-program", NULL, "outside", "starts a program");
    assert_only_fails("habit-thread", "in_create: true", "outside", "starts a thread: ");
    assert_only_fails("habit-elsewhere", NULL, "resample",
                      "apply() gives another picture: 4, 4, 128 expected at 4, 4, found 104, 4, 128");
    assert_fails("habit-flags", NULL, "plan", "RGB: plan() promises flags that do not exist");
    assert_fails("habit-finds", NULL, "shapes", "RGB: adds the regions spots, which it does not list in .regions");
    assert_fails("habit-beyond", NULL, "plan", "RGB: plan() promises a resample of a box that is not within its input");
    assert_fails("habit-drop", NULL, "shapes", "drops a reference to its input, which is only borrowed");
}

static void test_leaks(void **state)
{
    (void)state;
    assert_only_fails("fault-fd", NULL, "leaks", "leaks file descriptors: 512 in 16 runs");
    assert_only_fails("fault-image", NULL, "leaks", "leaks images: ");
    if (!COUNTS_BYTES) return;
    assert_only_fails("fault-leak", NULL, "leaks", "leaks memory: 167");
    assert_only_fails("fault-leak", "amount: 120", "leaks", "leaks memory: ");
}

static void test_allocations(void **state)
{
    (void)state;
    assert_only_fails("fault-oom", "amount: 4096", "allocations", "when its allocation number 2 fails");
}

int main(int argc, char **argv)
{
    (void)argc;
    if (vips_init(argv[0]) != 0) return 1;
    vips_cache_set_max(0);
    vips_concurrency_set(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),        cmocka_unit_test(test_file),   cmocka_unit_test(test_params),
        cmocka_unit_test(test_deaths),      cmocka_unit_test(test_hang),   cmocka_unit_test(test_promises),
        cmocka_unit_test(test_flags),       cmocka_unit_test(test_habits), cmocka_unit_test(test_leaks),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

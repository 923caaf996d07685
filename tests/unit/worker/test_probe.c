/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts that forbid a layer, in the ways that there are: the call fails, or the process that tries is killed. Made with
 * a filter of system calls, as container runtimes do it.
 */
#include <errno.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/sandbox.h"
#include "worker/sanitized.h"

enum { FAILS = 1, KILLS = 2, TEXT_MAX = 4096 };

static bool forbid(int how, const char *const *calls)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    for (size_t i = 0; calls[i] != NULL; i++) {
        int number = seccomp_syscall_resolve_name(calls[i]);
        if (seccomp_rule_add(filter, how == KILLS ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM), number, 0) != 0)
            return false;
        /* Which has an older name. */
        if (strcmp(calls[i], "seccomp") == 0 && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
                                                                 SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0)) != 0)
            return false;
    }
    bool good = seccomp_load(filter) == 0;
    seccomp_release(filter);
    return good;
}

/* What is found where `calls` are forbidden, as JSON; new. */
static json_t *probe(int how, const char *const *calls)
{
    char *shared = mmap(NULL, TEXT_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        PmProbe trial;
        PmSandbox sandbox;
        pid_t init;
        if (!forbid(how, calls) || pm_sandbox_probe_begin(&trial, NULL) != PM_OK) _exit(1);
        pm_sandbox_probe_end(&trial, &sandbox);
        json_t *json = pm_sandbox_to_json(&sandbox);
        char *text = json_dumps(json, JSON_COMPACT);
        snprintf(shared, TEXT_MAX, "%s", text);
        free(text);
        json_decref(json);
        /* What was found to work works. */
        _exit(pm_sandbox_isolate(&sandbox, false, &init, NULL) == PM_OK ? 0 : 2);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) fail_msg("%s: status %x, %s", calls[0], (unsigned)status, shared);
    json_t *json = json_loads(shared, 0, NULL);
    munmap(shared, TEXT_MAX);
    assert_non_null(json);
    return json;
}

static bool lists(const json_t *json, const char *key, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(json, key), i, item)
    {
        if (strstr(json_string_value(item), text) != NULL) return true;
    }
    return false;
}

static const char *const nothing[] = {NULL};
static json_t *here; /* what this host allows */

static bool has(const char *layer)
{
    return !lists(here, "missing", layer);
}

/* A layer that the host kills for costs itself only. */
static void killing_for_one_layer_costs_no_other(void **state)
{
    (void)state;
    static const struct {
        const char *const calls[2];
        const char *missing;
    } hosts[] = {{{"unshare"}, "namespaces: the host kills a process that tries"},
                 {{"landlock_create_ruleset"}, "landlock: the host kills a process that tries"},
                 {{"landlock_restrict_self"}, "landlock: the host kills a process that tries"},
#ifndef PM_SANITIZED
                 {{"pivot_root"}, "namespaces: the host kills a process that tries"},
#endif
                 {{"setns"}, NULL}};
    static const char *const layers[] = {"landlock", "seccomp", "namespaces"};
    for (size_t i = 0; hosts[i].missing != NULL; i++) {
        json_t *found = probe(KILLS, hosts[i].calls);
        assert_true(lists(found, "missing", hosts[i].missing) || !has("namespaces"));
        for (size_t k = 0; k < 3; k++)
            if (strncmp(hosts[i].missing, layers[k], strlen(layers[k])) != 0)
                assert_int_equal(lists(found, "missing", layers[k]), !has(layers[k]));
        json_decref(found);
    }
}

static void a_root_of_its_own_may_be_missing_alone(void **state)
{
    (void)state;
#ifdef PM_SANITIZED
    skip(); /* AddressSanitizer keeps the host's root */
#endif
    if (!has("namespaces")) skip();
    static const char *const calls[][2] = {{"mount"}, {"pivot_root"}};
    for (size_t i = 0; i < 2; i++) {
        json_t *found = probe(FAILS, calls[i]);
        assert_true(lists(found, "missing", "empty root: Operation not permitted"));
        assert_false(lists(found, "missing", "namespaces"));
        assert_int_equal(json_integer_value(json_object_get(found, "tier")), has("landlock") && has("seccomp") ? 2 : 1);
        json_decref(found);
    }
}

static void without_namespaces_tier_2_is_left(void **state)
{
    (void)state;
    static const char *const calls[] = {"unshare", NULL};
    json_t *found = probe(FAILS, calls);
    assert_true(lists(found, "missing", "namespaces: Operation not permitted"));
    if (has("landlock") && has("seccomp")) {
        assert_int_equal(json_integer_value(json_object_get(found, "tier")), 2);
        assert_int_equal(json_array_size(json_object_get(found, "open")), 0);
    }
    json_decref(found);
}

/* As in Lambda. The operator is told what that means, not only what is missing. */
static void tier_1_tells_what_is_open(void **state)
{
    (void)state;
    static const char *const calls[] = {"unshare", "landlock_create_ruleset", "seccomp", NULL};
    json_t *found = probe(FAILS, calls);
    assert_int_equal(json_integer_value(json_object_get(found, "tier")), 1);
    static const char *const open[] = {"open network connections", "read and write files", "start programs",
                                       "end or stop pixmill"};
    for (size_t i = 0; i < 4; i++)
        if (!lists(found, "open", open[i])) fail_msg("not told: %s", open[i]);
    static const char *const missing[] = {"landlock", "seccomp", "namespaces", "empty root", "thread limit"};
    for (size_t i = 0; i < 5; i++) assert_true(lists(found, "missing", missing[i]));
    json_decref(found);
}

static int look_at_host(void **state)
{
    (void)state;
    here = probe(FAILS, nothing);
    return 0;
}

static int forget_host(void **state)
{
    (void)state;
    json_decref(here);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killing_for_one_layer_costs_no_other),
        cmocka_unit_test(a_root_of_its_own_may_be_missing_alone),
        cmocka_unit_test(without_namespaces_tier_2_is_left),
        cmocka_unit_test(tier_1_tells_what_is_open),
    };
    return cmocka_run_group_tests(tests, look_at_host, forget_host);
}

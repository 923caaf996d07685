/* SPDX-License-Identifier: Apache-2.0
 *
 * The handler of fatal signals in processes made to die; a test plugin's code stands for a plugin's.
 */
#include "worker/fault.h"

#include <dlfcn.h>
#include <glib.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vips/vips.h>

#include <cmocka.h>

#include "worker/library_log.h"
#include "worker/sanitized.h"

static const char plugin_file[] = PM_BUILD_DIR "/test-plugins/fault-segv.so";
static void *entry; /* a function in it */

/* Runs `die` in a child with the handler; the wait status. */
static int dying(void (*die)(void), PmProgress *page)
{
    PmProgress *shared = NULL;
    int fd = pm_progress_new(&shared, NULL);
    assert_true(fd >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0};
        setrlimit(RLIMIT_CORE, &none);
        static const int of_cmocka[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};
        for (size_t i = 0; i < 5; i++) signal(of_cmocka[i], SIG_DFL);
        if (pm_fault_install(shared, NULL) != PM_OK) _exit(99);
        pm_library_log_to(NULL, NULL, shared);
        die();
        _exit(98);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    *page = pm_progress_read(shared);
    pm_progress_unmap(shared);
    close(fd);
    return status;
}

static void assert_dies(void (*die)(void), int signo, const char *plugin, int out_of_memory)
{
    PmProgress page;
    int status = dying(die, &page);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != signo)
        fail_msg("status %x, not signal %d", (unsigned)status, signo);
    assert_string_equal(page.fault_plugin, plugin);
    assert_int_equal(page.out_of_memory, out_of_memory);
}

static void die_of_abort(void)
{
    abort();
}

__attribute__((no_sanitize("undefined"))) static void die_of_nothing(void)
{
    ((void (*)(void))8)();
}

__attribute__((no_sanitize("undefined"))) static void die_of_write(void)
{
    int *volatile nowhere = (int *)8;
    *(volatile int *)nowhere = 1;
}

/* As abort() called from a plugin: its return address is on the stack, the real one, not a sanitizer's. */
__attribute__((noinline, no_sanitize("address"))) static void die_below_a_plugin(void)
{
    void *volatile frames[8];
    for (int i = 0; i < 8; i++) frames[i] = i == 4 ? (char *)entry + 1 : NULL;
    abort();
    (void)frames[0];
}

static void die_of_memory(void)
{
    struct rlimit limit = {(rlim_t)64 << 20, (rlim_t)64 << 20};
    setrlimit(RLIMIT_AS, &limit);
    raise(SIGSEGV);
}

static void die_of_glib_memory(void)
{
    (void)g_malloc(SIZE_MAX / 2);
}

static void signal_stays_what_it_was(void **state)
{
    (void)state;
    assert_dies(die_of_abort, SIGABRT, "", 0);
    assert_dies(die_of_write, SIGSEGV, "", 0);
    assert_dies(die_of_nothing, SIGSEGV, "", 0);
}

static void finds_the_plugin_on_the_stack(void **state)
{
    (void)state;
    json_t *plugins = json_pack("[{ss ss}]", "name", "fault-segv", "file", plugin_file);
    pm_fault_learn(plugins);
    assert_string_equal(pm_fault_plugin_at((uintptr_t)entry), "fault-segv");
    assert_null(pm_fault_plugin_at((uintptr_t)&abort));
    assert_null(pm_fault_plugin_at(0));
    assert_dies(die_below_a_plugin, SIGABRT, "fault-segv", 0);
    json_decref(plugins);
    pm_fault_learn(NULL);
    assert_null(pm_fault_plugin_at((uintptr_t)entry));
}

static void tells_want_of_memory_from_a_bug(void **state)
{
    (void)state;
#ifdef PM_SANITIZED
    skip();
#endif
    assert_dies(die_of_memory, SIGSEGV, "", 1);
    PmProgress page;
    int status = dying(die_of_glib_memory, &page);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(page.out_of_memory, 1);
}

static int open_plugin(void **state)
{
    (void)state;
    if (vips_version(0) < 8) return -1; /* makes the linker keep libvips, whose symbols the plugin needs */
    void *library = dlopen(plugin_file, RTLD_LAZY | RTLD_LOCAL);
    if (library == NULL) print_error("%s\n", dlerror());
    if (library == NULL) return -1;
    entry = dlsym(library, "pixmill_plugin");
    return entry != NULL ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signal_stays_what_it_was),
        cmocka_unit_test(finds_the_plugin_on_the_stack),
        cmocka_unit_test(tells_want_of_memory_from_a_bug),
    };
    return cmocka_run_group_tests(tests, open_plugin, NULL);
}

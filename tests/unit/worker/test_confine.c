/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plugin can reach while it is loaded, before there is a child: the worker that opens plugins is confined, too.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#pragma GCC diagnostic ignored "-Wunused-function" /* no job is done here */
#include "worker/driver.h"
#include "worker/sanitized.h"

#define OUTPUT_TO "    to: { file: { path: \"/tmp/{stem}.{ext}\" } }\n"

static bool has_landlock, has_seccomp;
static char home[] = "/tmp/pixmill-test-XXXXXX";

/* The first error that comes of loading a pipeline with `step`; new. */
static json_t *refused(const char *step)
{
    char yaml[768];
    snprintf(yaml, sizeof yaml,
             "version: 1\n"
             "steps:\n"
             "  - %s\n"
             "outputs:\n"
             "  small:\n" OUTPUT_TO,
             step);
    Worker worker = worker_start();
    json_t *body = NULL;
    assert_int_equal(worker_load(&worker, yaml, &body), PM_MSG_ERRORS);
    json_t *error = json_incref(json_array_get(json_object_get(body, "errors"), 0));
    json_decref(body);
    close(worker.sock);
    waitpid(worker.pid, NULL, 0);
    json_decref(worker.exits);
    return error;
}

static void assert_says(const char *step, const char *expected)
{
    json_t *error = refused(step);
    const char *message = json_string_value(json_object_get(error, "message"));
    if (strstr(message, expected) == NULL) fail_msg("%s: \"%s\" and not \"%s\"", step, message, expected);
    assert_int_equal(json_integer_value(json_object_get(error, "line")), 3);
    const char *plugin = json_string_value(json_object_get(error, "plugin"));
    assert_non_null(plugin);
    assert_non_null(strstr(step, plugin));
    json_decref(error);
}

static void create_reads_no_file_of_others(void **state)
{
    (void)state;
    if (!has_landlock) skip();
    char step[256];
    assert_says("reach: { what: passwd }", "Permission denied");
    assert_says("reach: { what: environment }", "Permission denied");
    snprintf(step, sizeof step, "reach: { what: credentials, below: %s }", home);
    assert_says(step, "Permission denied");
    snprintf(step, sizeof step, "reach: { what: folder, below: %s }", home);
    assert_says(step, "Permission denied");
    assert_says("reach: { what: folder, below: /usr/share }", "could reach it"); /* as libraries must */
}

static void create_writes_nothing(void **state)
{
    (void)state;
    if (!has_seccomp) skip();
    char step[256];
#ifdef PM_SANITIZED
    assert_says("reach: { what: write }", "Permission denied"); /* by Landlock: AddressSanitizer opens files */
#else
    assert_says("reach: { what: write }", "Operation not permitted");
#endif
    snprintf(step, sizeof step, "reach: { what: mode, below: %s }", home);
    assert_says(step, "Operation not permitted");
}

static void create_has_no_network(void **state)
{
    (void)state;
    if (!has_seccomp) skip();
    assert_says("reach: { what: inet }", "plugin reach called socket(), which no plugin may, while");
    assert_says("reach: { what: unix }", "Operation not permitted"); /* a library asks a name service, and lives on */
    assert_says("reach: { what: log }", "Operation not permitted");
}

static void create_runs_no_program(void **state)
{
    (void)state;
    if (!has_seccomp) skip();
    assert_says("reach: { what: exec }", "plugin reach called execve(), which no plugin may, while");
    assert_says("reach: { what: fork-exec }", "Operation not permitted");
}

static void create_leaves_other_processes_alone(void **state)
{
    (void)state;
    if (!has_seccomp) skip();
    assert_says("reach: { what: ptrace }", "plugin reach called ptrace(), which no plugin may, while");
    assert_says("reach: { what: kill }", "plugin reach called kill(), which no plugin may, while");
    assert_says("reach: { what: mount }", "plugin reach called mount(), which no plugin may, while");
    json_t *error = refused("reach: { what: signal }"); /* seccomp's word, or Landlock's: we live */
    const char *message = json_string_value(json_object_get(error, "message"));
    assert_null(strstr(message, "could reach it"));
    json_decref(error);
}

static void constructors_are_held_to_the_same(void **state)
{
    (void)state;
    if (has_seccomp) assert_says("reach-inet: {}", "plugin reach-inet called socket(), which no plugin may, while");
    if (has_landlock) assert_says("reach-passwd: {}", "Permission denied");
    if (!has_seccomp || !has_landlock) skip();
}

/* Only the file that is named: its folder may be a home. */
static void the_pipelines_files_stay_readable(void **state)
{
    (void)state;
    char path[128], yaml[768];
    snprintf(path, sizeof path, "%s/logo.svg", home);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("no picture, but something that can be read", file);
    fclose(file);
    snprintf(yaml, sizeof yaml,
             "version: 1\n"
             "steps:\n"
             "  - watermark: { image: \"${DIR}/logo.svg\" }\n"
             "outputs:\n"
             "  small:\n" OUTPUT_TO);
    Worker worker = worker_start();
    int text = pm_memfd_new("pipeline", yaml, strlen(yaml), NULL);
    worker_send(&worker, PM_MSG_LOAD,
                json_pack("{ss ss s{ss} s[s] sb}", "file", "test.yaml", "dir", "/tmp", "env", "DIR", home,
                          "plugin_dirs", PM_BUILD_DIR "/plugins", "check", 0),
                &text, 1);
    close(text);
    json_t *body = NULL;
    assert_int_equal(worker_answer(&worker, &body, NULL), PM_MSG_ERRORS);
    char *said = json_dumps(body, 0);
    if (strstr(said, "neither PNG, WebP nor JPEG") == NULL) fail_msg("%s", said); /* it was read, and judged */
    free(said);
    json_decref(body);
    close(worker.sock);
    waitpid(worker.pid, NULL, 0);
    json_decref(worker.exits);
    unlink(path);
}

static int look_at_host(void **state)
{
    (void)state;
    char path[128];
    if (mkdtemp(home) == NULL) return -1;
    snprintf(path, sizeof path, "%s/.aws", home);
    if (mkdir(path, 0700) != 0) return -1;
    snprintf(path, sizeof path, "%s/.aws/credentials", home);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    Worker worker = worker_start();
    json_t *body = NULL;
    assert_int_equal(worker_load(&worker, "version: 1\noutputs:\n  small:\n" OUTPUT_TO, &body), PM_MSG_READY);
    has_landlock = has_seccomp = true;
#ifdef PM_SANITIZED
    has_landlock = false; /* AddressSanitizer reads what it likes */
#endif
    size_t i;
    json_t *text;
    json_array_foreach(json_object_get(json_object_get(body, "sandbox"), "missing"), i, text)
    {
        print_message("not on this host: %s\n", json_string_value(text));
        if (strncmp(json_string_value(text), "landlock", strlen("landlock")) == 0) has_landlock = false;
        if (strncmp(json_string_value(text), "seccomp", strlen("seccomp")) == 0) has_seccomp = false;
    }
    json_decref(body);
    worker_stop(&worker);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    static const char *const names[] = {".aws/credentials", ".aws"};
    char path[128];
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", home, names[i]);
        remove(path);
    }
    return rmdir(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_reads_no_file_of_others),
        cmocka_unit_test(create_writes_nothing),
        cmocka_unit_test(create_has_no_network),
        cmocka_unit_test(create_runs_no_program),
        cmocka_unit_test(create_leaves_other_processes_alone),
        cmocka_unit_test(constructors_are_held_to_the_same),
        cmocka_unit_test(the_pipelines_files_stay_readable),
    };
    return cmocka_run_group_tests(tests, look_at_host, clean_up);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool against children that are attackers: whatever one says or does costs its own job, and neither the loop's
 * time nor the broker's memory.
 */
#include "workers/pool.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "connectors/connector.h"
#include "pipelines.h"
#include "workers/standin.h"

enum { TICK_MS = 10, LATE_MS = 200, VERY_LATE_MS = 5000, PATIENCE_MS = 30000, GROWTH_KB = 64 * 1024 };

typedef struct World {
    PmLoop *loop;
    PmPipeline *pipeline;
    PmPool *pool;
    PmTimer *tick, *patience;
    int64_t ticked_ms, latest_ms; /* the longest time between two ticks of the loop */
    int64_t used_ms, busiest_ms;  /* the same, in processor time: what a busy machine does not change */
    int64_t until_ms;             /* 0: until all jobs are done */
    long kb_before;
    int log, log_before; /* stderr goes to a file meanwhile */
    size_t jobs, started, done;
    int attempt;
    bool terminated, refused;
    /* what came of the last job */
    PmPoolReport report;
    size_t outputs, skipped, begun;
    char mime[64], extension[16], said[4096];
    json_t *facts, *verdicts, *timings, *output_facts;
    PmError refusal;
} World;

static const char text[] = "version: 1\n"
                           "workers: 2\n"
                           "limits: { memory: 100MiB, wall_time: 1500ms }\n"
                           "steps: [ { look: {} } ]\n"
                           "outputs:\n"
                           "  a: { to: { file: { path: \"a-{stem}.{ext}\" } } }\n"
                           "  b: { to: { file: { path: \"b-{stem}.{ext}\" } } }\n";

static long own_kb(void)
{
    long kb = 0;
    char line[128];
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0) kb = strtol(line + 6, NULL, 10);
    if (file != NULL) fclose(file);
    return kb;
}

static void on_tick(void *data)
{
    World *w = data;
    int64_t now = pm_clock_mono_ms();
    if (w->ticked_ms != 0 && now - w->ticked_ms > w->latest_ms) w->latest_ms = now - w->ticked_ms;
    w->ticked_ms = now;
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    int64_t used_ms = used.tv_sec * INT64_C(1000) + used.tv_nsec / 1000000;
    if (w->used_ms != 0 && used_ms - w->used_ms > w->busiest_ms) w->busiest_ms = used_ms - w->used_ms;
    w->used_ms = used_ms;
    w->tick = pm_loop_after(w->loop, TICK_MS, on_tick, w);
    if (w->until_ms != 0 && now >= w->until_ms) pm_loop_stop(w->loop);
}

static void on_patience(void *data)
{
    World *w = data;
    w->patience = NULL;
    pm_loop_stop(w->loop);
}

static void on_begins(void *data, const PmPoolOutput *output)
{
    World *w = data;
    (void)output;
    w->begun++;
}

static void on_output(void *data, PmPoolOutput *output)
{
    World *w = data;
    w->outputs++;
    snprintf(w->mime, sizeof w->mime, "%s", output->mime);
    snprintf(w->extension, sizeof w->extension, "%s", output->extension);
    json_decref(w->output_facts);
    w->output_facts = json_incref((json_t *)output->facts);
    pm_memfd_unmap(&output->bytes);
}

static void on_skipped(void *data, const char *output, const char *reason)
{
    World *w = data;
    (void)output, (void)reason;
    w->skipped++;
}

static void keep(json_t **to, const json_t *from)
{
    json_decref(*to);
    *to = json_incref((json_t *)from);
}

static void start_jobs(World *w);

static void on_done(void *data, const PmPoolReport *report)
{
    World *w = data;
    w->report = *report;
    keep(&w->facts, report->facts);
    keep(&w->verdicts, report->verdicts);
    keep(&w->timings, report->timings);
    if (++w->done == w->jobs)
        pm_loop_stop(w->loop);
    else
        start_jobs(w);
}

static void on_idle(void *data)
{
    start_jobs(data);
}

/* One at a time, in the first worker that is free. */
static void start_jobs(World *w)
{
    PmError err = {0};
    if (w->started == w->jobs || w->started > w->done || pm_pool_idle(w->pool) == 0) return;
    int source = pm_memfd_new("source", "picture", 7, &err);
    json_t *facts = json_pack("{ss}", "key", "in/a.jpg");
    PmPoolJob job = {
        .source_fd = source, .facts = facts, .attempt = w->attempt, .names = {.etag = "e7a6", .sequencer = "0055"}};
    snprintf(job.names.message_id, sizeof job.names.message_id, "message-%zu", w->started);
    snprintf(job.names.source, sizeof job.names.source, "s3://photos/in/%zu.jpg", w->started);
    PmPoolJobSink sink = {.data = w, .begins = on_begins, .output = on_output, .skipped = on_skipped, .done = on_done};
    w->outputs = w->skipped = w->begun = 0;
    assert_non_null(pm_pool_run(w->pool, &job, &sink, &err));
    json_decref(facts);
    close(source);
    w->started++;
}

static void on_ready(void *data, const json_t *info)
{
    (void)data, (void)info;
}

static void on_refused(void *data, const PmErrorList *errors)
{
    World *w = data;
    w->refused = true;
    w->refusal = errors->items[0];
    pm_loop_stop(w->loop);
}

static void on_failed(void *data, const PmError *err)
{
    (void)data;
    fail_msg("%s", err->message);
}

static void on_terminate(void *data)
{
    World *w = data;
    w->terminated = true;
}

static void read_log(World *w)
{
    ssize_t n = pread(w->log, w->said, sizeof w->said - 1, 0);
    w->said[n > 0 ? n : 0] = '\0';
}

static size_t count_lines(const World *w, const char *event)
{
    struct stat info;
    assert_int_equal(fstat(w->log, &info), 0);
    char *all = calloc(1, (size_t)info.st_size + 1);
    assert_int_equal(pread(w->log, all, (size_t)info.st_size, 0), info.st_size);
    size_t count = 0;
    for (const char *at = all; (at = strstr(at, event)) != NULL; at++) count++;
    free(all);
    return count;
}

/* Children of that mode, `jobs` jobs for them, run until those are done or for `ms`. */
static World *run(const char *mode, size_t jobs, int attempt, int64_t ms)
{
    World *w = calloc(1, sizeof *w);
    PmError err = {0};
    PmErrorList errors = {0};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    w->loop = pm_loop_new(&err);
    w->pipeline = pm_pipeline_read(mode, "/", text, sizeof text - 1, pm_kinds, no_environment, NULL, &errors);
    assert_int_equal(errors.count, 0);
    w->jobs = jobs;
    w->attempt = attempt;
    w->log_before = dup(STDERR_FILENO);
    w->log = pm_memfd_open("log", &err);
    dup2(w->log, STDERR_FILENO);
    pm_log_setup(PM_LOG_TEXT, PM_LOG_INFO);
    w->kb_before = own_kb();
    w->until_ms = ms > 0 ? pm_clock_mono_ms() + ms : 0;
    assert_true(pm_loop_signal(w->loop, SIGTERM, on_terminate, w));
    PmPoolSink sink = {.data = w, .ready = on_ready, .refused = on_refused, .failed = on_failed, .idle = on_idle};
    PmPoolOptions options = {.worker = self, .workers = jobs > 0 ? 1 : 2};
    w->pool = pm_pool_new(w->loop, w->pipeline, text, sizeof text - 1, &options, &sink, &err);
    assert_non_null(w->pool);
    w->tick = pm_loop_after(w->loop, TICK_MS, on_tick, w);
    w->patience = pm_loop_after(w->loop, PATIENCE_MS, on_patience, w);
    kill(getpid(), SIGTERM);
    pm_loop_run(w->loop);
    dup2(w->log_before, STDERR_FILENO);
    return w;
}

static void free_pool(World *w)
{
    dup2(w->log, STDERR_FILENO);
    pm_pool_free(w->pool);
    dup2(w->log_before, STDERR_FILENO);
    w->pool = NULL;
}

/* The loop was never kept waiting, a signal was heard, memory did not grow. */
static void assert_unharmed(const World *w)
{
    assert_true(w->terminated);
    print_message("    longest turn %lld ms, %lld ms of processor time; grown by %ld KiB\n", (long long)w->latest_ms,
                  (long long)w->busiest_ms, own_kb() - w->kb_before);
    assert_true(w->busiest_ms < LATE_MS);
    assert_true(w->latest_ms < VERY_LATE_MS);
    assert_true(own_kb() - w->kb_before < GROWTH_KB);
}

static void finish(World *w)
{
    free_pool(w);
    pm_loop_cancel(w->tick);
    pm_loop_cancel(w->patience);
    pm_loop_free(w->loop);
    pm_pipeline_free(w->pipeline);
    close(w->log_before);
    close(w->log);
    json_decref(w->facts);
    json_decref(w->verdicts);
    json_decref(w->timings);
    json_decref(w->output_facts);
    free(w);
}

static void works(void **state)
{
    (void)state;
    World *w = run("works", 3, 1, 0);
    assert_int_equal(w->done, 3);
    assert_int_equal(w->report.error.status, PM_OK);
    assert_int_equal(w->outputs, 2);
    assert_int_equal(w->begun, 2);
    assert_unharmed(w);
    finish(w);
}

static World *run_with_strikes(const char *mode)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/pixmill-standin-%d", (int)getpid());
    unlink(path);
    World *w = run(mode, 1, 1, 0);
    unlink(path);
    return w;
}

/* Kills that come faster than it can start: once it has worked, it is started again however often. */
static void who_is_killed_while_it_starts_is_started_again(void **state)
{
    (void)state;
    World *w = run_with_strikes("killed-while-starting");
    assert_int_equal(w->done, 1);
    assert_int_equal(w->report.error.status, PM_OK);
    assert_true(count_lines(w, "worker.lost") >= STANDIN_STRIKES);
    finish(w);
}

/* Its helper processes can be killed as well: it says so, and is not a configuration to mend. */
static void who_lost_a_helper_is_started_again(void **state)
{
    (void)state;
    World *w = run_with_strikes("helper-killed");
    assert_false(w->refused);
    assert_int_equal(w->done, 1);
    assert_int_equal(w->report.error.status, PM_OK);
    assert_true(count_lines(w, "its helper is gone") >= STANDIN_STRIKES - 1);
    finish(w);
}

/* What tries the sandbox out was killed: no job is done below the tier that the run began with. */
static void the_sandbox_does_not_get_weaker(void **state)
{
    (void)state;
    World *w = run_with_strikes("weaker");
    assert_int_equal(w->done, 1);
    assert_int_equal(w->report.error.status, PM_OK);
    assert_int_equal(count_lines(w, "its sandbox reached tier 1 of 3"), STANDIN_WEAK);
    finish(w);
}

/* Both children send as fast as they can, before any job. */
static void who_speaks_while_idle_is_ended(void **state)
{
    (void)state;
    World *w = run("talks-while-idle", 0, 1, 2500);
    assert_unharmed(w);
    read_log(w);
    assert_non_null(strstr(w->said, "broke the protocol: LOG without a job"));
    assert_int_equal(count_lines(w, "plugin.log"), 0);
    /* Two children, and two more a second. */
    assert_in_range(count_lines(w, "worker.protocol"), 2, 10);
    finish(w);
}

static void log_lines_of_a_job_have_an_end(void **state)
{
    (void)state;
    World *w = run("talks-in-a-job", 1, 1, 0);
    assert_int_equal(w->report.error.status, PM_BUG);
    assert_unharmed(w);
    assert_string_equal(w->report.error.message,
                        "the worker process broke the protocol: more than 100 log lines in one job");
    assert_in_range(count_lines(w, "plugin.log"), 1, 100);
    assert_int_equal(count_lines(w, "forged"), 0); /* no plugin of the pipeline */
    finish(w);
}

/* Six jobs with a hundred lines each, which take no time: 50 a second are shown, and how many are not. */
static void log_lines_a_second_have_an_end(void **state)
{
    (void)state;
    World *w = run("lines", 6, 1, 0);
    assert_int_equal(w->report.error.status, PM_OK);
    assert_unharmed(w);
    free_pool(w);
    assert_in_range(count_lines(w, "plugin.log"), 50, 300);
    assert_in_range(count_lines(w, "worker.log_dropped lines="), 1, 6);
    finish(w);
}

static void stderr_has_an_end_and_a_name(void **state)
{
    (void)state;
    World *w = run("stderr", 1, 1, 0);
    assert_unharmed(w);
    assert_in_range(count_lines(w, "worker.stderr"), 50, 250);
    read_log(w);
    assert_non_null(strstr(w->said, "a line on stderr that nobody asked for"));
    finish(w);
}

/* Whatever a child says while it is at a job, in whatever way: it is found with the job's other lines. */
static void lines_name_the_job(void **state)
{
    (void)state;
    static const char *const lines[] = {"plugin.log", "worker.stderr", "worker.stderr"};
    static const char *const texts[] = {"xxxxxxxxxxxxxxxxxxxx", "a whole line", "half a line"};
    World *w = run("named", 2, 1, 0);
    assert_int_equal(w->done, 2);
    read_log(w);
    for (int job = 0; job < 2; job++) {
        for (size_t i = 0; i < 3; i++) {
            char line[300];
            snprintf(line, sizeof line,
                     "warn  %s source=s3://photos/in/%d.jpg message_id=message-%d etag=e7a6 sequencer=0055: %s\n",
                     lines[i], job, job, texts[i]);
            if (strstr(w->said, line) == NULL) fail_msg("there is no %sin\n%s", line, w->said);
        }
    }
    finish(w);
}

/* What the child says is wrong: its job ends as a bug of the worker's, and says what. */
static void assert_broken(const char *mode, PmStatus status, const char *message)
{
    World *w = run(mode, 1, 1, 0);
    assert_int_equal(w->done, 1);
    if (strstr(w->report.error.message, message) == NULL)
        fail_msg("%s: \"%s\" expected, \"%s\" said", mode, message, w->report.error.message);
    assert_int_equal(w->report.error.status, status);
    assert_unharmed(w);
    finish(w);
}

static void descriptors_are_refused(void **state)
{
    (void)state;
    assert_broken("descriptor", PM_BUG, "carries more descriptors, than allowed");
}

static void bytes_that_could_still_change_are_refused(void **state)
{
    (void)state;
    assert_broken("mapped", PM_BUG, "a memory file cannot be sealed: Device or resource busy");
}

static void a_size_that_is_a_lie_is_refused(void **state)
{
    (void)state;
    assert_broken("long", PM_BUG, "4 bytes promised, 5 are there");
}

static void renditions_have_a_limit_together(void **state)
{
    (void)state;
    assert_broken("large", PM_LIMIT, "the renditions of this image are larger than 256 MiB together");
}

static void messages_have_an_end(void **state)
{
    (void)state;
    assert_broken("rooms", PM_BUG, "more than 416 messages in one job");
}

static void large_bodies_have_an_end(void **state)
{
    (void)state;
    assert_broken("long-line", PM_BUG, "a LOG that is larger than a packet");
    /* With two outputs, 512 + 2 * 64 KiB: the second does not fit. */
    assert_broken("long-bodies", PM_BUG, "600000 bytes in a room, where 55360 may be");
}

static void formats_are_the_brokers(void **state)
{
    (void)state;
    assert_broken("html", PM_BUG, "\"html\" is not a format that pixmill stores");
    World *w = run("works", 1, 1, 0);
    assert_string_equal(w->mime, "image/jpeg");
    assert_string_equal(w->extension, "jpg");
    finish(w);
}

static void an_encoder_of_html_is_refused_at_start(void **state)
{
    (void)state;
    World *w = run("declares-html", 1, 1, 0);
    assert_true(w->refused);
    assert_string_equal(w->refusal.message,
                        "plugin convert writes \"text/html\", which is not an image type that pixmill stores");
    finish(w);
}

static void outputs_without_a_condition_are_not_left_out(void **state)
{
    (void)state;
    assert_broken("skips", PM_BUG, "a SKIPPED that was not asked for");
}

/* No step of the pipeline may drop a picture, so a child's word does not: it would be gone without a trace. */
static void dropping_is_for_those_who_may(void **state)
{
    (void)state;
    World *w = run("drops", 1, 1, 0);
    assert_int_equal(w->report.error.status, PM_REJECTED);
    assert_int_equal(w->report.rejected_as, PM_ON_REJECT_QUARANTINE);
    finish(w);
}

static void only_declared_names_come_through(void **state)
{
    (void)state;
    World *w = run("works", 1, 1, 0);
    assert_int_equal(json_object_size(w->output_facts), 2);
    assert_string_equal(json_string_value(json_object_get(w->output_facts, "shape")), "square");
    assert_string_equal(json_string_value(json_object_get(w->output_facts, "look.score")), "0.5");
    assert_int_equal(json_object_size(w->facts), 3); /* look.score, width, and the key that we gave it */
    assert_string_equal(json_string_value(json_object_get(w->facts, "key")), "in/a.jpg");
    assert_null(json_object_get(w->facts, "bucket"));
    assert_int_equal(json_array_size(w->verdicts), 1);
    assert_null(json_object_get(w->timings, "forged_ms"));
    const json_t *steps = json_object_get(w->timings, "steps_us");
    assert_int_equal(json_object_size(steps), 1);
    assert_int_equal(json_integer_value(json_object_get(steps, "convert")), 7);
    finish(w);
}

/* Its second job does not fit into this child any more: a new one does the rest of it. */
static void a_limit_counts_in_a_fresh_child_only(void **state)
{
    (void)state;
    World *w = run("tires", 4, 1, 0);
    assert_int_equal(w->done, 4);
    assert_int_equal(w->report.error.status, PM_OK);
    assert_int_equal(w->outputs, 2); /* each once */
    finish(w);
    w = run("limit", 3, 1, 0);
    assert_int_equal(w->done, 3);
    assert_int_equal(w->report.error.status, PM_LIMIT);
    assert_string_equal(w->report.error.message, "as the stand-in says");
    finish(w);
}

static void who_sleeps_is_tried_once_more(void **state)
{
    (void)state;
    assert_broken("sleeps", PM_TRANSIENT, "not finished within limits.wall_time, 1500ms: the worker process waited");
    World *w = run("sleeps", 1, 2, 0);
    assert_int_equal(w->report.error.status, PM_LIMIT);
    assert_non_null(strstr(w->report.error.message, "1500ms, more than once"));
    finish(w);
}

/* However often: it is not the picture's fault. */
static void who_is_stopped_is_not_to_blame(void **state)
{
    (void)state;
    World *w = run("stops", 1, 5, 0);
    assert_int_equal(w->report.error.status, PM_TRANSIENT);
    assert_non_null(strstr(w->report.error.message, "the machine was too slow"));
    finish(w);
}

/* --- a neighbour of the same user --- */

enum { OUR_DESCRIPTORS = 256, THEIR_DESCRIPTORS = 1024, NOBODY = 64999 };

/* Leaves over 1,000 descriptors unread in sockets, for a while; returns when they are there. */
static pid_t crowd(int64_t ms)
{
    int ready[2];
    char byte;
    if (pipe(ready) != 0) _exit(4);
    pid_t pid = fork();
    if (pid != 0) {
        close(ready[1]);
        if (read(ready[0], &byte, 1) != 1) _exit(3);
        close(ready[0]);
        return pid;
    }
    struct rlimit limit = {THEIR_DESCRIPTORS, THEIR_DESCRIPTORS};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || (getuid() == 0 && setuid(NOBODY) != 0)) _exit(1);
    int sent = 0;
    for (int i = 0; i < 100; i++) {
        int pair[2], fds[PM_IPC_FDS_MAX] = {0, 0, 0, 0};
        if (pm_ipc_pair(pair, NULL) != PM_OK) break;
        while (sent < THEIR_DESCRIPTORS && pm_ipc_send(pair[0], PM_MSG_LOG, NULL, fds, PM_IPC_FDS_MAX, NULL) == PM_OK)
            sent += PM_IPC_FDS_MAX;
    }
    if (write(ready[1], "", 1) != 1) _exit(1);
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&wait, NULL);
    _exit(sent > OUR_DESCRIPTORS ? 0 : 1);
}

static void be_a_user(void)
{
    struct rlimit limit = {OUR_DESCRIPTORS, OUR_DESCRIPTORS};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || (getuid() == 0 && setuid(NOBODY) != 0)) _exit(3);
}

/* In a process of its own, as an ordinary user: root's descriptors are not counted. */
static void a_neighbours_descriptors_are_waited_for(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        pid_t neighbour = crowd(1500);
        be_a_user();
        World *w = run("works", 3, 1, 0);
        int status = 0;
        waitpid(neighbour, &status, 0);
        bool good = w->done == 3 && w->report.error.status == PM_OK && w->outputs == 2 && status == 0 &&
                    count_lines(w, "worker.crowded") > 0;
        if (!good) dprintf(STDERR_FILENO, "%zu done, status %d: %s\n", w->done, status, w->report.error.message);
        finish(w);
        _exit(good ? 0 : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 3) {
        print_message("    skipped: another user cannot be had here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--fd") == 0) return standin_run();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works),
        cmocka_unit_test(who_is_killed_while_it_starts_is_started_again),
        cmocka_unit_test(who_lost_a_helper_is_started_again),
        cmocka_unit_test(the_sandbox_does_not_get_weaker),
        cmocka_unit_test(who_speaks_while_idle_is_ended),
        cmocka_unit_test(log_lines_of_a_job_have_an_end),
        cmocka_unit_test(log_lines_a_second_have_an_end),
        cmocka_unit_test(stderr_has_an_end_and_a_name),
        cmocka_unit_test(lines_name_the_job),
        cmocka_unit_test(descriptors_are_refused),
        cmocka_unit_test(bytes_that_could_still_change_are_refused),
        cmocka_unit_test(a_size_that_is_a_lie_is_refused),
        cmocka_unit_test(renditions_have_a_limit_together),
        cmocka_unit_test(messages_have_an_end),
        cmocka_unit_test(large_bodies_have_an_end),
        cmocka_unit_test(formats_are_the_brokers),
        cmocka_unit_test(an_encoder_of_html_is_refused_at_start),
        cmocka_unit_test(outputs_without_a_condition_are_not_left_out),
        cmocka_unit_test(dropping_is_for_those_who_may),
        cmocka_unit_test(only_declared_names_come_through),
        cmocka_unit_test(a_limit_counts_in_a_fresh_child_only),
        cmocka_unit_test(who_sleeps_is_tried_once_more),
        cmocka_unit_test(who_is_stopped_is_not_to_blame),
        cmocka_unit_test(a_neighbours_descriptors_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

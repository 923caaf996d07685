/* SPDX-License-Identifier: Apache-2.0
 *
 * The questions of `pixmill plugin check` about what a step holds on to, and what it does when it gets no memory.
 */
#include <dirent.h>
#include <malloc.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/check/check.h"
#include "engine/check/rules.h"

/* The allocator's caches, one for each of libvips' threads, fill up slowly: by hundreds of bytes a run at first, less
 * and less for some thousand runs, 200 KiB in all. What goes on growing is a leak; LEAK_CLEARLY is one without waiting
 * for the end of that, LEAK_FLOOD one before there is no memory left. */
enum {
    LEAK_BYTES = 64,
    LEAK_CLEARLY = 2048,
    LEAK_FLOOD = 1 << 20,
    LEAK_ROUNDS = 400,
    LEAK_WINDOW = 20,
    LEAK_RUNS = 16,
    ALLOCATIONS_MAX = 64
};

/* --- leaks --- */

typedef struct Held {
    size_t bytes;
    int objects, descriptors;
} Held;

static void *count_object(VipsObject *object, void *count, void *b)
{
    (void)object, (void)b;
    ++*(int *)count;
    return NULL;
}

static Held what_is_held(void)
{
    Held held = {0};
    struct mallinfo2 info = mallinfo2();
    held.bytes = info.uordblks + info.hblkhd;
    vips_object_map((VipsSListMap2Fn)count_object, &held.objects, NULL);
    DIR *dir = opendir("/proc/self/fd");
    while (dir != NULL && readdir(dir) != NULL) held.descriptors++;
    if (dir != NULL) closedir(dir);
    return held;
}

/* The whole life of a step with one picture, which is an image of its own: a reference too many to it shows. */
static bool work_once(PmCheck *check, const PmCheckPicture *picture)
{
    PmCheckStep *step = pm_check_make_step(check);
    if (step == NULL) return false;
    PmPlan plan;
    VipsImage *image = NULL;
    if (pm_check_step_plan(step, &picture->shape, &plan) == PM_OK && !(plan.flags & PM_SKIP) &&
        vips_copy(picture->image, &image, NULL) == 0) {
        PmCheckResult result;
        pm_check_step_run(step, image, &picture->shape, &plan, &result);
        pm_check_result_finish(&result);
        g_object_unref(image);
    }
    pm_check_step_free(step);
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* By how much a quantity grew, a run: the median slope over all pairs of the last rounds (Theil and Sen). Single rounds
 * go up and down as threads and caches do, and a leak is there between any two. */
static double growth(const double *held, int rounds)
{
    double slopes[LEAK_WINDOW * LEAK_WINDOW / 2];
    size_t count = 0;
    for (int i = rounds - LEAK_WINDOW; i < rounds; i++)
        for (int j = i + 1; j < rounds; j++) slopes[count++] = (held[j] - held[i]) / (j - i);
    qsort(slopes, count, sizeof *slopes, by_value);
    return fmax(slopes[count / 2], 0) / LEAK_RUNS;
}

/* Rounds of runs until nothing grows any more, or something clearly does, or time is up. */
static int64_t cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool watch_growth(PmCheck *check, const PmCheckPicture *pictures)
{
    double bytes[LEAK_ROUNDS], objects[LEAK_ROUNDS], more_bytes = 0, more_objects = 0;
    /* By the processor's time, so that a busy machine does not end it before the heap has settled. */
    int64_t enough = cpu_ms() + PM_CHECK_SECONDS * 1000 / 3,
            last = pm_clock_mono_ms() + PM_CHECK_SECONDS * 1000 * 2 / 3;
    int descriptors = what_is_held().descriptors, rounds = 0;
    while (rounds < LEAK_ROUNDS && (rounds <= LEAK_WINDOW || (cpu_ms() < enough && pm_clock_mono_ms() < last))) {
        for (int i = 0; i < LEAK_RUNS; i++)
            if (!work_once(check, &pictures[i % 2])) return false;
        Held held = what_is_held();
        bytes[rounds] = (double)held.bytes;
        objects[rounds] = held.objects;
        rounds++;
        /* Told at once: they run out before a trend would show. */
        if (held.descriptors >= descriptors + LEAK_RUNS / 2)
            return pm_check_say(check, false, "leaks file descriptors: %d in %d runs", held.descriptors - descriptors,
                                rounds * LEAK_RUNS);
        if (rounds >= 3 && bytes[rounds - 1] - bytes[rounds - 3] > 2.0 * LEAK_RUNS * LEAK_FLOOD) {
            more_bytes = (bytes[rounds - 1] - bytes[rounds - 3]) / (2 * LEAK_RUNS);
            break;
        }
        if (rounds < LEAK_WINDOW) continue;
        more_bytes = growth(bytes, rounds);
        more_objects = growth(objects, rounds);
        if ((more_bytes < LEAK_BYTES && more_objects < 0.5) || more_bytes >= LEAK_CLEARLY) break;
    }
    if (more_objects >= 0.5)
        return pm_check_say(check, false, "leaks images: %.1f objects a run: unref what you do not hand over",
                            more_objects);
    if (more_bytes >= LEAK_BYTES) return pm_check_say(check, false, "leaks memory: %.0f bytes a run", more_bytes);
    return pm_check_say(check, true, "none in %d runs", rounds * LEAK_RUNS);
}

bool pm_check_leaks(PmCheck *check)
{
    PmCheckPicture pictures[PM_CHECK_PICTURES];
    mallopt(M_ARENA_MAX, 1); /* threads come and go with each picture; arenas of their own would blur the sums */
    if (!pm_check_pictures_new(pictures))
        return pm_check_say(check, false, "cannot make pictures: %.300s", vips_error_buffer());
    if (!work_once(check, &pictures[0])) return false;
    bool good = watch_growth(check, pictures);
    pm_check_pictures_free(pictures);
    return good;
}

/* --- allocations --- */

/* In a child of the child: one life for each allocation that fails. Returns the wait status. */
static int without_allocation(PmCheck *check, unsigned which)
{
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* The pictures are made here: once libvips has computed, it has threads, and they do not survive a fork. */
        PmCheckPicture pictures[PM_CHECK_PICTURES];
        if (!pm_check_pictures_new(pictures) || !pm_check_fail_allocation(check->loaded, which)) _exit(2);
        work_once(check, &pictures[0]);
        _exit(pm_check_allocation_failed() ? 0 : 2);
    }
    int status = 2 << 8;
    if (child > 0) waitpid(child, &status, 0);
    return status;
}

bool pm_check_allocations(PmCheck *check)
{
    for (unsigned which = 0; which < ALLOCATIONS_MAX; which++) {
        int status = without_allocation(check, which);
        if (WIFSIGNALED(status)) {
            const char *name = sigabbrev_np(WTERMSIG(status));
            return pm_check_say(check, false, "crashes (SIG%s) when its allocation number %u fails: check for NULL",
                                name != NULL ? name : "?", which + 1);
        }
        if (WEXITSTATUS(status) == 2)
            return pm_check_say(check, true, "survives each of its %u allocations failing", which);
        if (WEXITSTATUS(status) != 0)
            return pm_check_say(check, false, "ends the process when its allocation number %u fails", which + 1);
    }
    return pm_check_say(check, true, "survives each of its first %d allocations failing", ALLOCATIONS_MAX);
}

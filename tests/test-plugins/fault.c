/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugins that misbehave, one per build of this file: -DFAULT=segv makes fault-segv. Each copies its input and strikes
 * on the way. Parameters choose where (`at: create | plan | apply | pixels`) and for which images (`key`: a text that
 * must occur in the job's key; empty: all).
 */
#include <fcntl.h>
#include <pixmill/plugin.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <vips/vips.h>

typedef struct Config {
    int32_t at;
    const char *key;
    int64_t amount, time_ms;
} Config;

enum { AT_CREATE, AT_PLAN, AT_APPLY, AT_PIXELS };
static const char *const places[] = {"create", "plan", "apply", "pixels", NULL};

static const PmParam params[] = {
    PM_PARAM_ENUM(Config, at, "at", .def = "apply", .choices = places, .doc = "The call that strikes."),
    PM_PARAM_STRING(Config, key, "key", .doc = "Strike only when the job's key contains this."),
    PM_PARAM_BYTES(Config, amount, "amount", .def = "16MiB",
                   .doc = "How much fault-leak and fault-oom ask for on each strike."),
    PM_PARAM_DURATION(Config, time_ms, "time", .def = "1s", .doc = "How long fault-slow waits."),
};

typedef struct Self {
    const PmHost *host;
    const Config *config;
} Self;

/* --- the strikes; each build uses one --- */

__attribute__((unused)) static void strike_segv(const Config *config)
{
    (void)config;
    *(volatile int *)8 = 1;
}

__attribute__((unused)) static void strike_abort(const Config *config)
{
    (void)config;
    abort();
}

/* Waits for ever without using CPU: only a wall clock ends it. (pause() is none of a child's system calls.) */
__attribute__((unused)) static void strike_hang(const Config *config)
{
    (void)config;
    for (;;) poll(NULL, 0, -1);
}

/* Takes its time without using CPU, and then does what it should. */
__attribute__((unused)) static void strike_slow(const Config *config)
{
    struct timespec left = {.tv_sec = config->time_ms / 1000, .tv_nsec = config->time_ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) continue;
}

/* Works for ever: a CPU limit or a wall clock ends it. */
__attribute__((unused)) static void strike_spin(const Config *config)
{
    for (volatile int64_t i = 0; i >= 0; i = (i + 1) & 0xffff) (void)config;
}

__attribute__((unused)) static void strike_leak(const Config *config)
{
    /* Touched, so that it counts; volatile, so that it is not left out. */
    char *volatile bytes = malloc((size_t)config->amount);
    if (bytes != NULL) memset(bytes, 0x5a, (size_t)config->amount);
}

/* Works as long as there is memory. */
__attribute__((unused)) static void strike_oom(const Config *config)
{
    char *volatile bytes = malloc((size_t)config->amount);
    memset(bytes, 0x5a, (size_t)config->amount);
    free(bytes);
}

__attribute__((unused)) static void strike_exit(const Config *config)
{
    (void)config;
    exit(7);
}

__attribute__((unused, noinline)) static int descend(volatile char *above)
{
    volatile char frame[4096];
    frame[0] = above[0];
    return frame[0] == 0 ? 0 : descend(frame) + frame[0]; /* never 0, which the compiler cannot know */
}

__attribute__((unused)) static void strike_stack(const Config *config)
{
    (void)config;
    volatile char first[1] = {1};
    descend(first);
}

__attribute__((unused)) static void strike_fd(const Config *config)
{
    (void)config;
    for (int i = 0; i < 32; i++) (void)!dup(STDERR_FILENO);
}

__attribute__((unused)) static void strike_kill(const Config *config)
{
    (void)config;
    raise(SIGKILL);
}

/* Works for ever, and takes no notice of being told to end. */
__attribute__((unused)) static void strike_greed(const Config *config)
{
    struct rlimit limit;
    signal(SIGXCPU, SIG_IGN);
    if (getrlimit(RLIMIT_CPU, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_CPU, &limit);
    }
    strike_spin(config);
}

/* Without thread-local storage of its own: errno is the main thread's. */
__attribute__((unused)) static int sleep_for_ever(void *data)
{
    while (data == NULL) nanosleep(&(struct timespec){.tv_sec = 1000}, NULL);
    return 0;
}

/* As many threads as it gets, each with a page of stack. The exit code tells: 42 when they were not very many. */
__attribute__((unused)) static void strike_threads(const Config *config)
{
    enum { MANY = 1000, FEW = 260, STACK = 4096 };
    int i = 0;
    (void)config;
    for (; i < MANY; i++) {
        char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack == MAP_FAILED || clone(sleep_for_ever, stack + STACK,
                                         CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL) < 0)
            break;
    }
    _exit(i <= FEW ? 42 : 43);
}

static gpointer hold_memory(gpointer data)
{
    GMutex *held = data;
    g_free(memset(g_malloc(100 * 1000), 1, 100 * 1000));
    g_mutex_lock(held);
    g_mutex_unlock(held);
    return NULL;
}

/* How often a megabyte can be mapped. */
static int megabytes_left(void)
{
    enum { MANY = 4096, MEGABYTE = 1024 * 1024 };
    static void *maps[MANY];
    int count = 0;
    while (count < MANY &&
           (maps[count] = mmap(NULL, MEGABYTE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED)
        count++;
    for (int i = 0; i < count; i++) munmap(maps[i], MEGABYTE);
    return count;
}

/* What threads take of limits.memory. The exit code tells: 42 when it was next to nothing. */
__attribute__((unused)) static void strike_crowd(const Config *config)
{
    enum { THREADS = 8, LITTLE = 3 };
    GMutex held;
    (void)config;
    g_mutex_init(&held);
    g_mutex_lock(&held);
    int before = megabytes_left(), threads = 0;
    while (threads < THREADS && g_thread_try_new("crowd", hold_memory, &held, NULL) != NULL) threads++;
    int taken = before - megabytes_left();
    _exit(threads == THREADS && before > LITTLE && taken <= LITTLE ? 42 : 43);
}

__attribute__((unused)) static void strike_none(const Config *config)
{
    (void)config;
}

/* These misbehave in what they return instead. */
#define strike_promise strike_none
#define strike_null    strike_none
#define strike_status  strike_none
#define strike_order   strike_none
#define strike_whim    strike_none
#define strike_image   strike_none

#define GLUE_(a, b) a##b
#define GLUE(a, b)  GLUE_(a, b)
#define TEXT_(a)    #a
#define TEXT(a)     TEXT_(a)
#define STRIKE      GLUE(strike_, FAULT)
#define IS_(a, b)   (__builtin_strcmp(a, b) == 0)
#define IS(name)    IS_(TEXT(FAULT), name)

static void maybe_strike(const Self *self, PmJob *job, int at)
{
    if (self->config->at != at) return;
    if (self->config->key != NULL && self->config->key[0] != '\0') {
        const char *key = self->host->fact(job, "key");
        if (key == NULL || strstr(key, self->config->key) == NULL) return;
    }
    STRIKE(self->config);
}

/* --- the plugin --- */

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    Self *self = calloc(1, sizeof *self);
    if (self == NULL) return host->fail(job, PM_LIMIT, "out of memory");
    self->host = host;
    self->config = config;
    maybe_strike(self, job, AT_CREATE);
    *out = self;
    return PM_OK;
}

static void destroy(void *self)
{
    free(self);
}

static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)
{
    static int calls;
    (void)in;
    maybe_strike(data, job, AT_PLAN);
    if (IS("whim")) out->out.width += ++calls; /* another answer each time */
    return PM_OK;
}

static int copy_region(VipsRegion *out, void *sequence, void *a, void *b, gboolean *stop)
{
    (void)a, (void)stop;
    VipsRegion *in = sequence;
    STRIKE(b);
    if (vips_region_prepare(in, &out->valid) != 0) return -1;
    return vips_region_region(out, in, &out->valid, out->valid.left, out->valid.top);
}

static PmStatus failed(const Self *self, PmJob *job, int status)
{
    return status == 0 ? PM_OK : self->host->fail(job, PM_BAD_INPUT, "cannot copy");
}

static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Self *self = data;
    (void)shape;
    maybe_strike(self, job, AT_APPLY);
    if (IS("null")) return PM_OK;
    if (IS("status")) return (PmStatus)42;
    if (IS("promise")) return failed(self, job, vips_extract_area(in, out, 0, 0, (in->Xsize + 1) / 2, in->Ysize, NULL));
    double average; /* reads all of the picture before the first pixel of the result: needs PM_RANDOM */
    if (IS("order") && vips_avg(in, &average, NULL) != 0) return failed(self, job, -1);
    if (IS("image")) g_object_ref(in);
    if (self->config->at != AT_PIXELS) return failed(self, job, vips_copy(in, out, NULL));

    VipsImage *image = vips_image_new();
    g_object_set_data_full(G_OBJECT(image), "in", g_object_ref(in),
                           g_object_unref); /* what is computed later needs it */
    if (vips_image_pipelinev(image, VIPS_DEMAND_STYLE_THINSTRIP, in, NULL) != 0 ||
        vips_image_generate(image, vips_start_one, copy_region, vips_stop_one, in, (void *)self->config) != 0) {
        g_object_unref(image);
        return failed(self, job, -1);
    }
    *out = image;
    return PM_OK;
}

static const PmTransform transform = {
    .name = "fault-" TEXT(FAULT),
    .summary = "Misbehaves, for tests.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = destroy,
    .plan = plan,
    .apply = apply,
};

PM_PLUGIN(transform, "1.0.0")

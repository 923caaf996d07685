/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugins with a habit that their authors did not notice, one per build of this file: -DHABIT=HABIT_flip makes
 * habit-flip. Each works on a small picture in memory.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <pixmill/plugin.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vips/vips.h>

enum {
    HABIT_none,
    HABIT_flip,      /* reads from the bottom, and does not say so */
    HABIT_borrow,    /* gives its input back, and takes no reference */
    HABIT_drop,      /* lets go of what it does not hold */
    HABIT_glib,      /* logs through GLib */
    HABIT_socket,    /* asks for a socket */
    HABIT_passwd,    /* opens a file */
    HABIT_thread,    /* starts a thread */
    HABIT_print,     /* prints */
    HABIT_mutter,    /* prints without an end of the line, and past stdio */
    HABIT_chatter,   /* prints and prints */
    HABIT_farewell,  /* prints, and dies */
    HABIT_program,   /* starts a program */
    HABIT_elsewhere, /* plans to take the left half, and takes the right one */
    HABIT_finds,     /* adds regions that it does not list */
    HABIT_flags,     /* plans a flag that does not exist */
    HABIT_beyond,    /* plans to take more than there is */
    HABIT_invert,    /* plans to leave pixels alone, and does not */
};

typedef struct Config {
    bool in_create;
    PmList labels;
} Config;

static const PmParam params[] = {
    PM_PARAM_BOOL(Config, in_create, "in_create", .doc = "Do it in create()."),
    PM_PARAM_LIST(Config, labels, "labels", .flags = PM_PAIRS, .def = "{ a: b }", .doc = "Not used."),
};

typedef struct Self {
    const PmHost *host;
    const Config *config;
} Self;

static void *nothing(void *data)
{
    return data;
}

/* What goes wrong with it is not this plugin's concern. */
static void indulge(void)
{
    pthread_t thread;
    switch (HABIT) {
    case HABIT_glib:
        g_warning("a warning through GLib");
        break;
    case HABIT_socket: {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd >= 0) close(fd);
        break;
    }
    case HABIT_passwd: {
        int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
        if (fd >= 0) close(fd);
        break;
    }
    case HABIT_thread:
        if (pthread_create(&thread, NULL, nothing, NULL) == 0) pthread_join(thread, NULL);
        break;
    case HABIT_print:
        printf("printed on stdout\n");
        fprintf(stderr, "printed on stderr\n");
        break;
    case HABIT_mutter:
        printf("half a line, ");
        fflush(stdout);
        if (write(STDOUT_FILENO, "and the rest\nanother half", 25) < 0) break;
        break;
    case HABIT_chatter:
        for (int i = 0; i < 5000; i++) printf("line %d of far too many\n", i);
        break;
    case HABIT_farewell:
        printf("the last line on stdout\n");
        raise(SIGSEGV);
        break;
    case HABIT_program:
        execl("/bin/true", "true", (char *)NULL);
        break;
    default:
        break;
    }
}

static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)
{
    Self *self = g_new(Self, 1);
    (void)job;
    *self = (Self){host, config};
    if (self->config->in_create) indulge();
    *out = self;
    return PM_OK;
}

static PmStatus plan(void *self, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)self, (void)job;
#ifdef INSPECTS
    out->flags = PM_NO_PIXELS;
#endif
    if (HABIT == HABIT_elsewhere || HABIT == HABIT_beyond) {
        out->out.width = (in->width + 1) / 2;
        out->resample = (PmResample){.width = out->out.width, .height = in->height, .kernel = PM_KERNEL_CUBIC};
    }
    if (HABIT == HABIT_invert) out->flags = PM_NO_PIXELS;
    if (HABIT == HABIT_flags) out->flags = 1u << 20;
    if (HABIT == HABIT_beyond) out->resample.left = in->width - 1;
    return PM_OK;
}

#ifdef INSPECTS
static PmStatus inspect(void *data, PmJob *job, const PmShape *shape, VipsImage *in, PmVerdict *out)
{
    const Self *self = data;
    (void)shape, (void)in, (void)out;
    return HABIT == HABIT_finds ? self->host->add_regions(job, "spots", NULL, 0) : PM_OK;
}
#else
static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    const Self *self = data;
    int result = 0;
    (void)shape;
    if (!self->config->in_create) indulge();
    if (HABIT == HABIT_flip)
        result = vips_flip(in, out, VIPS_DIRECTION_VERTICAL, NULL);
    else if (HABIT == HABIT_elsewhere || HABIT == HABIT_beyond)
        result = vips_extract_area(in, out, in->Xsize / 2, 0, (in->Xsize + 1) / 2, in->Ysize, NULL);
    else if (HABIT == HABIT_invert)
        result = vips_invert(in, out, NULL);
    else if (HABIT == HABIT_borrow)
        *out = in;
    else
        result = vips_copy(in, out, NULL);
    if (HABIT == HABIT_drop) g_object_unref(in);
    return result == 0 ? PM_OK : self->host->fail(job, PM_BUG, "cannot copy");
}
#endif

static const PmTransform transform = {
    .name = NAME,
    .summary = "Has a habit, for tests.",
    PM_PARAMS(Config, params),
    .create = create,
    .destroy = g_free,
    .plan = plan,
#ifdef INSPECTS
    .inspect = inspect,
#else
    .apply = apply,
#endif
};

PM_PLUGIN(transform, "1.0.0")

// SPDX-License-Identifier: Apache-2.0
/* Text in a forked child that can open no file, as in the worker: what it needs was loaded by create(), nothing waits
 * for a thread that fork did not copy. */
#include "harness.h"

#include <dirent.h>
#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int font_threads; /* that Pango asked for */

/* Takes the place of GLib's for libpangoft2: since 1.52 a single thread of this name looks fonts up for all of the
 * process, before it is one for each question. */
__attribute__((visibility("default"))) GThread *g_thread_new(const gchar *name, GThreadFunc func, gpointer data)
{
    GThread *(*real)(const gchar *, GThreadFunc, gpointer) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "g_thread_new");
    if (name && strstr(name, "pango")) font_threads++;
    return real(name, func, data);
}

static const char *const stems[] = {
    "plain",
    "\xC3\xA9t\xC3\xA9 \xD0\x96 \xCE\xA9",                                          /* Latin, Cyrillic, Greek */
    "\xE6\xBC\xA2\xE5\xAD\x97 \xE3\x81\x82 \xE3\x82\xA2 \xED\x95\x9C",              /* Chinese, Japanese, Korean */
    "\xD7\xA9 \xD8\xB4",                                                            /* Hebrew, Arabic */
    "\xE1\x83\x90 \xE0\xB8\x81 \xE0\xA4\x85",                                       /* Georgian, Thai, Devanagari */
    "\xF0\x9F\x98\x80 \xE2\x9C\x85 \xC2\xA9\xEF\xB8\x8F 1\xEF\xB8\x8F\xE2\x83\xA3", /* emoji */
    "\xF4\x8F\xBF\xBD \xEE\x80\x80 \xF0\x90\x8C\xB0 \xF0\x9D\x8D\xA0",              /* what no font has */
};
/* As many as fit: see plugins/watermark/fonts.h. */
static const char *const fonts[] = {"serif", "monospace", "sans bold", "sans"};

enum { STEMS = sizeof(stems) / sizeof(stems[0]), FONTS = sizeof(fonts) / sizeof(fonts[0]), SIZES = 3 };

/* The mean of each picture, and how often Pango wanted a thread. */
typedef struct Result {
    double means[FONTS][STEMS][SIZES];
    int font_threads;
} Result;

static void draw_all(Step *const *steps, Result *result)
{
    font_threads = 0;
    for (int font = 0; font < FONTS; font++) {
        for (int i = 0; i < STEMS; i++) {
            step_set_fact(steps[font], "stem", stems[i]);
            for (int size = 0; size < SIZES; size++) {
                VipsImage *in = image_flat(100 + 130 * size, 100 + 130 * size, 3, 0, 0, 0, 255);
                VipsImage *out = step_apply(steps[font], in);
                assert_int_equal(vips_avg(out, &result->means[font][i][size], NULL), 0);
                g_object_unref(out);
                g_object_unref(in);
            }
        }
    }
    result->font_threads = font_threads;
}

static int threads_of_libvips(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], name[64] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
        FILE *comm = fopen(path, "r");
        if (!comm) continue;
        if (fgets(name, sizeof(name), comm) && strstr(name, "vips")) count++;
        fclose(comm);
    }
    closedir(tasks);
    return count;
}

/* A JPEG of print colours that lies on its side, a grey PNG, a PNG with alpha and a profile: made in a child, for
 * writing them starts threads. */
static void make_logos(int out)
{
    static const struct {
        int bands;
        const char *profile, *suffix;
    } kinds[] = {{3, "cmyk", ".jpg"}, {1, NULL, ".png"}, {4, "p3", ".png"}};
    for (size_t i = 0; i < 3; i++) {
        VipsImage *image = image_flat(40, 30, kinds[i].bands, 200, 30, 60, 128), *converted = NULL;
        vips_image_set_int(image, VIPS_META_ORIENTATION, i == 0 ? 6 : 1);
        if (kinds[i].profile && vips_icc_transform(image, &converted, kinds[i].profile, "input_profile", "srgb", NULL))
            _exit(5);
        void *bytes = NULL;
        size_t size = 0;
        if (vips_image_write_to_buffer(converted ? converted : image, kinds[i].suffix, &bytes, &size, NULL)) _exit(6);
        if (write(out, &size, sizeof(size)) != (ssize_t)sizeof(size) || write(out, bytes, size) != (ssize_t)size)
            _exit(7);
    }
    _exit(0);
}

static void read_all(int in, void *bytes, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t got = read(in, (char *)bytes + have, size - have);
        assert_true(got > 0);
        have += (size_t)got;
    }
}

static const char *const logos[] = {"print.jpg", "grey.png", "wide.png"};

static int get_logos(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        alarm(30);
        make_logos(ends[1]);
    }
    close(ends[1]);
    for (size_t i = 0; i < 3; i++) {
        size_t size = 0;
        read_all(ends[0], &size, sizeof(size));
        assert_in_range(size, 1, 10000000);
        void *bytes = g_malloc(size);
        read_all(ends[0], bytes, size);
        harness_set_asset(logos[i], bytes, size);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    close(ends[0]);
    return status;
}

static void child_draws_what_the_parent_draws(void **state)
{
    (void)state;
    Step *steps[FONTS];
    for (size_t i = 0; i < FONTS; i++) {
        char text[128];
        snprintf(text, sizeof(text), "{text: \"{stem} pixmill\", size: 12%%, gravity: center, font: %s}", fonts[i]);
        steps[i] = step_new("watermark", text);
    }
    for (size_t i = 0; i < 3; i++) {
        char logo[64];
        snprintf(logo, sizeof(logo), "{image: %s, rotate: 90}", logos[i]);
        step_free(step_new("watermark", logo));
    }
    assert_int_equal(threads_of_libvips(), 0);

    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        Result result;
        alarm(30);
        if (setrlimit(RLIMIT_NOFILE, &none)) _exit(3);
        draw_all(steps, &result);
        if (write(ends[1], &result, sizeof(result)) != (ssize_t)sizeof(result)) _exit(4);
        _exit(0);
    }
    close(ends[1]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0); /* SIGALRM, 14: it waited for a thread */
    Result there, here;
    assert_int_equal(read(ends[0], &there, sizeof(there)), sizeof(there));
    close(ends[0]);
    assert_int_equal(there.font_threads, 0);

    draw_all(steps, &here);
    for (int font = 0; font < FONTS; font++) {
        for (int i = 0; i < STEMS; i++) {
            for (int size = 0; size < SIZES; size++) {
                double a = here.means[font][i][size], b = there.means[font][i][size];
                if (fabs(a - b) > 0.001 || a < 0.1)
                    fail_msg("\"%s\" in %s at size %d: mean %g in the child, %g in the parent", stems[i], fonts[font],
                             size, b, a);
            }
        }
        step_free(steps[font]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(child_draws_what_the_parent_draws),
};

int main(int argc, char **argv)
{
    (void)argc;
    harness_setup(argv[0]);
    return cmocka_run_group_tests(tests, get_logos, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "cli/command.h"

/* What is written; "@NAME@" becomes the step's name, "@FILE@" the same with underscores. */

static const char cmake[] = "cmake_minimum_required(VERSION 3.25)\n"
                            "project(pixmill-@NAME@ VERSION 1.0.0 LANGUAGES C)\n"
                            "\n"
                            "set(CMAKE_C_STANDARD 17)\n"
                            "if(NOT CMAKE_BUILD_TYPE)\n"
                            "  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING \"\" FORCE)\n"
                            "endif()\n"
                            "\n"
                            "find_package(Pixmill REQUIRED)\n"
                            "pixmill_add_plugin(@NAME@ @FILE@.c)\n"
                            "target_compile_options(plugin_@NAME@ PRIVATE -Wall -Wextra)\n";

static const char readme[] =
    "# @NAME@\n"
    "\n"
    "A pixmill plugin. Build it, check it, try it:\n"
    "\n"
    "```sh\n"
    "cmake -S . -B build && cmake --build build\n"
    "pixmill plugin check build/@NAME@.so\n"
    "pixmill plugin run build/@NAME@.so photo.jpg out.png\n"
    "```\n"
    "\n"
    "Without CMake: `cc -shared -fPIC -O2 -fvisibility=hidden $(pkg-config --cflags pixmill) -o @NAME@.so @FILE@.c`\n";

static const char head[] = "/* @NAME@: say here what the step does.\n"
                           " *\n"
                           " *     - @NAME@: { strength: 0.5 }\n"
                           " */\n"
                           "#include <stdlib.h>\n"
                           "\n"
                           "#include <" /* which this file does not */ "vips/vips.h>\n"
                           "\n"
                           "#include <pixmill/plugin.h>\n"
                           "\n"
                           "/* What the YAML may say. The host fills it in, checked. */\n"
                           "typedef struct {\n"
                           "    double strength;\n"
                           "} Config;\n"
                           "\n"
                           "static const PmParam params[] = {\n"
                           "    PM_PARAM_NUMBER(Config, strength, \"strength\", .def = \"0.5\", .min = 0, .max = 1, "
                           ".doc = \"How much of it.\"),\n"
                           "};\n"
                           "\n"
                           "typedef struct {\n"
                           "    const PmHost *host;\n"
                           "    const Config *config;\n"
                           "} Self;\n"
                           "\n"
                           "/* Once per step of the pipeline. */\n"
                           "static PmStatus create(const PmHost *host, PmJob *job, const void *config, void **out)\n"
                           "{\n"
                           "    Self *self = calloc(1, sizeof *self);\n"
                           "    if (self == NULL) return host->fail(job, PM_LIMIT, \"out of memory\");\n"
                           "    self->host = host;\n"
                           "    self->config = config;\n"
                           "    *out = self;\n"
                           "    return PM_OK;\n"
                           "}\n"
                           "\n";

static const char apply[] =
    "/* What comes out, and what must go in: out->out is preset to the input. */\n"
    "static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)\n"
    "{\n"
    "    (void)data, (void)job, (void)in;\n"
    "    out->need_width = out->need_height = 0; /* as good on a smaller picture */\n"
    "    return PM_OK;\n"
    "}\n"
    "\n"
    "/* Builds the operation; libvips computes it later. Here: darker. */\n"
    "static PmStatus apply(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)\n"
    "{\n"
    "    const Self *self = data;\n"
    "    double a[8], b[8] = {0};\n"
    "    VipsImage *darker = NULL;\n"
    "    int bands = shape->bands, colours = bands - (shape->has_alpha ? 1 : 0);\n"
    "    if (bands > 8) return self->host->fail(job, PM_BAD_INPUT, \"too many bands\");\n"
    "    for (int i = 0; i < bands; i++) a[i] = i < colours ? 1 - self->config->strength : 1;\n"
    "    if (vips_linear(in, &darker, a, b, bands, NULL) != 0) return self->host->fail(job, PM_BAD_INPUT, \"cannot "
    "darken\");\n"
    "    int result = vips_cast(darker, out, vips_image_get_format(in), NULL);\n"
    "    g_object_unref(darker);\n"
    "    return result == 0 ? PM_OK : self->host->fail(job, PM_BAD_INPUT, \"cannot darken\");\n"
    "}\n";

static const char inspect[] =
    "/* An inspector makes no picture: out->out stays as it is. */\n"
    "static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)\n"
    "{\n"
    "    (void)data, (void)job, (void)in;\n"
    "    out->need_width = out->need_height = 224; /* enough to judge by, px */\n"
    "    return PM_OK;\n"
    "}\n"
    "\n"
    "/* Here: flags what is darker than `strength`. */\n"
    "static PmStatus inspect(void *data, PmJob *job, const PmShape *shape, VipsImage *in, PmVerdict *out)\n"
    "{\n"
    "    const Self *self = data;\n"
    "    double average = 0, top = shape->band_format == VIPS_FORMAT_USHORT ? 65535 : 255;\n"
    "    if (vips_avg(in, &average, NULL) != 0) return self->host->fail(job, PM_BAD_INPUT, \"cannot read the "
    "picture\");\n"
    "    out->score = 1 - average / top;\n"
    "    out->decision = average / top < self->config->strength ? PM_FLAG : PM_PASS;\n"
    "    g_strlcpy(out->label, \"dark\", sizeof out->label);\n"
    "    return PM_OK;\n"
    "}\n";

static const char encode[] =
    "static const char *const mime_types[] = {\"image/png\", NULL};\n"
    "\n"
    "/* An encoder says what it will write. */\n"
    "static PmStatus plan(void *data, PmJob *job, const PmShape *in, PmPlan *out)\n"
    "{\n"
    "    (void)data, (void)job, (void)in;\n"
    "    out->format = \"png\";\n"
    "    out->extension = \"png\";\n"
    "    out->mime = \"image/png\";\n"
    "    out->need_pages = 1;\n"
    "    out->out.pages = 1;\n"
    "    out->need_width = out->need_height = 0;\n"
    "    return PM_OK;\n"
    "}\n"
    "\n"
    "/* Here: a PNG, compressed by `strength`. */\n"
    "static PmStatus encode(void *data, PmJob *job, const PmShape *shape, VipsImage *in, VipsTarget *out)\n"
    "{\n"
    "    const Self *self = data;\n"
    "    (void)shape;\n"
    "    int compression = (int)(9 * self->config->strength);\n"
    "    if (vips_pngsave_target(in, out, \"compression\", compression, NULL) == 0) return PM_OK;\n"
    "    return self->host->fail(job, PM_BUG, \"cannot write a PNG\");\n"
    "}\n";

static const char tail[] = "\n"
                           "static const PmTransform transform = {\n"
                           "    .name = \"@NAME@\",\n"
                           "    .summary = \"Say here in one sentence what the step does.\",\n"
                           "    PM_PARAMS(Config, params),\n"
                           "    .create = create,\n"
                           "    .destroy = free,\n"
                           "    .plan = plan,\n";

static const struct {
    const char *name, *code, *members;
} kinds[] = {
    {"apply", apply, "    .apply = apply,\n"},
    {"inspect", inspect, "    .inspect = inspect,\n"},
    {"encode", encode, "    .encode = encode,\n    .mime_types = mime_types,\n"},
};

static void fill(PmBuffer *out, const char *text, const char *name)
{
    for (const char *p = text; *p != '\0';) {
        bool is_name = strncmp(p, "@NAME@", 6) == 0, is_file = strncmp(p, "@FILE@", 6) == 0;
        if (!is_name && !is_file) {
            pm_buffer_addf(out, "%c", *p++);
            continue;
        }
        for (const char *c = name; *c != '\0'; c++) pm_buffer_addf(out, "%c", is_file && *c == '-' ? '_' : *c);
        p += 6;
    }
}

/* `name` below the folder; false after it was said why not. Never overwrites. */
static bool write_file(int folder, const char *name, const PmBuffer *text)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool good = fd >= 0 && !text->failed && write(fd, text->data, text->size) == (ssize_t)text->size;
    if (fd >= 0 && close(fd) != 0) good = false;
    if (!good) fprintf(stderr, "pixmill: cannot write %s: %s\n", name, strerror(errno));
    return good;
}

static bool write_all(int folder, const char *name, size_t kind)
{
    enum { TEXT_MAX = 64 * 1024 };
    const char *const texts[3][5] = {
        {cmake},
        {readme},
        {head, kinds[kind].code, tail, kinds[kind].members, "};\n\nPM_PLUGIN(transform, \"1.0.0\")\n"}};
    static const char *const files[] = {"CMakeLists.txt", "README.md", "@FILE@.c"};
    bool good = true;
    for (size_t i = 0; i < 3 && good; i++) {
        PmBuffer text, file;
        pm_buffer_init(&text, TEXT_MAX);
        pm_buffer_init(&file, TEXT_MAX);
        for (size_t k = 0; k < 5 && texts[i][k] != NULL; k++) fill(&text, texts[i][k], name);
        fill(&file, files[i], name);
        good = !file.failed && write_file(folder, file.data, &text);
        pm_buffer_finish(&text);
        pm_buffer_finish(&file);
    }
    return good;
}

static bool name_ok(const char *name)
{
    enum { NAME_MAX_BYTES = 40 };
    size_t length = strlen(name);
    return length > 0 && length <= NAME_MAX_BYTES && name[0] >= 'a' && name[0] <= 'z' && name[length - 1] != '-' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static int run(const PmArguments *arguments)
{
    const char *name = arguments->values[0], *wanted = pm_arguments_get(arguments, "kind");
    size_t kind = 0, count = sizeof kinds / sizeof kinds[0];
    while (wanted != NULL && kind < count && strcmp(kinds[kind].name, wanted) != 0) kind++;
    if (kind == count) return pm_cli_usage(NULL, "--kind must be apply, inspect or encode, not \"%s\"", wanted);
    if (!name_ok(name))
        return pm_cli_usage("a to z, 0 to 9 and -, a letter first, at most 40 characters",
                            "\"%s\" is not a name of a step: it is written in lower-case-with-dashes", name);
    if (mkdir(name, 0755) != 0)
        return pm_cli_usage(errno == EEXIST ? "choose another name, or another folder to call it from" : NULL,
                            "cannot make the folder %s: %s", name, strerror(errno));
    int folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = folder >= 0 && write_all(folder, name, kind);
    if (folder >= 0) close(folder);
    if (!good) return PM_EXIT_FAILED;
    printf("%s: a plugin to start from; its README.md says how to build, check and run it\n", name);
    return PM_EXIT_FINE;
}

static const PmCommandOption options[] = {
    {"kind", "KIND", "apply (changes the picture; by default), inspect (judges it) or encode (writes it).", 0},
    {NULL, NULL, NULL, 0},
};

const PmCommand pm_command_plugin_new = {
    .name = "plugin new",
    .usage = "NAME [--kind apply|inspect|encode]",
    .summary = "Write a plugin to start from into a new folder.",
    .text = "It builds, and keeps every rule of `pixmill plugin check`.\n"
            "\n"
            "Examples:\n"
            "  pixmill plugin new soften\n"
            "  pixmill plugin new too-dark --kind inspect",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/check/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/check/step.h"
#include "engine/elf.h"
#include "engine/flags.h"
#include "engine/resample.h"

bool pm_check_say(PmCheck *check, bool ok, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(check->message, sizeof check->message, fmt, ap);
    va_end(ap);
    return ok;
}

/* --- about the file --- */

/* Names that toolchains and sanitizers add by themselves. */
static bool is_toolchain(const char *name)
{
    static const char *const names[] = {"_init", "_fini", "_edata", "_end"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return strncmp(name, "__", 2) == 0;
}

bool pm_check_exports(PmCheck *check)
{
    PmElf elf;
    PmError err = {0};
    if (pm_elf_read(check->file, &elf, &err) != PM_OK) return pm_check_say(check, false, "%s", err.message);
    char strays[400] = "";
    bool entry = false;
    size_t used = 0;
    for (size_t i = 0; i < json_array_size(elf.exports); i++) {
        const char *name = json_string_value(json_array_get(elf.exports, i));
        if (strcmp(name, "pixmill_plugin") == 0)
            entry = true;
        else if (!is_toolchain(name) && used < sizeof strays)
            used += (size_t)snprintf(strays + used, sizeof strays - used, "%s%s", used > 0 ? ", " : "", name);
    }
    pm_elf_finish(&elf);
    if (used > 0)
        return pm_check_say(check, false,
                            "exports %s besides pixmill_plugin: make them static, or build with -fvisibility=hidden",
                            strays);
    if (!entry) return pm_check_say(check, false, "does not export pixmill_plugin: define it with PM_PLUGIN()");
    return pm_check_say(check, true, "only pixmill_plugin");
}

bool pm_check_libraries(PmCheck *check)
{
    static const char *const provided[] = {"libvips", "libglib-2", "libgobject-2", "libgio-2", "libgmodule-2"};
    PmElf elf;
    PmError err = {0};
    if (pm_elf_read(check->file, &elf, &err) != PM_OK) return pm_check_say(check, false, "%s", err.message);
    char bad[64] = "", all[400] = "";
    size_t used = 0;
    for (size_t i = 0; i < json_array_size(elf.needed); i++) {
        const char *name = json_string_value(json_array_get(elf.needed, i));
        for (size_t p = 0; p < sizeof provided / sizeof provided[0]; p++)
            if (strncmp(name, provided[p], strlen(provided[p])) == 0) snprintf(bad, sizeof bad, "%.60s", name);
        if (used < sizeof all)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", used > 0 ? ", " : "", name);
    }
    pm_elf_finish(&elf);
    if (bad[0] != '\0')
        return pm_check_say(check, false, "links %s, which the worker provides: leave it out of the link line", bad);
    return pm_check_say(check, true, "%s", used > 0 ? all : "none");
}

/* --- about the plugin --- */

static bool check_handshake(PmCheck *check)
{
    return pm_check_say(check, true, "%s %s", check->loaded->transform.name, check->loaded->version);
}

static bool check_documented(PmCheck *check)
{
    const PmTransform *t = &check->loaded->transform;
    if (t->summary[0] == '\0') return pm_check_say(check, false, "has no summary");
    for (size_t i = 0; i < t->param_count; i++)
        if (t->params[i].doc == NULL || t->params[i].doc[0] == '\0')
            return pm_check_say(check, false, "parameter %s has no doc", t->params[i].name);
    return pm_check_say(check, true, "%zu parameters", t->param_count);
}

PmCheckStep *pm_check_make_step(PmCheck *check)
{
    PmError err = {0};
    PmCheckStep *step = pm_check_step_new(check->loaded, check->params, check->message, sizeof check->message);
    if (step == NULL || check->room == NULL || !check->as_job || check->entered) return step;
    check->entered = true;
    if (check->room->enter(check->room->data, check->loaded->draws_text, &err) == PM_OK) return step;
    pm_check_say(check, false, "cannot ask: %.300s", err.message);
    pm_check_step_free(step);
    return NULL;
}

static bool check_create(PmCheck *check)
{
    for (int i = 0; i < 2; i++) { /* a pipeline may hold the same step twice */
        PmCheckStep *step = pm_check_make_step(check), *twin = step != NULL ? pm_check_make_step(check) : NULL;
        pm_check_step_free(step);
        pm_check_step_free(twin);
        if (twin == NULL) {
            if (check->message[0] == '\0') pm_check_say(check, false, "create() fails");
            return false;
        }
    }
    return pm_check_say(check, true, "created and destroyed in pairs");
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_shape(const PmShape *a, const PmShape *b)
{
    return a->width == b->width && a->height == b->height && a->pages == b->pages && a->bands == b->bands &&
           a->has_alpha == b->has_alpha;
}

static bool same_resample(const PmResample *a, const PmResample *b)
{
    return memcmp(a, b, offsetof(PmResample, reserved)) == 0;
}

static bool same_plan(const PmPlan *a, const PmPlan *b)
{
    return same_shape(&a->out, &b->out) && a->out.has_profile == b->out.has_profile &&
           a->out.interpretation == b->out.interpretation && a->out.band_format == b->out.band_format &&
           a->flags == b->flags && a->need_width == b->need_width && a->need_height == b->need_height &&
           a->need_pages == b->need_pages && same_resample(&a->resample, &b->resample) &&
           same_text(a->format, b->format) && same_text(a->extension, b->extension) && same_text(a->mime, b->mime);
}

/* What a plan may not say, or NULL. */
static const char *plan_fault(const PmTransform *t, const PmShape *in, const PmPlan *plan)
{
    if (plan->out.width < 1 || plan->out.height < 1 || plan->out.pages < 1) return "an empty picture";
    if (plan->out.bands < 1 || plan->out.bands > 5) return "a number of bands outside of 1 to 5";
    if (plan->flags & ~PM_FLAGS_ALL(PM_PLAN_FLAGS)) return "flags that do not exist";
    if (plan->need_width < 0 || plan->need_height < 0 || plan->need_pages < 0) return "a negative need";
    if ((plan->flags & PM_SKIP) && !same_shape(in, &plan->out))
        return "PM_SKIP with a result that differs from the input";
    const char *resample = t->apply != NULL ? pm_resample_fault(in, plan) : NULL;
    if (resample != NULL) return resample;
    if (plan->resample.width != 0 && t->apply == NULL) return "a resample, though it makes no picture";
    if (t->inspect != NULL && !same_shape(in, &plan->out)) return "another picture, though inspect() makes none";
    if (t->encode == NULL) return NULL;
    if (plan->format == NULL || plan->extension == NULL || plan->mime == NULL)
        return "no format, extension or mime, though it encodes";
    if (t->mime_types == NULL) return NULL;
    for (const char *const *mime = t->mime_types; *mime != NULL; mime++)
        if (strcmp(*mime, plan->mime) == 0) return NULL;
    return "a mime type that .mime_types does not list";
}

/* Calls `each` with every picture that the step takes; its message says what went wrong. */
typedef bool Each(PmCheck *check, PmCheckStep *step, const PmCheckPicture *picture, const PmPlan *plan);

static bool for_each_picture(PmCheck *check, Each *each)
{
    PmCheckPicture pictures[PM_CHECK_PICTURES];
    PmCheckStep *step = pm_check_make_step(check);
    if (step == NULL) return false;
    if (!pm_check_pictures_new(pictures)) {
        pm_check_step_free(step);
        return pm_check_say(check, false, "cannot make pictures: %.300s", vips_error_buffer());
    }
    char refused[200] = "";
    size_t used = 0;
    bool ok = true;
    for (size_t i = 0; i < PM_CHECK_PICTURES && ok; i++) {
        const PmCheckPicture *picture = &pictures[i];
        PmPlan plan;
        PmStatus status = pm_check_step_plan(step, &picture->shape, &plan);
        const char *broke = pm_check_step_broke(step);
        if (status == PM_OK && broke == NULL)
            ok = each(check, step, picture, &plan);
        else if (broke == NULL && (status == PM_BAD_INPUT || status == PM_LIMIT)) {
            /* A step may refuse a kind of picture, as long as it says so. */
            if (used < sizeof refused)
                used += (size_t)snprintf(refused + used, sizeof refused - used, "%s%s", used > 0 ? ", " : "; refuses ",
                                         picture->name);
        } else {
            ok = pm_check_say(check, false, "%s: plan(): %s", picture->name,
                              broke != NULL ? broke : pm_check_step_said(step));
        }
    }
    pm_check_pictures_free(pictures);
    pm_check_step_free(step);
    return ok ? pm_check_say(check, true, "%d pictures%s", PM_CHECK_PICTURES, refused) : false;
}

static bool plan_again(PmCheck *check, PmCheckStep *step, const PmCheckPicture *picture, const PmPlan *plan)
{
    PmPlan again;
    if (pm_check_step_plan(step, &picture->shape, &again) != PM_OK || !same_plan(plan, &again))
        return pm_check_say(check, false, "%s: plan() answers differently the second time", picture->name);
    const char *fault = plan_fault(&check->loaded->transform, &picture->shape, plan);
    if (fault != NULL) return pm_check_say(check, false, "%s: plan() promises %s", picture->name, fault);
    return true;
}

static bool check_plan(PmCheck *check)
{
    return for_each_picture(check, plan_again);
}

/* The result of encode() as a picture, by the loader libvips finds for it. */
static VipsImage *load(const PmCheckResult *result, const PmShape *planned)
{
    VipsImage *image = vips_image_new_from_buffer(result->bytes, result->size, planned->pages > 1 ? "n=-1" : "", NULL);
    vips_error_clear();
    return image;
}

static bool hold(PmCheck *check, const char *name, const PmShape *planned, const PmShape *real, bool pixels)
{
    if (planned->width != real->width || planned->height != real->height || planned->pages != real->pages)
        return pm_check_say(check, false, "%s: promises %dx%d and %d pages, delivers %dx%d and %d pages", name,
                            planned->width, planned->height, planned->pages, real->width, real->height, real->pages);
    if (!pixels) return true;
    if (planned->bands != real->bands || planned->has_alpha != real->has_alpha)
        return pm_check_say(check, false, "%s: promises %d bands %s alpha, delivers %d bands %s alpha", name,
                            planned->bands, planned->has_alpha ? "with" : "without", real->bands,
                            real->has_alpha ? "with" : "without");
    if (planned->band_format != real->band_format)
        return pm_check_say(check, false, "%s: promises %s bands, delivers %s", name,
                            vips_enum_nick(VIPS_TYPE_BAND_FORMAT, planned->band_format),
                            vips_enum_nick(VIPS_TYPE_BAND_FORMAT, real->band_format));
    if (planned->has_profile != real->has_profile)
        return pm_check_say(check, false, "%s: promises %s ICC profile, delivers %s", name,
                            planned->has_profile ? "an" : "no", real->has_profile ? "one" : "none");
    return true;
}

static size_t picture_bytes(const VipsImage *image)
{
    return (size_t)image->Xsize * (size_t)image->Ysize * (size_t)image->Bands * vips_format_sizeof(image->BandFmt);
}

static bool same_result(const PmCheckResult *a, const PmCheckResult *b)
{
    if (a->image == NULL || b->image == NULL)
        return a->verdict.decision == b->verdict.decision && a->verdict.score == b->verdict.score &&
               a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
    size_t size = picture_bytes(a->image);
    return size == picture_bytes(b->image) &&
           memcmp(vips_image_get_data(a->image), vips_image_get_data(b->image), size) == 0;
}

static bool check_result(PmCheck *check, const PmCheckPicture *picture, const PmPlan *plan, const PmCheckResult *result)
{
    const PmTransform *t = &check->loaded->transform;
    if (t->inspect != NULL) {
        const PmVerdict *v = &result->verdict;
        if ((unsigned)v->decision > PM_REJECT)
            return pm_check_say(check, false, "%s: decides %d, which is no PmDecision", picture->name,
                                (int)v->decision);
        if (!(v->score >= 0 && v->score <= 1))
            return pm_check_say(check, false, "%s: gives a score of %g, outside of 0 to 1", picture->name, v->score);
        size_t length = strnlen(v->label, sizeof v->label);
        for (size_t i = 0; i < length; i++)
            if (v->label[i] < ' ' || v->label[i] > '~') length = sizeof v->label;
        return length < sizeof v->label ||
               pm_check_say(check, false, "%s: gives a label that is not short printable ASCII", picture->name);
    }
    if (t->apply != NULL) {
        PmShape real = pm_check_shape(result->image);
        if (!hold(check, picture->name, &plan->out, &real, true)) return false;
        PmCheckResult before = {.image = picture->image};
        return !(plan->flags & PM_NO_PIXELS) || same_result(&before, result) ||
               pm_check_say(check, false, "%s: declares PM_NO_PIXELS and changes pixels", picture->name);
    }
    if (result->size == 0) return pm_check_say(check, false, "%s: encode() writes nothing", picture->name);
    VipsImage *image = load(result, &plan->out);
    if (image == NULL) return true; /* a format this libvips does not read, which is not the plugin's fault */
    PmShape real = pm_check_shape(image), planned = plan->out;
    g_object_unref(image);
    if (plan->need_pages == 1) planned.pages = real.pages = 1;
    return hold(check, picture->name, &planned, &real, false);
}

static int complaints; /* what GLib and libvips complain about on the plugin's behalf */
static char complaint[200];

static void note_complaint(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data)
{
    (void)data;
    if (!(level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR))) return;
    if (complaints++ == 0) snprintf(complaint, sizeof complaint, "%s: %s", domain != NULL ? domain : "", message);
}

static bool run_once(PmCheck *check, PmCheckStep *step, const PmCheckPicture *picture, const PmPlan *plan)
{
    if (plan->flags & PM_SKIP) return true;
    PmCheckResult result;
    PmStatus status = pm_check_step_run(step, picture->image, &picture->shape, plan, &result);
    const char *broke = pm_check_step_broke(step);
    bool ok = true;
    if (broke != NULL)
        ok = pm_check_say(check, false, "%s: %s", picture->name, broke);
    else if (status == PM_OK)
        ok = check_result(check, picture, plan, &result);
    else if (status == PM_BUG || status == PM_BAD_CONFIG ||
             (check->loaded->transform.apply != NULL && status == PM_BAD_INPUT))
        ok = pm_check_say(check, false, "%s: fails after plan() agreed: %s", picture->name, pm_check_step_said(step));
    if (ok && complaints > 0) ok = pm_check_say(check, false, "%s: %s", picture->name, complaint);
    pm_check_result_finish(&result);
    return ok;
}

static bool check_shapes(PmCheck *check)
{
    g_log_set_default_handler(note_complaint, NULL);
    return for_each_picture(check, run_once);
}

static const char out_of_order[] = "reads rows out of order: set PM_RANDOM";

/* Runs the step on a picture that gives its rows once, and on the same picture in memory. Reading out of order does not
 * always fail: libvips may fill in black for what is gone, so the results are compared. *compared: it is done. */
static bool compare_sequential(PmCheck *check, PmCheckStep *step, bool jpeg, bool *compared)
{
    const char *name = jpeg ? "JPEG" : "PNG";
    PmCheckResult results[2] = {{0}, {0}};
    bool ok = true;
    *compared = true;
    for (int i = 0; i < 2 && ok && *compared; i++) {
        PmPlan plan;
        VipsImage *image = pm_check_tall(jpeg, i == 0);
        if (image == NULL) return pm_check_say(check, false, "cannot make a %s: %.300s", name, vips_error_buffer());
        PmShape shape = pm_check_shape(image);
        PmStatus status = pm_check_step_plan(step, &shape, &plan);
        bool refuses = status != PM_OK, runs = !refuses && !(plan.flags & (PM_RANDOM | PM_SKIP));
        if (runs) status = pm_check_step_run(step, image, &shape, &plan, &results[i]);
        /* Without pixels it did not fail over the order of rows. */
        if (runs && (plan.flags & PM_NO_PIXELS)) refuses |= status == PM_BAD_INPUT;
        *compared = runs && status == PM_OK;
        if (refuses)
            pm_check_say(check, true, "refuses tall pictures: %.200s", pm_check_step_said(step));
        else if (!runs)
            pm_check_say(check, true, plan.flags & PM_RANDOM ? "declares PM_RANDOM" : "skips");
        else if (!*compared && i == 0 && strstr(pm_check_step_said(step), "out of order") != NULL)
            ok = pm_check_say(check, false, "%s (%s: %.200s)", out_of_order, name, pm_check_step_said(step));
        else if (!*compared)
            ok = pm_check_say(check, false, "fails on a tall %s%s: %.300s", name,
                              i == 0 ? " that is read once, top to bottom" : "",
                              pm_check_step_broke(step) != NULL ? pm_check_step_broke(step) : pm_check_step_said(step));
        g_object_unref(image);
    }
    if (ok && *compared && !same_result(&results[0], &results[1]))
        ok = pm_check_say(check, false, "%s (a %s gives another result when it is read once, top to bottom)",
                          out_of_order, name);
    pm_check_result_finish(&results[0]);
    pm_check_result_finish(&results[1]);
    return ok;
}

static bool check_sequential(PmCheck *check)
{
    PmCheckStep *step = pm_check_make_step(check);
    bool ok = step != NULL, compared = true;
    for (int i = 0; i < 2 && ok && compared; i++) ok = compare_sequential(check, step, i == 0, &compared);
    pm_check_step_free(step);
    return ok && compared ? pm_check_say(check, true, "reads top to bottom") : ok;
}

const PmCheckEntry pm_check_rules[] = {
    {"handshake", check_handshake, true, false},
    {"documented", check_documented, false, false},
    {"create", check_create, true, false},
    {"plan", check_plan, false, true},
    {"outside", pm_check_outside, false, true},
    {"shapes", check_shapes, false, true},
    {"sequential", check_sequential, false, true},
    {"resample", pm_check_resample, false, true},
    {"leaks", pm_check_leaks, false, false},
    {"allocations", pm_check_allocations, false, false},
    {NULL, NULL, false, false},
};

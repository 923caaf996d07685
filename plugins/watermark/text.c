// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <math.h>
#include <string.h>

#include "../common/xml_escape.h"
#include "fonts.h"
#include "pixels.h"

enum {
    LINE_PX_MAX = 30000, /* cairo's surfaces end at 32,767 px */
    FIXED_SIZE = 256,    /* em of masks when the final size is not known at start */
    FACTS_SIZE = 96,     /* the same for text with facts, which may be TEXT_CHARACTERS_MAX wide ems long */
    SIZE_MIN = 8
};

/* What text with facts is drawn as: one font, whatever the script, and so one question to fontconfig, answered at
 * start. The language is none; with a real one Pango would ask again for each script. */
#define ONE_FONT "<span lang=\"xx\" fallback=\"false\">%s</span>"

/* Drawn at start in the same way, and last a character that no font has, for the box that it gets. */
static const char warm_up[] = "Ag0 \U0010FFFD";

/* Letters of any script, and their companions; none of the symbols that Pango draws as emoji, with another font. */
static bool drawable(gunichar c)
{
    GUnicodeScript script = g_unichar_get_script(c);
    if (script != G_UNICODE_SCRIPT_COMMON && script != G_UNICODE_SCRIPT_INHERITED) return true;
    return c < 0x2300 || (c >= 0x3000 && c <= 0x30ff && c != 0x3030 && c != 0x303d) || (c >= 0xff00 && c <= 0xffef);
}

/* Marks that turn the reading order around, and those that ask for emoji. */
static bool ignorable(gunichar c)
{
    return g_unichar_type(c) == G_UNICODE_FORMAT || (c >= 0xfe00 && c <= 0xfe0f);
}

/* New text without control characters; for text with facts, also without what would take another font. */
static char *cleaned(const char *text, bool facts)
{
    char *valid = g_utf8_make_valid(text, -1);
    GString *result = g_string_new(NULL);
    int count = 0;
    for (const char *p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (++count > TEXT_CHARACTERS_MAX) {
            g_string_append_unichar(result, 0x2026); /* ... */
            break;
        }
        if (c != '\n' && g_unichar_iscntrl(c)) c = ' ';
        if (facts && ignorable(c)) continue;
        if (facts && c != '\n' && !drawable(c)) c = '?';
        g_string_append_unichar(result, c);
    }
    g_free(valid);
    return g_string_free(result, FALSE);
}

int text_draw(const Face *face, const char *text, VipsImage **out)
{
    *out = NULL;
    bool visible = false;
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p))
        visible = visible || !g_unichar_isspace(g_utf8_get_char(p));
    if (!visible) return 0;

    char *escaped = xml_escape(text);
    char *markup = face->facts ? g_strdup_printf(ONE_FONT, escaped) : g_strdup(escaped);
    VipsImage *mask;
    int result = vips_text(&mask, markup, "font", face->spec, "align", face->align, "dpi", 72, NULL);
    g_free(markup);
    g_free(escaped);
    if (result) return -1;
    result = pixels_pull(mask, out);
    g_object_unref(mask);
    return result;
}

/* The longest line, in characters. */
static int longest_line(const char *text)
{
    int longest = 1, current = 0;
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        current = *p == '\n' ? 0 : current + 1;
        longest = VIPS_MAX(longest, current);
    }
    return longest;
}

static bool has_facts(const char *text)
{
    return strpbrk(text, "{}") != NULL;
}

/* The em at which masks are drawn: the final size when that is known, so that nothing is resampled. */
static int master_size(const Config *config, bool facts)
{
    int most = VIPS_MAX(LINE_PX_MAX / (facts ? TEXT_CHARACTERS_MAX : longest_line(config->text)), SIZE_MIN);
    bool known = !config->size.percent && config->scale == 0;
    double wanted = known ? config->size.value : facts ? FACTS_SIZE : FIXED_SIZE;
    return (int)lround(VIPS_CLIP(SIZE_MIN, wanted, most));
}

/* A trailing number would be read as the size by Pango. */
static bool ends_with_size(const char *font)
{
    const char *last = strrchr(font, ' ');
    last = last == NULL ? font : last + 1;
    char *end;
    g_ascii_strtod(last, &end);
    return end != last && (*end == '\0' || !strcmp(end, "px"));
}

static PmStatus draw_first(const PmHost *host, PmJob *job, const Config *config, Face *face)
{
    VipsImage *mask = NULL;
    char *text = face->facts ? g_strdup(warm_up) : cleaned(config->text, false);
    int result = text_draw(face, text, &mask);
    g_free(text);
    if (result) {
        PmStatus status =
            host->fail_param(job, "text", "no font could draw it (is any font installed? fonts-dejavu-core is one)");
        vips_error_clear();
        return status;
    }
    if (face->facts) {
        g_object_unref(mask);
        return PM_OK;
    }
    if (mask == NULL) return host->fail_param(job, "text", "there is nothing to see in it");
    face->fixed = mask;
    return PM_OK;
}

PmStatus text_open(const PmHost *host, PmJob *job, const Config *config, Face *face)
{
    static const VipsAlign aligns[] = {VIPS_ALIGN_LOW, VIPS_ALIGN_CENTRE, VIPS_ALIGN_HIGH};
    if (vips_type_find("VipsOperation", "text") == 0)
        return host->fail_param(job, "text", "this libvips was built without Pango and can't draw text; use image");
    if (ends_with_size(config->font))
        return host->fail_param(job, "font",
                                "\"%s\" ends in a number: the size belongs in size (end a family name that has "
                                "a number with a comma)",
                                config->font);
    if (g_utf8_strlen(config->text, -1) > TEXT_CHARACTERS_MAX)
        return host->fail_param(job, "text", "longer than %d characters", (int)TEXT_CHARACTERS_MAX);

    face->facts = has_facts(config->text);
    if (!fonts_use(config->font, face->facts ? NULL : config->text))
        return host->fail_param(job, "font",
                                "too many different fonts for a pipeline with {facts} in a text: use fewer, or the "
                                "same in several places");
    face->config = config;
    face->size = master_size(config, face->facts);
    face->spec = g_strdup_printf("%s %dpx", config->font, face->size);
    face->align = aligns[config->align];
    return draw_first(host, job, config, face);
}

void text_close(Face *face)
{
    if (face->config != NULL) fonts_release(face->config->font, face->facts ? NULL : face->config->text);
    g_clear_object(&face->fixed);
    g_clear_pointer(&face->spec, g_free);
}

PmStatus text_of(const PmHost *host, PmJob *job, const Face *face, char **text)
{
    if (!face->facts) {
        *text = g_strdup(face->config->text);
        return PM_OK;
    }
    const char *expanded = host->expand(job, face->config->text);
    if (expanded == NULL) return host->fail(job, PM_BAD_INPUT, "the facts of its text are not known for this image");
    *text = cleaned(expanded, true);
    return PM_OK;
}

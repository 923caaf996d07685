/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

enum { NAME_MAX_BYTES = 128 };

typedef struct Fact {
    char *name, *value;
} Fact;

struct PmFacts {
    Fact items[PM_FACTS_MAX];
    size_t count;
};

#define WORD_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"
#define EVERYWHERE   (PM_FACT_KEY | PM_FACT_WHEN | PM_FACT_PLUGIN)

static const char *const source_formats[] = {"jpeg", "png", "webp", "gif", "tiff", "avif",
                                             "heif", "jxl", "svg",  "pdf", NULL};
static const char *const shapes[] = {"landscape", "portrait", "square", NULL};
static const char *const colorspaces[] = {"rgb", "gray", "cmyk", "lab", "other", NULL};
static const char *const truths[] = {"true", "false", NULL};
static const char *const decisions[] = {"pass", "flag", "reject", NULL};

const PmFactInfo pm_fact_table[] = {
    {"key", EVERYWHERE, "The source's whole key or path: incoming/2026/cat.final.JPG.", .also = "path filepath object"},
    {"bucket", PM_FACT_KEY, "The source's bucket; for a folder, its name.", .also = "container"},
    {"dir", EVERYWHERE, "The key up to its last slash: incoming/2026. May be empty.",
     .also = "directory dirname folder prefix parent"},
    {"name", EVERYWHERE, "The key after its last slash: cat.final.JPG.", .never = "/",
     .also = "filename file_name file original basename"},
    {"stem", EVERYWHERE, "The name without its ending: cat.final.", .never = "/", .also = "base root title"},
    {"source_ext", EVERYWHERE | PM_FACT_LOWER, "The name's ending in lower case, as uploaded: jpg.", .never = "./",
     .also = "source_extension original_ext"},
    {"ext", PM_FACT_KEY, "The ending that fits what was really written: webp.", .also = "extension suffix ending"},
    {"output", PM_FACT_KEY | PM_FACT_PLUGIN, "The output's name: thumb.", .also = "rendition variant size_name"},
    {"format", EVERYWHERE, "jpeg, png, webp, ...: of the source in `when`, of the rendition in keys.",
     .choices = source_formats, .also = "type mime mimetype mime_type content_type"},
    {"width", EVERYWHERE | PM_FACT_NUMBER, "Pixels, upright: of the source in `when`, of the rendition in keys.",
     .min = 1, .also = "w x"},
    {"height", EVERYWHERE | PM_FACT_NUMBER, "Pixels of one page, upright: as width.", .min = 1, .also = "h y"},
    {"shape", EVERYWHERE | PM_FACT_SOURCE, "landscape, portrait or square: of the source as it is seen, also in keys.",
     .choices = shapes, .also = "layout format_class"},
    {"aspect", PM_FACT_WHEN | PM_FACT_PLUGIN | PM_FACT_NUMBER | PM_FACT_FRACTION,
     "Width by height of the source as it is seen: 1.778 is 16:9.", .also = "ratio aspect_ratio"},
    {"megapixels", PM_FACT_WHEN | PM_FACT_PLUGIN | PM_FACT_NUMBER | PM_FACT_FRACTION,
     "Millions of pixels of one page of the source.", .also = "mpx pixels mp resolution"},
    {"animated", EVERYWHERE | PM_FACT_SOURCE,
     "true when the source is an animation, also in keys. The pages of a document are none.", .choices = truths,
     .also = "animation is_animated"},
    {"pages", EVERYWHERE | PM_FACT_NUMBER, "Frames of an animation, pages of a document; 1 for a still.", .min = 1,
     .also = "frames n_pages page_count"},
    {"colorspace", EVERYWHERE | PM_FACT_SOURCE,
     "How the source stores its colours, before pixmill converts them: rgb (also with a palette), gray, cmyk, lab or "
     "other. Also in keys.",
     .choices = colorspaces, .also = "color_space colourspace colour_space color_model colormode mode interpretation"},
    {"camera", EVERYWHERE | PM_FACT_SOURCE | PM_FACT_LOWER,
     "Maker and model by the source's EXIF, as one word of a-z, 0-9 and -: canon-eos-5d. unknown where EXIF has none.",
     .never = "/.", .letters = WORD_LETTERS, .also = "model make device maker"},
    {"taken", EVERYWHERE | PM_FACT_SOURCE | PM_FACT_LOWER,
     "Day that the picture was taken by the source's EXIF: 2026-11-23. unknown where EXIF has none.", .never = "/.",
     .letters = WORD_LETTERS, .also = "taken_at capture_date datetime datetimeoriginal shot"},
    {"taken_year", EVERYWHERE | PM_FACT_SOURCE | PM_FACT_LOWER, "2026, or unknown.", .never = "/.",
     .letters = WORD_LETTERS},
    {"taken_month", EVERYWHERE | PM_FACT_SOURCE | PM_FACT_LOWER, "11, or unknown.", .never = "/.",
     .letters = WORD_LETTERS},
    {"has_alpha", PM_FACT_WHEN | PM_FACT_PLUGIN, "true when the source has transparency.", .choices = truths,
     .also = "alpha transparent transparency"},
    {"has_profile", PM_FACT_WHEN | PM_FACT_PLUGIN, "true when the source carries an ICC profile.", .choices = truths,
     .also = "icc profile has_icc"},
    {"orientation", PM_FACT_WHEN | PM_FACT_PLUGIN | PM_FACT_NUMBER,
     "The EXIF orientation that the source carried, 1 to 8; already applied.", .min = 1, .max = 8,
     .also = "exif_orientation rotation"},
    {"file_size", EVERYWHERE | PM_FACT_NUMBER, "Bytes of the source.", .min = 1, .also = "size bytes length filesize"},
    {"etag", PM_FACT_KEY, "The source's ETag; for a file, one made of its time and size.", .also = "version id uuid"},
    {"sha256", PM_FACT_KEY, "SHA-256 of the source, in hex.", .also = "hash digest md5 sha sha1 checksum"},
    {"date", PM_FACT_KEY | PM_FACT_PLUGIN, "Day of the event, UTC: 2026-11-23.", .also = "today timestamp time now"},
    {"year", PM_FACT_KEY | PM_FACT_PLUGIN, "2026", .also = "yyyy"},
    {"month", PM_FACT_KEY | PM_FACT_PLUGIN, "11", .also = "mm"},
    {"day", PM_FACT_KEY | PM_FACT_PLUGIN, "23", .also = "dd"},
    {"hour", PM_FACT_KEY | PM_FACT_PLUGIN, "06", .also = "hh"},
    {.name = NULL},
};

/* What every inspector sets beside facts of its own. */
static const PmFactInfo verdict_facts[] = {
    {"decision", PM_FACT_WHEN, "pass, flag or reject.", .choices = decisions},
    {"score", PM_FACT_WHEN | PM_FACT_NUMBER | PM_FACT_FRACTION, "0 to 1.", .max = 1},
    {.name = NULL},
};

static const PmFactInfo *find_info(const PmFactInfo *info, const char *name)
{
    for (; info->name != NULL; info++)
        if (strcmp(info->name, name) == 0) return info;
    return NULL;
}

const PmFactInfo *pm_fact_info(const char *name)
{
    return find_info(pm_fact_table, name);
}

const PmFactInfo *pm_fact_of_verdict(const char *name)
{
    return find_info(verdict_facts, name);
}

bool pm_fact_from_worker(const char *name, const char *value)
{
    if (strchr(name, '.') != NULL) return true;
    const PmFactInfo *info = pm_fact_info(name);
    if (info == NULL || (info->flags & PM_FACT_SOURCE) == 0) return false;
    if (info->letters == NULL) return pm_text_is_one_of(value, info->choices);
    size_t n = strlen(value);
    return n > 0 && n <= PM_FACT_WORD_MAX && value[strspn(value, info->letters)] == '\0';
}

const char *pm_fact_also(const char *word)
{
    size_t n = strlen(word);
    if (n == 0 || strchr(word, ' ') != NULL) return NULL;
    for (const PmFactInfo *info = pm_fact_table; info->name != NULL; info++)
        for (const char *p = info->also; p != NULL && (p = strstr(p, word)) != NULL; p += n)
            if ((p == info->also || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0')) return info->name;
    return NULL;
}

PmFacts *pm_facts_new(void)
{
    return calloc(1, sizeof(PmFacts));
}

PmFacts *pm_facts_copy(const PmFacts *facts)
{
    PmFacts *copy = pm_facts_new();
    for (size_t i = 0; copy != NULL && facts != NULL && i < facts->count; i++)
        if (!pm_facts_set(copy, facts->items[i].name, facts->items[i].value)) {
            pm_facts_free(copy);
            return NULL;
        }
    return copy;
}

void pm_facts_free(PmFacts *facts)
{
    if (facts == NULL) return;
    for (size_t i = 0; i < facts->count; i++) {
        free(facts->items[i].name);
        free(facts->items[i].value);
    }
    free(facts);
}

static Fact *find(const PmFacts *facts, const char *name)
{
    for (size_t i = 0; i < facts->count; i++)
        if (strcmp(facts->items[i].name, name) == 0) return (Fact *)&facts->items[i];
    return NULL;
}

bool pm_fact_fits(const char *value)
{
    size_t n = strlen(value);
    return n <= PM_FACT_VALUE_MAX && pm_text_is_utf8(value, n);
}

bool pm_facts_set(PmFacts *facts, const char *name, const char *value)
{
    Fact *fact = find(facts, name);
    if (value == NULL) {
        if (fact == NULL) return true;
        free(fact->name);
        free(fact->value);
        *fact = facts->items[--facts->count];
        return true;
    }
    size_t name_size = strlen(name);
    if (!pm_fact_fits(value)) return false;
    if (name_size == 0 || name_size > NAME_MAX_BYTES || !pm_text_is_utf8(name, name_size)) return false;
    if (fact == NULL && facts->count == PM_FACTS_MAX) return false;
    char *copy = strdup(value), *own = fact == NULL ? strdup(name) : NULL;
    if (copy == NULL || (fact == NULL && own == NULL)) {
        free(copy);
        free(own);
        return false;
    }
    if (fact == NULL) {
        facts->items[facts->count++] = (Fact){own, copy};
        return true;
    }
    free(fact->value);
    fact->value = copy;
    return true;
}

bool pm_facts_setf(PmFacts *facts, const char *name, const char *fmt, ...)
{
    char value[PM_FACT_VALUE_MAX + 2];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    return n >= 0 && (size_t)n < sizeof value && pm_facts_set(facts, name, value);
}

const char *pm_facts_get(const PmFacts *facts, const char *name)
{
    const Fact *fact = facts != NULL ? find(facts, name) : NULL;
    return fact != NULL ? fact->value : NULL;
}

json_t *pm_facts_to_json(const PmFacts *facts)
{
    json_t *object = json_object();
    bool ok = object != NULL;
    for (size_t i = 0; ok && facts != NULL && i < facts->count; i++)
        ok = json_object_set_new(object, facts->items[i].name, json_string(facts->items[i].value)) == 0;
    if (ok) return object;
    json_decref(object);
    return NULL;
}

bool pm_facts_add_json(PmFacts *facts, const json_t *object)
{
    bool ok = true;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value) /* jansson iterates without changing */
    {
        const char *text = json_string_value(value);
        /* A text with a NUL inside would be cut, and mean something else. */
        bool whole = text != NULL && strlen(text) == json_string_length(value);
        ok = whole && pm_facts_set(facts, name, text) && ok;
    }
    return ok;
}

bool pm_facts_set_key(PmFacts *facts, const char *key)
{
    char lower[64];
    const char *slash = strrchr(key, '/');
    const char *name = slash != NULL ? slash + 1 : key;
    const char *dot = strrchr(name, '.');
    if (dot == name) dot = NULL; /* ".profile" is all stem */
    pm_text_copy(lower, sizeof lower, dot != NULL ? dot + 1 : "");
    for (char *p = lower; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p - 'A' + 'a');
    return pm_facts_set(facts, "key", key) && pm_facts_set(facts, "name", name) &&
           pm_facts_set(facts, "source_ext", lower) &&
           pm_facts_setf(facts, "dir", "%.*s", slash != NULL ? (int)(slash - key) : 0, key) &&
           pm_facts_setf(facts, "stem", "%.*s", (int)(dot != NULL ? (size_t)(dot - name) : strlen(name)), name);
}

bool pm_facts_set_date(PmFacts *facts, long long wall_ms)
{
    static const struct {
        const char *name, *format;
    } parts[] = {{"date", "%Y-%m-%d"}, {"year", "%Y"}, {"month", "%m"}, {"day", "%d"}, {"hour", "%H"}};
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    bool ok = true;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char text[32];
        strftime(text, sizeof text, parts[i].format, &tm);
        ok = pm_facts_set(facts, parts[i].name, text) && ok;
    }
    return ok;
}

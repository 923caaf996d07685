/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/overlaps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/file/location.h"
#include "session/check.h"

/* One rendition to come. */
typedef struct Rendition {
    uint64_t hash; /* of its location, as far as it is known */
    uint32_t file; /* in the listing */
    uint16_t output;
    bool doubtful; /* what is not known yet could still tell it apart from others */
} Rendition;

typedef struct Search {
    const PmPipeline *pipeline;
    const PmListing *listing;
    const char *const *outputs;
    PmErrorList *errors;
    Rendition *items; /* owned */
    size_t count;
    json_t **plans;           /* owned; by file, NULL where not planned; {output: {fact: value}} */
    const PmObject **suspect; /* owned; to be planned */
    size_t *suspect_file;     /* owned; their places in the listing */
    size_t suspect_count;
} Search;

static uint64_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) h = (h ^ *p) * 0x100000001b3ULL;
    return h;
}

static bool wanted(const Search *search, const char *output)
{
    if (search->outputs == NULL || search->outputs[0] == NULL) return true;
    for (const char *const *name = search->outputs; *name != NULL; name++)
        if (strcmp(*name, output) == 0) return true;
    return false;
}

/* --- locations --- */

/* What a plan tells; all else that is missing is known only when the image has been worked on. */
static bool is_planned(const char *fact)
{
    static const char *const planned[] = {"ext", "format", "width", "height", "pages", "shape", "animated"};
    for (size_t i = 0; i < sizeof planned / sizeof planned[0]; i++)
        if (strcmp(fact, planned[i]) == 0) return true;
    return false;
}

/* New; NULL when there is none. Facts that are missing stand in it by name; *doubtful: there are such, *hopeless: and
 * no plan will tell them. */
static char *locate(const Search *search, size_t file, size_t output, const json_t *planned, bool *doubtful,
                    bool *hopeless)
{
    const PmOutput *to = &search->pipeline->outputs[output];
    PmFacts *facts = pm_facts_new();
    const PmObject *object = &search->listing->items[file].object;
    char *location = NULL, *key = NULL;
    *doubtful = *hopeless = false;
    if (facts == NULL || !pm_object_facts(object, facts)) goto out;
    pm_facts_setf(facts, "file_size", "%lld", (long long)object->size);
    pm_facts_set(facts, "output", to->name);
    if (planned != NULL) pm_facts_add_json(facts, planned);
    const char *name;
    for (size_t i = 0; (name = pm_template_fact(to->to.key, i)) != NULL; i++) {
        if (pm_facts_get(facts, name) != NULL) continue;
        *doubtful = true;
        if (!is_planned(name)) *hopeless = true;
        pm_facts_setf(facts, name, "{%s}", name);
    }
    key = pm_template_expand(to->to.key, facts, NULL);
    if (key != NULL) location = pm_location_new(search->listing->out, key, true);
out:
    free(key);
    pm_facts_free(facts);
    return location;
}

/* --- folders that are read --- */

static void check_root(Search *search, const char *location)
{
    const char *root = pm_listing_root(search->listing, location);
    if (root == NULL) return;
    PmError err = {0};
    pm_error_set(&err, PM_BAD_CONFIG,
                 "renditions would be written into %s, which is read: the next run would take them "
                 "for sources",
                 root);
    pm_error_hint(&err, "choose another folder for --out");
    pm_error_list_add(search->errors, &err); /* each root once: the same message is not added again */
}

/* --- the same place twice --- */

static int by_hash(const void *a, const void *b)
{
    const Rendition *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    return x->output < y->output ? -1 : x->output > y->output;
}

static bool collect(Search *search)
{
    const PmListing *listing = search->listing;
    size_t room = listing->images * search->pipeline->output_count;
    search->items = calloc(room + 1, sizeof *search->items);
    if (search->items == NULL) return false;
    for (size_t file = 0; file < listing->count; file++) {
        if (listing->items[file].skipped[0] != '\0') continue;
        for (size_t output = 0; output < search->pipeline->output_count; output++) {
            const PmOutput *to = &search->pipeline->outputs[output];
            bool doubtful, hopeless;
            if (!wanted(search, to->name)) continue;
            char *location = locate(search, file, output, NULL, &doubtful, &hopeless);
            if (location == NULL) continue; /* the run reports why */
            check_root(search, location);
            if (!hopeless)
                search->items[search->count++] = (Rendition){.hash = hash(location),
                                                             .file = (uint32_t)file,
                                                             .output = (uint16_t)output,
                                                             .doubtful = doubtful || to->when != NULL};
            free(location);
        }
    }
    qsort(search->items, search->count, sizeof *search->items, by_hash);
    return true;
}

static bool same_file(const Search *search, const Rendition *a, const Rendition *b)
{
    const PmListed *x = &search->listing->items[a->file], *y = &search->listing->items[b->file];
    return x->device == y->device && x->inode == y->inode;
}

static void report(Search *search, const Rendition *a, const Rendition *b, const char *location)
{
    const PmListed *x = &search->listing->items[a->file], *y = &search->listing->items[b->file];
    const char *first = search->pipeline->outputs[a->output].name, *second = search->pipeline->outputs[b->output].name;
    PmError err = {0};
    if (a->file == b->file) {
        pm_error_set(&err, PM_BAD_CONFIG, "%.300s: outputs %s and %s would both be written to %.300s", x->object.path,
                     first, second, location);
        pm_error_hint(&err, "put {output} into the path");
    } else {
        pm_error_set(&err, PM_BAD_CONFIG, "%.200s and %.200s would both be written to %.300s", x->object.path,
                     y->object.path, location);
        pm_error_hint(&err, "put {source_ext}, {name} or {dir} into the path of outputs.%s", second);
    }
    pm_error_list_add(search->errors, &err);
}

static const json_t *planned_of(const Search *search, const Rendition *rendition)
{
    const json_t *plan = search->plans != NULL ? search->plans[rendition->file] : NULL;
    return json_object_get(plan, search->pipeline->outputs[rendition->output].name);
}

/* Tells of each rendition whose place one before it in [begin, end) has. */
static void compare(Search *search, size_t begin, size_t end)
{
    enum { GROUP_MAX = 1000 }; /* of one hash; more than that says the same */
    if (end - begin > GROUP_MAX) end = begin + GROUP_MAX;
    char **locations = calloc(end - begin, sizeof *locations);
    for (size_t i = begin; locations != NULL && i < end; i++) {
        const Rendition *one = &search->items[i];
        const json_t *planned = planned_of(search, one);
        bool doubtful, hopeless;
        if (one->doubtful && planned == NULL) continue; /* not made, or it cannot be told */
        locations[i - begin] = locate(search, one->file, one->output, planned, &doubtful, &hopeless);
        for (size_t k = begin; locations[i - begin] != NULL && !doubtful && k < i; k++) {
            const Rendition *other = &search->items[k];
            if (locations[k - begin] == NULL || strcmp(locations[k - begin], locations[i - begin]) != 0) continue;
            if (other->output == one->output && same_file(search, other, one)) continue;
            report(search, other, one, locations[i - begin]);
            break;
        }
    }
    for (size_t i = begin; locations != NULL && i < end; i++) free(locations[i - begin]);
    free(locations);
}

static size_t group_end(const Search *search, size_t begin)
{
    size_t end = begin + 1;
    while (end < search->count && search->items[end].hash == search->items[begin].hash) end++;
    return end;
}

/* --- plans of those that could meet --- */

static void add_suspect(Search *search, const Rendition *rendition, bool *known)
{
    if (!rendition->doubtful || known[rendition->file]) return;
    known[rendition->file] = true;
    search->suspect_file[search->suspect_count] = rendition->file;
    search->suspect[search->suspect_count++] = &search->listing->items[rendition->file].object;
}

static void on_planned(void *data, size_t i, const json_t *plan)
{
    Search *search = data;
    json_t *facts = json_object();
    static const char *const of_source[] = {"shape", "animated"};
    const json_t *outputs = json_object_get(plan, "outputs"),
                 *source = json_object_get(json_object_get(plan, "source"), "facts");
    for (size_t k = 0; k < json_array_size(outputs); k++) {
        const json_t *output = json_array_get(outputs, k), *encode = json_object_get(output, "encode");
        const json_t *shape = json_object_get(encode, "out");
        if (encode == NULL || json_object_get(output, "skipped") != NULL || json_object_get(output, "maybe") != NULL)
            continue;
        json_t *own = json_object();
        json_object_set(own, "ext", json_object_get(encode, "extension"));
        json_object_set(own, "format", json_object_get(encode, "format"));
        static const char *const numbers[] = {"width", "height", "pages"};
        for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
            json_object_set_new(
                own, numbers[n],
                json_sprintf("%lld", (long long)json_integer_value(json_object_get(shape, numbers[n]))));
        for (size_t n = 0; n < sizeof of_source / sizeof of_source[0]; n++)
            json_object_set(own, of_source[n], json_object_get(source, of_source[n]));
        const char *name = json_string_value(json_object_get(output, "name"));
        if (name != NULL)
            json_object_set_new(facts, name, own);
        else
            json_decref(own);
    }
    json_decref(search->plans[search->suspect_file[i]]);
    search->plans[search->suspect_file[i]] = facts;
}

static PmStatus plan_suspects(Search *search, const char *text, size_t size, const PmPoolOptions *pool, PmError *err)
{
    size_t files = search->listing->count;
    bool *known = calloc(files + 1, sizeof *known);
    search->plans = calloc(files + 1, sizeof *search->plans);
    search->suspect = calloc(files + 1, sizeof *search->suspect);
    search->suspect_file = calloc(files + 1, sizeof *search->suspect_file);
    if (known == NULL || search->plans == NULL || search->suspect == NULL || search->suspect_file == NULL) {
        free(known);
        return pm_error_set(err, PM_TRANSIENT, "out of memory");
    }
    for (size_t i = 0, end; i < search->count; i = end) {
        end = group_end(search, i);
        for (size_t k = i; end - i > 1 && k < end; k++) add_suspect(search, &search->items[k], known);
    }
    free(known);
    if (search->suspect_count == 0) return PM_OK;
    return pm_explain_files(search->pipeline, text, size, pool, search->suspect, search->suspect_count, on_planned,
                            search, err);
}

PmStatus pm_overlaps_find(const PmPipeline *pipeline, const char *text, size_t size, const PmPoolOptions *pool,
                          const PmListing *listing, const char *const *outputs, PmErrorList *errors, PmError *err)
{
    Search search = {.pipeline = pipeline, .listing = listing, .outputs = outputs, .errors = errors};
    PmStatus status = collect(&search) ? PM_OK : pm_error_set(err, PM_TRANSIENT, "out of memory");
    if (status == PM_OK && errors->count == 0) status = plan_suspects(&search, text, size, pool, err);
    for (size_t i = 0, end; status == PM_OK && i < search.count; i = end) {
        end = group_end(&search, i);
        if (end - i > 1) compare(&search, i, end);
    }
    for (size_t i = 0; search.plans != NULL && i < listing->count; i++) json_decref(search.plans[i]);
    free(search.plans);
    free(search.suspect);
    free(search.suspect_file);
    free(search.items);
    return status;
}

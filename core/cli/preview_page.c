/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/preview_page.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/embedded.h"
#include "cli/html.h"
#include "pipeline/sniff.h"

static void put(PmPreviewPage *page, const char *text)
{
    pm_buffer_adds(page->out, text);
}

static void put_text(PmPreviewPage *page, const char *text)
{
    pm_html_escape(page->out, text);
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static const json_t *named(const json_t *list, const char *key, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(text_at(json_array_get(list, i), key), name) == 0) return json_array_get(list, i);
    return NULL;
}

/* --- pictures --- */

static const PmPreviewPicture *picture_of(const PmPreviewPictures *pictures, const char *name)
{
    for (size_t i = 0; i < pictures->count; i++)
        if (pictures->items[i].bytes != NULL && strcmp(pictures->items[i].name, name) == 0) return &pictures->items[i];
    return NULL;
}

static const PmPreviewPicture *between(const PmPreviewPage *page, const PmPreviewFile *file, const PmOutput *output,
                                       size_t count)
{
    char name[24];
    int found = pm_preview_steps_find(page->steps, page->pipeline, output, count);
    snprintf(name, sizeof name, "s%d", found);
    return found >= 0 ? picture_of(&file->between, name) : NULL;
}

static bool browsers_show(const char *format)
{
    static const char *const shown[] = {"jpeg", "png", "webp", "gif", "avif", "svg", NULL};
    return pm_text_is_one_of(format, shown);
}

static void put_base64(PmPreviewPage *page, const void *bytes, size_t size)
{
    enum { CHUNK = 48 * 1024 }; /* a multiple of 3 */
    unsigned char *text = malloc(CHUNK / 3 * 4 + 1);
    for (size_t at = 0; text != NULL && at < size; at += CHUNK) {
        size_t n = size - at < CHUNK ? size - at : CHUNK;
        int length = EVP_EncodeBlock(text, (const unsigned char *)bytes + at, (int)n);
        if (!pm_buffer_add(page->out, text, (size_t)length)) break;
    }
    if (text == NULL) page->out->failed = true;
    free(text);
}

static void put_image(PmPreviewPage *page, const PmPreviewPicture *picture, const char *class, const char *alt)
{
    pm_buffer_addf(page->out, "<img class=\"%s\" width=\"%d\" height=\"%d\" alt=\"", class, (int)picture->width,
                   (int)picture->height);
    put_text(page, alt);
    pm_buffer_addf(page->out, "\" src=\"data:%s;base64,", pm_format_mime(pm_format_from_name(picture->format)));
    put_base64(page, picture->bytes, picture->size);
    put(page, "\">");
}

/* --- a step --- */

/* Milliseconds that a step took, for all outputs it ran for. */
static void put_time(PmPreviewPage *page, const PmPreviewFile *file, const char *step)
{
    const json_t *time = json_object_get(json_object_get(json_object_get(file->record, "timings"), "steps_us"), step);
    if (json_is_integer(time))
        pm_buffer_addf(page->out, "<span class=\"time\">%.1f ms%s</span>", (double)json_integer_value(time) / 1000,
                       page->pipeline->output_count > 1 ? " in all outputs" : "");
}

static void put_shape(PmPreviewPage *page, const json_t *shape)
{
    if (shape == NULL) return;
    pm_buffer_addf(page->out, "%lld × %lld", (long long)json_integer_value(json_object_get(shape, "width")),
                   (long long)json_integer_value(json_object_get(shape, "height")));
    long long pages = (long long)json_integer_value(json_object_get(shape, "pages"));
    if (pages > 1) pm_buffer_addf(page->out, ", %lld frames", pages);
}

static void put_step(PmPreviewPage *page, const PmPreviewFile *file, const PmStep *step, const json_t *planned,
                     const PmPreviewPicture *picture)
{
    const char *skipped = text_at(planned, "skipped");
    pm_buffer_addf(page->out, "<li class=\"step%s\"><a class=\"name\" href=\"#line-%d\">",
                   skipped[0] != '\0' ? " off" : "", step->line);
    put_text(page, step->name);
    put(page, "</a>");
    if (skipped[0] == '\0' && picture != NULL) put_image(page, picture, "small", step->name);
    put(page, "<span class=\"facts\">");
    if (skipped[0] != '\0') {
        put(page, "left out: ");
        put_text(page, skipped);
    } else {
        put_shape(page, json_object_get(planned, "out"));
    }
    put(page, "</span>");
    if (skipped[0] == '\0') put_time(page, file, step->name);
    put(page, "</li>\n");
}

/* The steps of the trunk or an output as they are drawn: a row with an arrow between each. */
static void put_steps(PmPreviewPage *page, const PmPreviewFile *file, const PmOutput *output, const json_t *planned)
{
    const PmStep *steps = output != NULL ? output->steps : page->pipeline->steps;
    size_t count = output != NULL ? output->step_count : page->pipeline->step_count;
    for (size_t i = 0; i < count; i++) {
        const json_t *plan = named(planned, "path", steps[i].path);
        if (output != NULL && plan == NULL && i + 1 == count) continue; /* what writes the file: the rendition */
        put_step(page, file, &steps[i], plan, between(page, file, output, i + 1));
    }
}

/* --- an output --- */

static void put_numbers(PmPreviewPage *page, const PmPreviewFile *file, const PmPreviewPicture *made)
{
    char bytes[32];
    pm_text_bytes(bytes, sizeof bytes, (long long)made->size);
    pm_buffer_addf(page->out, "<span class=\"facts\">%d × %d %s", (int)made->width, (int)made->height, made->format);
    if (made->pages > 1) pm_buffer_addf(page->out, ", %d frames", (int)made->pages);
    pm_buffer_addf(page->out, "</span><span class=\"bytes\">%s", bytes);
    if (file->size > 0)
        pm_buffer_addf(page->out, " (%.3g %% of the source)", 100.0 * (double)made->size / (double)file->size);
    put(page, "</span>");
}

/* Before and after, one over the other. A format that browsers do not show is shown as it was before it was written. */
static void put_rendition(PmPreviewPage *page, const PmPreviewFile *file, const PmOutput *output)
{
    const PmPreviewPicture *made = picture_of(&file->made, output->name), *source = between(page, file, NULL, 0);
    const json_t *not_made = json_object_get(json_object_get(file->record, "not_made"), output->name);
    put(page, "<div class=\"result\">");
    if (made == NULL) {
        put(page, "<p class=\"none\">not made");
        if (json_is_string(not_made)) {
            put(page, ": ");
            put_text(page, json_string_value(not_made));
        }
        put(page, "</p></div>\n");
        return;
    }
    if (!browsers_show(made->format)) {
        put(page, "<p class=\"none\">browsers do not show this format</p>");
    } else if (source != NULL) {
        put(page, "<div class=\"compare\" style=\"--at:50%\"><div class=\"after\">");
        put_image(page, made, "large", output->name);
        put(page, "</div><div class=\"before\">");
        put_image(page, source, "large", file->name);
        put(page, "</div><span class=\"tag left\">before</span><span class=\"tag right\">after</span>"
                  "<input type=\"range\" min=\"0\" max=\"100\" value=\"50\" aria-label=\"before and after\"></div>");
    } else {
        put_image(page, made, "large", output->name);
    }
    put(page, "<p>");
    put_numbers(page, file, made);
    put(page, "</p></div>\n");
}

static void put_output(PmPreviewPage *page, const PmPreviewFile *file, const PmOutput *output)
{
    const json_t *plan = named(json_object_get(file->plan, "outputs"), "name", output->name);
    const char *from = text_at(plan, "from");
    pm_buffer_addf(page->out, "<section class=\"output\"><h3><a href=\"#line-%d\">", output->line);
    put_text(page, output->name);
    put(page, "</a></h3>\n<ol class=\"steps\">");
    if (from[0] != '\0' && strcmp(from, "trunk") != 0) {
        put(page, "<li class=\"step from\"><span class=\"facts\">starts from the picture of ");
        put_text(page, from);
        put(page, "</span></li>");
    }
    put_steps(page, file, output, json_object_get(plan, "steps"));
    const json_t *encode = json_object_get(plan, "encode");
    if (encode != NULL) {
        put(page, "<li class=\"step\"><span class=\"name\">");
        put_text(page, text_at(encode, "step"));
        put(page, "</span><span class=\"facts\">");
        put_text(page, text_at(encode, "format"));
        put(page, "</span>");
        put_time(page, file, text_at(encode, "step"));
        put(page, "</li>");
    }
    put(page, "</ol>\n");
    put_rendition(page, file, output);
    put(page, "</section>\n");
}

/* --- a file --- */

static void note(PmPreviewPage *page, const json_t *json)
{
    PmError err;
    if (json == NULL) return;
    pm_error_from_json(json, &err);
    pm_error_list_add(&page->notes, &err);
}

static void put_said(PmPreviewPage *page, const char *class, const json_t *json)
{
    PmError err;
    char text[2000];
    if (json == NULL) return;
    pm_error_from_json(json, &err);
    pm_error_format(&err, text, sizeof text);
    pm_buffer_addf(page->out, "<p class=\"%s\">", class);
    put_text(page, text);
    put(page, "</p>\n");
}

static void put_source(PmPreviewPage *page, const PmPreviewFile *file)
{
    const PmPreviewPicture *source = between(page, file, NULL, 0);
    const json_t *of_plan = json_object_get(file->plan, "source");
    char bytes[32];
    pm_text_bytes(bytes, sizeof bytes, (long long)file->size);
    put(page, "<li class=\"step\"><span class=\"name\">source</span>");
    if (source != NULL) put_image(page, source, "small", file->name);
    put(page, "<span class=\"facts\">");
    put_shape(page, of_plan);
    put(page, " ");
    put_text(page, text_at(of_plan, "format"));
    pm_buffer_addf(page->out, "</span><span class=\"bytes\">%s</span></li>\n", bytes);
    const json_t *load = json_object_get(file->plan, "load");
    if (load == NULL) return;
    put(page, "<li class=\"step\"><span class=\"name\">decode</span><span class=\"facts\">");
    put_shape(page, json_object_get(load, "shape"));
    put(page, "<br>");
    put_text(page, text_at(load, "why"));
    put(page, "</span></li>\n");
}

static void put_facts(PmPreviewPage *page, const PmPreviewFile *file)
{
    const char *name;
    json_t *value;
    put(page, "<details><summary>Facts</summary><table>");
    json_object_foreach(json_object_get(file->record, "facts"), name, value)
    {
        put(page, "<tr><th>");
        put_text(page, name);
        put(page, "</th><td>");
        put_text(page, json_string_value(value));
        put(page, "</td></tr>");
    }
    put(page, "</table></details>\n");
}

void pm_preview_page_file(PmPreviewPage *page, const PmPreviewFile *file)
{
    put(page, "<article><h2>");
    put_text(page, file->name);
    pm_buffer_addf(page->out, "</h2>\n<p class=\"sum\">%s, %lld ms</p>\n",
                   file->record != NULL ? text_at(file->record, "status") : "not run",
                   (long long)json_integer_value(json_object_get(file->record, "ms")));
    const json_t *error = json_object_get(file->record, "error"), *warnings = json_object_get(file->record, "warnings");
    put_said(page, "error", error);
    note(page, error);
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        put_said(page, "warning", json_array_get(warnings, i));
        note(page, json_array_get(warnings, i));
    }
    put(page, "<ol class=\"steps trunk\">");
    put_source(page, file);
    put_steps(page, file, NULL, json_object_get(file->plan, "trunk"));
    put(page, "</ol>\n");
    for (size_t i = 0; i < page->pipeline->output_count; i++) put_output(page, file, &page->pipeline->outputs[i]);
    put_facts(page, file);
    put(page, "</article>\n");
}

/* --- the whole --- */

/* 'sha256-...' of a text, as a content security policy names a script. */
static void put_digest(PmPreviewPage *page, const PmEmbeddedFile *file)
{
    unsigned char digest[EVP_MAX_MD_SIZE], text[EVP_MAX_MD_SIZE * 2];
    unsigned int size = 0;
    if (EVP_Digest(file->bytes, file->size, digest, &size, EVP_sha256(), NULL) != 1) page->out->failed = true;
    EVP_EncodeBlock(text, digest, (int)size);
    pm_buffer_addf(page->out, "'sha256-%s'", (const char *)text);
}

void pm_preview_page_begin(PmPreviewPage *page)
{
    const PmEmbeddedFile *style = pm_embedded_find("preview.css"), *script = pm_embedded_find("preview.js");
    put(page, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta http-equiv=\""
              "Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
              "base-uri 'none'; form-action 'none'; script-src ");
    put_digest(page, script);
    put(page,
        "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" "
        "content=\"light dark\">\n<title>");
    put_text(page, page->pipeline->name);
    put(page, " - pixmill preview</title>\n<style>");
    pm_buffer_add(page->out, style->bytes, style->size);
    put(page, "</style></head>\n<body>\n<h1>");
    put_text(page, page->pipeline->name);
    put(page, "</h1>\n");
    if (page->steps->source_only)
        put(page,
            "<p class=\"warning\">The pictures between the steps are left out: a step asks an endpoint, and would ask "
            "it once for each.</p>\n");
    if (page->steps->cut)
        pm_buffer_addf(page->out, "<p class=\"warning\">Only the first %d pictures between steps are shown.</p>\n",
                       (int)PM_PREVIEW_PICTURES_MAX);
}

/* What was said of a line, below it. */
static void put_notes(PmPreviewPage *page, int line)
{
    for (size_t i = 0; i < page->notes.count; i++) {
        const PmError *err = &page->notes.items[i];
        if (err->line != line || strcmp(err->file, page->pipeline->file) != 0) continue;
        put(page, "<span class=\"note\">");
        put_text(page, err->message);
        if (err->hint[0] != '\0') put(page, " (");
        put_text(page, err->hint);
        put(page, err->hint[0] != '\0' ? ")</span>" : "</span>");
    }
}

void pm_preview_page_end(PmPreviewPage *page)
{
    const PmEmbeddedFile *script = pm_embedded_find("preview.js");
    put(page, "<h2>");
    put_text(page, page->pipeline->file);
    put(page, "</h2>\n<pre class=\"file\">");
    const char *p = page->text, *end = page->text + page->size;
    for (int line = 1; p < end; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((stop != NULL ? stop : end) - p);
        char *copy = strndup(p, n);
        pm_buffer_addf(page->out, "<span class=\"line\" id=\"line-%d\"><b>%4d</b> ", line, line);
        if (copy != NULL) put_text(page, copy);
        free(copy);
        put(page, "</span>");
        put_notes(page, line);
        put(page, "\n");
        p += n + 1;
    }
    put(page, "</pre>\n<script>");
    pm_buffer_add(page->out, script->bytes, script->size);
    put(page, "</script>\n</body></html>\n");
    pm_error_list_finish(&page->notes);
}

static void pictures_finish(PmPreviewPictures *pictures)
{
    for (size_t i = 0; i < pictures->count; i++) {
        free(pictures->items[i].name);
        free(pictures->items[i].bytes);
    }
    free(pictures->items);
}

void pm_preview_file_finish(PmPreviewFile *file)
{
    pictures_finish(&file->made);
    pictures_finish(&file->between);
    json_decref(file->record);
    json_decref(file->plan);
    *file = (PmPreviewFile){0};
}

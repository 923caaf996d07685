/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/explain_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"

enum { ADDRESS_MAX = 8192 };

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static long long number_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* "2048x1365 3 bands, 12 frames" */
static void shape_text(const json_t *shape, char *out, size_t size)
{
    long long pages = number_at(shape, "pages"), bands = number_at(shape, "bands");
    char frames[40] = "";
    const char *samples = text_at(shape, "samples");
    bool alpha = json_is_true(json_object_get(shape, "alpha"));
    if (pages > 1) snprintf(frames, sizeof frames, ", %lld frames", pages);
    snprintf(out, size, "%lldx%lld %s%s%s%s", number_at(shape, "width"), number_at(shape, "height"),
             bands - alpha == 1   ? "grey"
             : bands - alpha == 4 ? "CMYK"
                                  : "colour",
             alpha ? "+alpha" : "", strcmp(samples, "ushort") == 0 ? " 16-bit" : "", frames);
}

static void print_why(const json_t *object, const char *indent)
{
    if (text_at(object, "why")[0] != '\0') printf("%s%s\n", indent, text_at(object, "why"));
}

static void print_step(const json_t *step, const char *indent)
{
    char in[80], out[80], needs[64] = "";
    bool named = strcmp(text_at(step, "step"), text_at(step, "plugin")) != 0;
    printf("%s%-16s ", indent, text_at(step, "plugin"));
    if (text_at(step, "skipped")[0] != '\0') {
        printf("left out: %s\n", text_at(step, "skipped"));
        return;
    }
    const json_t *need = json_object_get(step, "need");
    shape_text(json_object_get(step, "in"), in, sizeof in);
    shape_text(json_object_get(step, "out"), out, sizeof out);
    if (number_at(need, "width") > 0)
        snprintf(needs, sizeof needs, "  needs %lldx%lld", number_at(need, "width"), number_at(need, "height"));
    if (strcmp(in, out) == 0)
        printf("%s", in);
    else
        printf("%s -> %s", in, out);
    if (text_at(step, "format")[0] != '\0') printf("  as %s", text_at(step, "format"));
    printf("%s%s%s  (line %lld)\n", needs, named ? "  named " : "", named ? text_at(step, "step") : "",
           number_at(step, "line"));
    char deeper[40];
    snprintf(deeper, sizeof deeper, "%s                   ", indent);
    print_why(step, deeper);
}

static void print_steps(const json_t *steps, const char *indent)
{
    for (size_t i = 0; i < json_array_size(steps); i++) print_step(json_array_get(steps, i), indent);
}

static void print_load(const json_t *load)
{
    char shape[80];
    shape_text(json_object_get(load, "shape"), shape, sizeof shape);
    printf("load      %s", text_at(load, "loader"));
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(load, "options"), name, value)
    {
        char *text = pm_json_text(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));
        printf(" %s=%s", name, text != NULL ? text : "?");
        free(text);
    }
    printf(" -> %s, %s\n", shape, text_at(load, "access"));
    print_why(load, "          ");
    const json_t *also = json_object_get(load, "also");
    for (size_t i = 0; i < json_array_size(also); i++)
        printf("          %s\n", json_string_value(json_array_get(also, i)));
}

static void print_output(const json_t *plan, const json_t *output, const PmChecked *checked)
{
    printf("output    %s\n", text_at(output, "name"));
    if (text_at(output, "skipped")[0] != '\0') {
        printf("          not made: %s\n", text_at(output, "skipped"));
        return;
    }
    if (text_at(output, "maybe")[0] != '\0') printf("          %s\n", text_at(output, "maybe"));
    bool copied = strcmp(text_at(output, "engine"), "copy") == 0;
    if (copied) printf("          copied: %s\n", text_at(output, "why"));
    if (text_at(output, "not_copied")[0] != '\0')
        printf("          not copied from the source: %s\n", text_at(output, "not_copied"));
    const char *from = text_at(output, "from");
    if (!copied && strcmp(from, "trunk") != 0) printf("          starts from %s's picture\n", from);
    bool one_pass = strcmp(text_at(output, "engine"), "one-pass") == 0;
    if (one_pass)
        printf("          scaled while the source is decoded, in one pass with all outputs\n");
    else if (!copied && strcmp(text_at(plan, "one_pass"), "off") != 0)
        printf("          scaled by libvips: %s\n", text_at(output, "not_one_pass"));
    print_steps(json_object_get(output, "steps"), "          ");
    print_step(json_object_get(output, "encode"), "          ");
    for (size_t i = 0; i < checked->pipeline->output_count; i++) {
        const PmOutput *known = &checked->pipeline->outputs[i];
        if (strcmp(known->name, text_at(output, "name")) != 0 || known->to.kind == NULL) continue;
        PmBuffer address;
        pm_buffer_init(&address, ADDRESS_MAX);
        known->to.kind->address(&known->to, pm_template_text(known->to.key), &address);
        if (!address.failed) printf("          to %s\n", address.data);
        pm_buffer_finish(&address);
    }
}

void pm_explain_print(const json_t *plan, const PmChecked *checked)
{
    const json_t *source = json_object_get(plan, "source"), *list = json_object_get(plan, "trunk");
    char shape[80], bytes[32];
    shape_text(source, shape, sizeof shape);
    printf("source    %s %s", text_at(source, "format"), shape);
    if (json_object_get(source, "bytes") != NULL) {
        pm_text_bytes(bytes, sizeof bytes, number_at(source, "bytes"));
        printf(", %s", bytes);
    }
    puts("");
    print_load(json_object_get(plan, "load"));
    if (json_array_size(list) > 0) puts("trunk     runs once, for all outputs");
    print_steps(list, "          ");
    list = json_object_get(plan, "outputs");
    for (size_t i = 0; i < json_array_size(list); i++) print_output(plan, json_array_get(list, i), checked);
    list = json_object_get(plan, "shared");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *shared = json_array_get(list, i);
        shape_text(json_object_get(shared, "shape"), shape, sizeof shape);
        pm_text_bytes(bytes, sizeof bytes, number_at(shared, "bytes"));
        printf("shared    %s: %s, %s\n          %s\n", text_at(shared, "what"), shape, bytes, text_at(shared, "why"));
    }
    pm_text_bytes(bytes, sizeof bytes, number_at(plan, "memory_bytes"));
    printf("memory    about %s for pixels held at the same time\n", bytes);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/picture_element.h"
#include "cli/print.h"

enum { RECORDS_MAX = 64 * 1024 * 1024, ELEMENT_MAX = 1024 * 1024 };

static const PmCommandOption options[] = {
    {"matrix", "NAME", "The output whose `for` made the renditions; the first by default.", 0},
    {"from", "PREFIX", "What locations begin with and URLs do not; the bucket, or the folder all lie in, by default.",
     0},
    {"url", "URL", "What URLs begin with instead; nothing by default.", 0},
    {"sizes", "SIZES", "How wide the picture is shown; 100vw by default.", 0},
    {"alt", "TEXT", "What the picture shows, in words; nothing by default.", 0},
    {NULL, NULL, NULL, 0},
};

static bool read_all(const char *path, PmBuffer *text)
{
    bool standard = strcmp(path, "-") == 0;
    errno = 0;
    FILE *stream = standard ? stdin : fopen(path, "re");
    char chunk[64 * 1024];
    size_t n;
    if (stream != NULL)
        while ((n = fread(chunk, 1, sizeof chunk, stream)) > 0 && pm_buffer_add(text, chunk, n)) {
        }
    int failed = errno;
    bool good = stream != NULL && ferror(stream) == 0 && !text->failed;
    if (stream != NULL && !standard) fclose(stream);
    if (!good) pm_cli_usage(NULL, "%s: %s", path, text->failed ? "more than 64 MiB" : strerror(failed));
    return good;
}

/* apply's object, a list, or records one after the other. */
static void add_records(json_t *records, json_t *value)
{
    const json_t *list = json_is_array(value) ? value : json_object_get(value, "results");
    if (list == NULL) json_array_append(records, value);
    for (size_t i = 0; i < json_array_size(list); i++) json_array_append(records, json_array_get(list, i));
}

/* New; NULL after an error was printed. */
static json_t *parse(const char *path, const PmBuffer *text)
{
    json_t *records = json_array();
    size_t at = 0;
    while (at < text->size && strspn(text->data + at, " \t\r\n") < text->size - at) {
        json_error_t why;
        json_t *value = json_loadb(text->data + at, text->size - at, JSON_DISABLE_EOF_CHECK, &why);
        if (value == NULL) {
            json_decref(records);
            pm_cli_usage("give what `pixmill apply --json` or `pixmill run --json` prints, or a record of notify",
                         "%s is not JSON: %s", path, why.text);
            return NULL;
        }
        at += (size_t)why.position;
        add_records(records, value);
        json_decref(value);
    }
    return records;
}

/* Prints the element of each source; false when one has none. */
static bool print_elements(const json_t *records, const PmPictureOptions *request)
{
    bool good = true;
    for (size_t i = 0; i < json_array_size(records); i++) {
        PmBuffer element;
        PmError err = {0};
        pm_buffer_init(&element, ELEMENT_MAX);
        if (pm_picture_element(json_array_get(records, i), request, &element, &err) == PM_OK)
            printf("%s%s", i > 0 ? "\n" : "", element.data);
        else
            pm_print_error(&err);
        good = good && err.status == PM_OK;
        pm_buffer_finish(&element);
    }
    return good;
}

static int run(const PmArguments *arguments)
{
    const char *path = arguments->count > 0 ? arguments->values[0] : "-";
    PmPictureOptions request = {.matrix = pm_arguments_get(arguments, "matrix"),
                                .from = pm_arguments_get(arguments, "from"),
                                .url = pm_arguments_get(arguments, "url"),
                                .sizes = pm_arguments_get(arguments, "sizes"),
                                .alt = pm_arguments_get(arguments, "alt")};
    PmBuffer text;
    pm_buffer_init(&text, RECORDS_MAX);
    json_t *records = read_all(path, &text) ? parse(path, &text) : NULL;
    int code = PM_EXIT_USAGE;
    if (records != NULL && json_array_size(records) == 0)
        pm_cli_usage("give what `pixmill apply --json` prints", "%s holds no record", path);
    else if (records != NULL)
        code = print_elements(records, &request) ? PM_EXIT_FINE : PM_EXIT_FAILED;
    json_decref(records);
    pm_buffer_finish(&text);
    return code;
}

const PmCommand pm_command_srcset = {
    .name = "srcset",
    .usage = "[RECORDS] [--sizes SIZES] [--alt TEXT] [--url URL]",
    .summary = "Print an HTML <picture> for the renditions that were made.",
    .text =
        "RECORDS is what `apply --json` or `run --json` prints, or a record that `notify` wrote; standard input by\n"
        "default. Each source gives one <picture>: a <source> for each type but the last, smallest types first, and "
        "an\n"
        "<img> with width and height.\n"
        "\n"
        "Examples:\n"
        "  pixmill apply photos.yaml cat.jpg -o out --json | pixmill srcset --url /img --alt 'A cat'\n"
        "  pixmill srcset record.json --matrix hero --sizes '(max-width: 40em) 100vw, 40em' \\\n"
        "    --from s3://renditions/ --url https://cdn.example.com",
    .options = options,
    .most = 1,
    .run = run,
};

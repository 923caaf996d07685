/* SPDX-License-Identifier: Apache-2.0
 *
 * The page of `preview`: one HTML file that holds all its pictures and asks for nothing. Hides its markup. Every text
 * that a picture, a file's name or the pipeline brought is escaped, and a content security policy lets no script run
 * but the page's own.
 */
#ifndef PM_CLI_PREVIEW_PAGE_H
#define PM_CLI_PREVIEW_PAGE_H

#include "cli/preview_steps.h"

/* A picture that came out of a worker, or the source. */
typedef struct PmPreviewPicture {
    char *name;  /* owned; the output's */
    char *bytes; /* owned; NULL: none came */
    size_t size;
    char format[16];
    int32_t width, height, pages;
} PmPreviewPicture;

typedef struct PmPreviewPictures {
    PmPreviewPicture *items; /* owned */
    size_t count;
} PmPreviewPictures;

/* What is known of one file. */
typedef struct PmPreviewFile {
    const char *name;
    size_t size;                     /* bytes */
    PmPreviewPictures made, between; /* the renditions; the pictures between the steps */
    json_t *record;                  /* owned; of the run: see connectors/record.h; NULL: none */
    json_t *plan;                    /* owned; as `explain --json` has it; NULL: none */
} PmPreviewFile;

/* A page that is being written to `out`. */
typedef struct PmPreviewPage {
    const PmPipeline *pipeline;
    const PmPreviewSteps *steps;
    const char *text; /* of the pipeline file */
    size_t size;
    PmErrorList notes; /* warnings and errors, shown at their lines; the page's own */
    PmBuffer *out;
} PmPreviewPage;

void pm_preview_page_begin(PmPreviewPage *page);
void pm_preview_page_file(PmPreviewPage *page, const PmPreviewFile *file);
/* Ends with the pipeline file, what was said of it at its lines. */
void pm_preview_page_end(PmPreviewPage *page);

void pm_preview_file_finish(PmPreviewFile *file);

#endif

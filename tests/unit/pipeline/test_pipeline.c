/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline.h"

#include <sys/stat.h>
#include <unistd.h>

#include "connectors/aws/settings.h"
#include "connectors/connector.h"
#include "connectors/file/settings.h"
#include "reading.h"

/* The least that is a pipeline; what a test is about comes before it. */
#define OUTPUT "outputs: { o: { to: { file: { path: \"out/{stem}.{ext}\" } } } }\n"
#define LEAST  "version: 1\n" OUTPUT

/* Their names stand in messages: a connector more changes none of these tests. */
static const PmKind *const kinds_here[] = {&pm_kind_directory, &pm_kind_file,   &pm_kind_s3,
                                           &pm_kind_sqs,       &pm_kind_lambda, NULL};

static PmPipeline *read_as(const char *yaml, const PmKind *const *kinds, PmErrorList *errors)
{
    return pm_pipeline_read("dir/photos.yaml", "/srv/pipes", yaml, strlen(yaml), kinds, test_env, NULL, errors);
}

static PmPipeline *read_good(const char *yaml)
{
    PmErrorList errors = {0};
    PmPipeline *p = read_as(yaml, kinds_here, &errors);
    if (errors.count > 0) fail_msg("%s\n%s", yaml, errors_text(&errors));
    assert_non_null(p);
    return p;
}

static void expect(const char *yaml, const char *expected)
{
    PmErrorList errors = {0};
    PmPipeline *p = read_as(yaml, kinds_here, &errors);
    assert_string_equal(errors_text(&errors), expected);
    pm_pipeline_free(p);
    pm_error_list_finish(&errors);
}

/* The sample of the design, word for word but for its comments. */
static const char sample[] =
    "version: 1\n"
    "name: photos\n"
    "trigger:\n"
    "  sqs: { queue_url: \"${QUEUE_URL}\" }\n"
    "source:\n"
    "  s3: { buckets: [uploads-prod], prefix: incoming/ }\n"
    "limits: { file_size: 50MiB, pixels: 50M, frames: 256, wall_time: 15s, memory: 512MiB }\n"
    "steps:\n"
    "  - nsfw-hook: { mode: stub, threshold: 0.8 }\n"
    "    on_reject: quarantine\n"
    "  - strip-metadata: { keep: [icc, copyright] }\n"
    "outputs:\n"
    "  large:\n"
    "    steps:\n"
    "      - resize: { width: 2048, fit: inside, enlarge: false }\n"
    "      - watermark: { image: logo.png, gravity: south-east, opacity: 0.6, scale: 0.15 }\n"
    "      - convert: { format: jpeg, quality: 82 }\n"
    "    to:\n"
    "      s3: { bucket: \"${DEST_BUCKET}\", key: \"processed/{dir}/{stem}_large.{ext}\" }\n"
    "  thumb:\n"
    "    when: { width: \">=64\" }\n"
    "    steps:\n"
    "      - resize: { width: 300, height: 300, fit: cover, gravity: attention }\n"
    "      - convert: { format: webp, quality: 80 }\n"
    "    to:\n"
    "      s3: { bucket: \"${DEST_BUCKET}\", key: \"processed/{dir}/{stem}_thumb.{ext}\", cache_control: \"public, "
    "max-age=31536000\" }\n";

static void sample_reads(void **state)
{
    (void)state;
    PmPipeline *p = read_good(sample);
    assert_string_equal(p->name, "photos");
    assert_string_equal(p->file, "dir/photos.yaml");
    assert_string_equal(p->dir, "/srv/pipes");
    assert_ptr_equal(p->trigger.kind, &pm_kind_sqs);
    assert_string_equal(((const PmSqsTrigger *)p->trigger.config)->queue_url, test_env(NULL, "QUEUE_URL"));
    const PmS3Source *source = p->source.config;
    assert_ptr_equal(p->source.kind, &pm_kind_s3);
    assert_string_equal(source->buckets.items[0], "uploads-prod");
    assert_string_equal(source->prefix, "incoming/");
    assert_int_equal(p->step_count, 2);
    const PmStep *hook = &p->steps[0];
    assert_string_equal(hook->plugin, "nsfw-hook");
    assert_string_equal(hook->path, "steps[0]");
    assert_string_equal(hook->where, "steps: nsfw-hook");
    assert_true(hook->has_on_reject);
    assert_int_equal(hook->on_reject, PM_ON_REJECT_QUARANTINE);
    assert_int_equal(hook->line, 9);
    assert_int_equal(hook->column, 5);
    assert_string_equal(pm_node_get(hook->params, "mode")->text, "stub");
    assert_false(p->steps[1].has_on_reject);
    assert_int_equal(p->output_count, 2);
    const PmOutput *thumb = &p->outputs[1];
    assert_string_equal(thumb->name, "thumb");
    assert_string_equal(thumb->where, "outputs.thumb");
    assert_non_null(thumb->when);
    assert_string_equal(thumb->steps[1].path, "outputs.thumb.steps[1]");
    assert_string_equal(thumb->steps[1].where, "outputs.thumb: convert");
    assert_ptr_equal(thumb->to.kind, &pm_kind_s3);
    const PmS3Place *place = thumb->to.config;
    assert_string_equal(place->bucket, "renditions");
    assert_string_equal(place->cache_control, "public, max-age=31536000");
    assert_string_equal(pm_template_prefix(thumb->to.key), "processed/");
    pm_pipeline_free(p);
    pm_pipeline_free(NULL);
}

static void defaults_are_those_of_the_reliability_contract(void **state)
{
    (void)state;
    PmPipeline *p = read_good(LEAST);
    assert_string_equal(p->name, "photos");
    assert_int_equal(p->limits.file_size, 50 * 1024 * 1024);
    assert_int_equal(p->limits.pixels, 50000000);
    assert_int_equal(p->limits.frames, 256);
    assert_int_equal(p->limits.side, 16384);
    assert_int_equal(p->limits.aspect, 200);
    assert_int_equal(p->limits.icc, 4 * 1024 * 1024);
    assert_int_equal(p->limits.metadata, 8 * 1024 * 1024);
    assert_int_equal(p->limits.memory, 512 * 1024 * 1024);
    assert_int_equal(p->limits.cpu_time, 5000);
    assert_int_equal(p->limits.wall_time, 15000);
    assert_int_equal(p->limits.output_side, 16384);
    assert_int_equal(p->limits.formats.count, 8);
    for (size_t i = 0; i < p->limits.formats.count; i++) {
        assert_string_not_equal(p->limits.formats.items[i], "svg");
        assert_string_not_equal(p->limits.formats.items[i], "pdf");
    }
    assert_int_equal(p->worker.count, 0);
    assert_int_equal(p->worker.isolation, PM_ISOLATION_SHARED);
    assert_int_equal(p->worker.jobs_per_child, 64);
    assert_null(p->trigger.kind);
    assert_null(p->source.kind);
    assert_null(p->quarantine.kind);
    pm_pipeline_free(p);
}

static void every_section_can_be_written(void **state)
{
    (void)state;
    PmPipeline *p = read_good("workers: 3\nisolation: per-job\njobs_per_child: 9\nsandbox: { minimum: T2 }\n"
                              "on_error: { retries: 1, backoff: 2s }\nlimits: { formats: [jpeg, svg] }\n"
                              "trigger: { directory: { path: in, watch: false, settle: keep, recursive: true, "
                              "pattern: \"*.jpg\", done: d, failed: f } }\nsource: { file: }\n"
                              "quarantine: { file: { path: \"rejected/{name}\" } }\n" LEAST);
    const PmDirectoryTrigger *trigger = p->trigger.config;
    assert_int_equal(p->worker.count, 3);
    assert_int_equal(p->worker.isolation, PM_ISOLATION_PER_JOB);
    assert_int_equal(p->worker.jobs_per_child, 9);
    assert_int_equal(p->worker.sandbox_minimum, 2);
    assert_int_equal(p->on_error.retries, 1);
    assert_int_equal(p->on_error.backoff, 2000);
    assert_int_equal(p->limits.formats.count, 2);
    assert_ptr_equal(p->trigger.kind, &pm_kind_directory);
    assert_false(trigger->watch);
    assert_int_equal(trigger->settle, PM_SETTLE_KEEP);
    assert_true(trigger->recursive);
    assert_string_equal(trigger->pattern, "*.jpg");
    assert_ptr_equal(p->source.kind, &pm_kind_file);
    assert_ptr_equal(p->quarantine.kind, &pm_kind_file);
    pm_pipeline_free(p);
}

static void all_errors_of_a_file_come_at_once(void **state)
{
    (void)state;
    expect("version: 2\n"
           "nmae: x\n"
           "limits: { file_size: big, formats: [jpg] }\n"
           "steps:\n"
           "  - resize: [300]\n"
           "  - {}\n"
           "outputs:\n"
           "  Thumb: { to: { file: { path: \"a/../{stem}\" } } }\n"
           "  b: { too: 1 }\n",
           "dir/photos.yaml:1:10: version 2 is above 1\n"
           "dir/photos.yaml:2:1: unknown key \"nmae\"\n  hint: did you mean \"name\"?\n"
           "dir/photos.yaml:3:22: limits: file_size must be a size such as 50MiB, 200KiB or 1GB, not \"big\"\n"
           "dir/photos.yaml:3:37: limits: formats \"jpg\" is not one of jpeg, png, webp, gif, tiff, avif, heif, jxl, "
           "svg, pdf\n  hint: did you mean \"jpeg\"?\n"
           "dir/photos.yaml:5:13: steps: resize: expected a mapping of parameters, not a list\n"
           "  hint: write \"resize: { key: value }\"\n"
           "dir/photos.yaml:6:5: steps: a step names no plugin\n  hint: write \"- resize: { width: 300 }\"\n"
           "dir/photos.yaml:8:3: outputs: \"Thumb\" cannot name an output\n  hint: use 1 to 48 of a-z, 0-9, - and _\n"
           "dir/photos.yaml:9:3: outputs.b: to is missing\n"
           "  hint: say where the rendition goes: to: { file: { path: \"out/{stem}_b.{ext}\" } }\n"
           "dir/photos.yaml:9:8: outputs.b: unknown key \"too\"\n  hint: did you mean \"to\"?\n");
}

static void what_is_no_pipeline_is_said(void **state)
{
    (void)state;
    expect("", "dir/photos.yaml:1:1: the file is empty\n");
    expect("# nothing\n", "dir/photos.yaml:1:1: the file is empty\n");
    expect("[]", "dir/photos.yaml:1:1: a pipeline file is a mapping, not a list\n");
    expect("version: 1\n",
           "dir/photos.yaml:1:1: outputs is missing: a pipeline has at least one\n"
           "  hint: outputs: { thumb: { steps: [...], to: { file: { path: \"out/{stem}.{ext}\" } } } }\n");
    expect("version: 1\noutputs: [a]\n",
           "dir/photos.yaml:2:10: outputs must be a mapping from names to outputs, not a list\n"
           "  hint: write \"thumb: { steps: [...], to: {...} }\" below outputs, without \"- \"\n");
}

static void choices_take_one(void **state)
{
    (void)state;
    expect("trigger: { directroy: {} }\n" LEAST,
           "dir/photos.yaml:1:12: trigger: unknown kind \"directroy\"; expected directory, sqs or lambda\n"
           "  hint: did you mean \"directory\"?\n");
    expect("trigger: {}\n" LEAST,
           "dir/photos.yaml:1:10: trigger: expected a mapping with directory, sqs or lambda, not an empty one\n");
    expect("quarantine: { file: { path: q/x }, s3: {} }\n" LEAST,
           "dir/photos.yaml:1:36: quarantine: only one of file or s3 may stand here\n");
    expect("trigger: { directory: { watch: true } }\n" LEAST,
           "dir/photos.yaml:1:23: trigger: directory: path is missing\n  hint: Folder that images arrive in.\n");
}

static void steps_come_in_three_forms(void **state)
{
    (void)state;
    PmPipeline *p =
        read_good("steps:\n  - strip-metadata\n  - resize:\n  - resize: { width: 3 }\n    name: small\n" LEAST);
    assert_string_equal(p->steps[0].plugin, "strip-metadata");
    assert_null(p->steps[0].params);
    assert_int_equal(p->steps[0].column, 5);
    assert_null(p->steps[1].params);
    assert_string_equal(p->steps[2].name, "small");
    pm_pipeline_free(p);
}

static void repeated_steps_are_numbered_across_trunk_and_output(void **state)
{
    (void)state;
    PmPipeline *p = read_good("version: 1\nsteps: [blur, blur]\noutputs:\n"
                              "  a: { steps: [blur, { blur: {}, name: soft }, blur], to: { file: { path: a/x } } }\n"
                              "  b: { steps: [blur], to: { file: { path: b/x } } }\n");
    assert_string_equal(p->steps[0].name, "blur");
    assert_string_equal(p->steps[1].name, "blur-2");
    assert_string_equal(p->outputs[0].steps[0].name, "blur-3");
    assert_string_equal(p->outputs[0].steps[1].name, "soft");
    assert_string_equal(p->outputs[0].steps[2].name, "blur-4");
    assert_string_equal(p->outputs[1].steps[0].name, "blur-3");
    pm_pipeline_free(p);
}

static void bad_steps_are_refused(void **state)
{
    (void)state;
    expect("steps: { resize: {} }\n" LEAST,
           "dir/photos.yaml:1:8: steps: steps must be a list, not a mapping\n  hint: begin each step with \"- \"\n");
    expect("steps: [3.5, [a]]\n" LEAST,
           "dir/photos.yaml:1:9: steps: \"3.5\" cannot name a plugin\n"
           "dir/photos.yaml:1:14: steps: a step must be a mapping with one plugin, not a list\n"
           "  hint: write \"- resize: { width: 300 }\"\n");
    expect("steps:\n  - resize: {}\n    on_rejct: drop\n" LEAST,
           "dir/photos.yaml:3:5: steps: a step has one plugin, and this one has \"resize\" and \"on_rejct\"\n"
           "  hint: did you mean \"on_reject\"?\n");
    expect("steps:\n  - resize:\n    width: 300\n" LEAST,
           "dir/photos.yaml:3:5: steps: a step has one plugin, and this one has \"resize\" and \"width\"\n"
           "  hint: begin a new step with \"- width:\", or indent it to make it a parameter of resize\n");
    expect("steps:\n  - blur: {}\n    on_reject: blurr\n" LEAST,
           "dir/photos.yaml:3:16: steps: blur: on_reject must be quarantine, drop, blur, placeholder or flag, not "
           "\"blurr\"\n  hint: did you mean \"blur\"?\n");
    expect("steps:\n  - { blur: {}, name: a }\n  - { blur: {}, name: a }\n  - { blur: {}, name: A.b }\n" LEAST,
           "dir/photos.yaml:3:23: steps: blur: the name \"a\" is taken by the step on line 2\n"
           "dir/photos.yaml:4:23: steps: blur: name must be 1 to 48 of a-z, 0-9, - and _\n");
    expect("steps: [{ blur: {}, when: { width: wide } }]\n" LEAST,
           "dir/photos.yaml:1:36: steps: blur: when: width is a number, and \"wide\" is none\n");
}

/* --- what no section sees alone --- */

#define LOOP "can write into in, the folder that the trigger watches: it would feed itself"

static void check_loop(const char *trigger, const char *path, bool loops)
{
    char yaml[600];
    snprintf(yaml, sizeof yaml,
             "version: 1\ntrigger: { directory: { path: in%s } }\noutputs: { o: { to: { file: { path: \"%s\" } } } }\n",
             trigger, path);
    PmErrorList errors = {0};
    PmPipeline *p = read_as(yaml, kinds_here, &errors);
    if ((errors.count == 1 && strcmp(errors.items[0].message, LOOP) == 0) != loops || errors.count > 1)
        fail_msg("%s with %s: %s", path, trigger, errors_text(&errors));
    pm_pipeline_free(p);
    pm_error_list_finish(&errors);
}

static void folders_that_feed_themselves_are_refused(void **state)
{
    (void)state;
    check_loop("", "in/{stem}.{ext}", true);
    check_loop("", "out/{stem}.{ext}", false);
    check_loop("", "./out/../in/{stem}.{ext}", true);
    check_loop("", "/srv/pipes/in/{stem}", true);
    check_loop("", "/srv/pipes/inside/{stem}", false);
    check_loop("", "../in/{stem}", false);
    check_loop("", "in/small/{stem}", false); /* not recursive */
    check_loop(", recursive: true", "in/small/{stem}", true);
    check_loop("", "{stem}.{ext}", false);
    check_loop("", "{dir}/{stem}.{ext}", true);
    check_loop("", "{output}/{stem}.{ext}", false);
    check_loop(", pattern: \"*.jpg\"", "in/{stem}.webp", false);
    check_loop(", pattern: \"*.jpg\"", "in/{stem}_t.jpg", true);
    check_loop(", pattern: \"*.jpg\"", "in/{stem}.{ext}", true);
    check_loop(", pattern: \"cat*\"", "in/{stem}.webp", true);
}

static void records_and_rejects_do_not_feed_the_trigger_either(void **state)
{
    (void)state;
    expect("trigger: { directory: { path: in } }\nquarantine: { file: { path: \"in/{name}\" } }\n"
           "notify: { file: { path: \"in/{name}.json\" } }\n" LEAST,
           "dir/photos.yaml:2:13: quarantine: " LOOP "\n  hint: write to a folder beside it, such as "
           "out/{stem}.{ext}\n"
           "dir/photos.yaml:3:9: notify: " LOOP "\n  hint: write to a folder beside it, such as out/{stem}.{ext}\n");
}

static void check_s3_loop(const char *bucket, const char *key, bool loops)
{
    char yaml[600];
    snprintf(yaml, sizeof yaml,
             "version: 1\nsource: { s3: { buckets: [abc, src], prefix: incoming/ } }\n"
             "outputs: { o: { to: { s3: { bucket: %s, key: \"%s\" } } } }\n",
             bucket, key);
    PmErrorList errors = {0};
    PmPipeline *p = read_as(yaml, kinds_here, &errors);
    if ((errors.count == 1) != loops) fail_msg("%s in %s: %s", key, bucket, errors_text(&errors));
    if (loops) assert_contains(errors.items[0].message, "can write to s3://src/incoming/, where the sources come from");
    pm_pipeline_free(p);
    pm_error_list_finish(&errors);
}

static void buckets_that_feed_themselves_are_refused(void **state)
{
    (void)state;
    check_s3_loop("src", "incoming/{stem}", true);
    check_s3_loop("src", "{dir}/{stem}", true);
    check_s3_loop("src", "{key}", true);
    check_s3_loop("src", "processed/{key}", false);
    check_s3_loop("src", "{stem}_t.jpg", false);
    check_s3_loop("dst", "{key}", false);
}

/* `writes` is JSON, NULL: nobody says what outputs write. */
static void expect_places(const char *yaml, const char *writes, const char *errors_expected,
                          const char *warnings_expected)
{
    PmErrorList errors = {0}, warnings = {0};
    PmPipeline *p = read_good(yaml);
    json_t *json = writes != NULL ? json_loads(writes, 0, NULL) : NULL;
    assert_true(writes == NULL || json != NULL);
    pm_pipeline_check_places(p, json, &errors);
    pm_pipeline_warn_places(p, json, &warnings);
    assert_string_equal(errors_text(&errors), errors_expected);
    assert_string_equal(errors_text(&warnings), warnings_expected);
    pm_error_list_finish(&errors);
    pm_error_list_finish(&warnings);
    json_decref(json);
    pm_pipeline_free(p);
}

#define TWO(one, other) "version: 1\noutputs:\n  a: { " one " }\n  b: { " other " }\n"
#define SAME_PLACE(place)                                                            \
    "dir/photos.yaml:4:" place ": outputs.b: writes to the same place as output a\n" \
    "  hint: put {output} into the name, or give them `when`s that exclude each other\n"

static void outputs_that_overwrite_each_other_are_refused(void **state)
{
    (void)state;
    static const char auto_both[] = "{\"a\": [\"jpeg\", \"png\"], \"b\": [\"jpeg\", \"png\"]}",
                      two_formats[] = "{\"a\": [\"jpeg\"], \"b\": [\"webp\"]}",
                      auto_one[] = "{\"a\": [\"jpeg\", \"png\"], \"b\": [\"webp\"]}";
    static const struct {
        const char *yaml, *writes, *errors;
    } cases[] = {
        {TWO("to: { file: { path: \"o/{stem}\" } }", "to: { file: { path: \"o/{stem}\" } }"), auto_both,
         SAME_PLACE("28")},
        {TWO("to: { file: { path: \"o/{stem}\" } }", "to: { file: { path: \"./o//{stem}\" } }"), NULL,
         SAME_PLACE("28")},
        {TWO("to: &t { file: { path: \"o/{output}/{stem}\" } }", "to: *t"), auto_both, ""},
        {TWO("to: { file: { path: \"o/{output}/{stem}\" } }", "to: { file: { path: \"o/a/{stem}\" } }"), auto_both,
         SAME_PLACE("28")},
        {TWO("to: { s3: { bucket: one, key: \"{key}\" } }", "to: { s3: { bucket: two, key: \"{key}\" } }"), auto_both,
         ""},
        {TWO("to: { s3: { bucket: one, key: \"{key}\" } }", "to: { s3: { bucket: one, key: \"{key}\" } }"), auto_both,
         SAME_PLACE("38")},
        /* The ending is what is written. */
        {TWO("to: { file: { path: \"{stem}.{ext}\" } }", "to: { file: { path: \"{stem}.{ext}\" } }"), two_formats, ""},
        {TWO("to: { file: { path: \"{stem}.jpg\" } }", "to: { file: { path: \"{stem}.{ext}\" } }"), two_formats, ""},
        {TWO("to: { file: { path: \"{stem}.webp\" } }", "to: { file: { path: \"{stem}.{ext}\" } }"), two_formats,
         SAME_PLACE("28")},
        {TWO("to: { file: { path: \"{format}/{stem}\" } }", "to: { file: { path: \"webp/{stem}\" } }"), two_formats,
         ""},
        /* A format that goes by the image can be webp, too. */
        {TWO("to: { file: { path: \"{stem}.{ext}\" } }", "to: { file: { path: \"{stem}.{ext}\" } }"), auto_one,
         SAME_PLACE("28")},
        /* Never for the same image. */
        {TWO("when: { width: \">=1000\" }, to: { file: { path: \"{stem}\" } }",
             "when: { width: \"<1000\" }, to: { file: { path: \"{stem}\" } }"),
         auto_both, ""},
        {TWO("when: { width: \">=1000\" }, to: { file: { path: \"{stem}\" } }",
             "when: { width: \"<=1000\" }, to: { file: { path: \"{stem}\" } }"),
         auto_both, SAME_PLACE("55")},
        {TWO("when: { width: \">=1000\" }, to: { file: { path: \"{stem}\" } }", "to: { file: { path: \"{stem}\" } }"),
         auto_both, SAME_PLACE("28")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmErrorList errors = {0};
        PmPipeline *p = read_good(cases[i].yaml);
        json_t *writes = cases[i].writes != NULL ? json_loads(cases[i].writes, 0, NULL) : NULL;
        pm_pipeline_check_places(p, writes, &errors);
        if (strcmp(errors_text(&errors), cases[i].errors) != 0)
            fail_msg("%s\n%s\nexpected\n%s", cases[i].yaml, errors_text(&errors), cases[i].errors);
        pm_error_list_finish(&errors);
        json_decref(writes);
        pm_pipeline_free(p);
    }
}

#define ONE(place)        "version: 1\noutputs:\n  a: { to: { file: { path: \"" place "\" } } }\n"
#define WARNS(text, hint) "dir/photos.yaml:3:28: outputs.a: " text "\n  hint: " hint "\n"

static void odd_names_are_warned_of(void **state)
{
    (void)state;
    static const char jpeg[] = "{\"a\": [\"jpeg\"]}", any[] = "{\"a\": [\"jpeg\", \"png\"]}",
                      other[] = "{\"a\": [\"ico\"]}";
    expect_places(ONE("{stem}.jpg"), jpeg, "", "");
    expect_places(ONE("{stem}.JPEG"), jpeg, "", "");
    expect_places(ONE("{stem}.{ext}"), any, "", "");
    expect_places(ONE("{stem}.dat"), any, "", "");
    expect_places(ONE("{stem}_v1.5/x"), any, "", "");
    expect_places(ONE("{stem}.png"), NULL, "", ""); /* nobody says what it writes */
    expect_places(ONE("{stem}.png"), jpeg, "",
                  WARNS("the name ends in .png, and the file will be jpeg",
                        "end it in .{ext}, which is always right, or say format: png in the output's convert"));
    expect_places(ONE("{stem}.png"), any, "",
                  WARNS("the name ends in .png, and the format depends on the image",
                        "end it in .{ext}, or let the output's last step be convert: { format: png }"));
    expect_places(ONE("{stem}.png"), other, "",
                  WARNS("the name ends in .png, and the format depends on the image",
                        "end it in .{ext}, or let the output's last step be convert: { format: png }"));
    expect_places(ONE("thumb-{width}.{ext}"), any, "",
                  WARNS("the name is the same for every image", "put {stem}, {name} or {key} into it"));
    expect_places(ONE("{dir}/thumb.{ext}"), any, "", "");
    expect_places(ONE("{{stem}}.{ext}"), any, "", WARNS("{{stem}} is the text {stem}, not the fact", "write {stem}"));
    expect_places(ONE("{{anything}}-{stem}.{ext}"), any, "", "");
}

static void a_folder_that_is_not_there_is_warned_of(void **state)
{
    (void)state;
    expect_places("trigger: { directory: { path: /nowhere/at/all } }\n" LEAST, NULL, "",
                  "dir/photos.yaml:1:10: trigger: directory: the folder /nowhere/at/all is not there\n"
                  "  hint: `run` needs it; a path is relative to the pipeline file\n");
    expect_places("trigger: { directory: { path: /dev/null } }\n" LEAST, NULL, "",
                  "dir/photos.yaml:1:10: trigger: directory: the folder /dev/null is not a directory\n"
                  "  hint: `run` needs it; a path is relative to the pipeline file\n");
    expect_places("trigger: { directory: { path: /tmp } }\n" LEAST, NULL, "", "");
}

static void paths_for_a_shell_are_refused(void **state)
{
    (void)state;
    expect(
        "trigger: { directory: { path: $HOME/in, done: ~, failed: \"~/failed\" } }\n" LEAST,
        "dir/photos.yaml:1:31: trigger: directory: path \"$HOME/in\" is taken as it is written: no shell reads it\n"
        "  hint: write \"${HOME}/in\"\n"
        "dir/photos.yaml:1:47: trigger: directory: done must be a string, not nothing\n"
        "dir/photos.yaml:1:58: trigger: directory: failed \"~/failed\" is taken as it is written: no shell reads it\n"
        "  hint: write \"${HOME}/failed\"\n");
    expect("trigger: { sqs: { queue_url: $QUEUE_URL } }\nsource: { s3: { buckets: [abc] } }\n"
           "version: 1\noutputs: { o: { to: { s3: { bucket: $BUCKET, key: \"$HOME/{stem}\" } } } }\n",
           "dir/photos.yaml:1:30: trigger: sqs: queue_url \"$QUEUE_URL\" is taken as it is written: no shell reads it\n"
           "  hint: write \"${QUEUE_URL}\"\n"
           "dir/photos.yaml:4:37: outputs.o: bucket \"$BUCKET\" is taken as it is written: no shell reads it\n"
           "  hint: write \"${BUCKET}\"\n");
    /* Names that only look so, and a way to mean it. */
    static const char *const fine[] = {"$RECYCLE.BIN/{stem}", "./$HOME/{stem}", "~{stem}", "a/~/{stem}", "$/{stem}"};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        char yaml[200];
        snprintf(yaml, sizeof yaml, "version: 1\noutputs: { o: { to: { file: { path: \"%s\" } } } }\n", fine[i]);
        pm_pipeline_free(read_good(yaml));
    }
}

static void a_bucket_is_a_name(void **state)
{
    (void)state;
    static const char head[] = "source: { s3: { buckets: [abc, \"s3://abc/in\"] } }\nversion: 1\noutputs:\n";
    char yaml[600];
    snprintf(yaml, sizeof yaml,
             "%s  a: { to: { s3: { bucket: \"s3://thumbs/\", key: \"{stem}\" } } }\n"
             "  b: { to: { s3: { bucket: thumbs/small, key: \"{stem}\" } } }\n"
             "  c: { to: { s3: { bucket: \"arn:aws:s3:eu-west-1:1:accesspoint/ap\", key: \"{stem}\" } } }\n"
             "  d: { to: { s3: { bucket: thumbs, key: \"/{stem}\" } } }\n",
             head);
    expect(yaml, "dir/photos.yaml:1:32: source: s3: \"s3://abc/in\" is not a bucket's name\n"
                 "  hint: write \"abc\"; \"in\" belongs into the key or prefix\n"
                 "dir/photos.yaml:4:28: outputs.a: \"s3://thumbs/\" is not a bucket's name\n  hint: write \"thumbs\"\n"
                 "dir/photos.yaml:5:28: outputs.b: \"thumbs/small\" is not a bucket's name\n"
                 "  hint: write \"thumbs\"; \"small\" belongs into the key or prefix\n"
                 "dir/photos.yaml:7:41: outputs.d: key \"/{stem}\": begins with \"/\"\n"
                 "  hint: leave it out: that would be a folder without a name\n");
}

static void unknown_facts_name_what_is_meant(void **state)
{
    (void)state;
    static const char *const words[][2] = {{"filename", "name"},  {"extension", "ext"},       {"path", "key"},
                                           {"size", "file_size"}, {"content_type", "format"}, {"hash", "sha256"},
                                           {"id", "etag"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_string_equal(pm_fact_also(words[i][0]), words[i][1]);
    assert_null(pm_fact_also("file"
                             "nam"));
    assert_null(pm_fact_also(""));
    assert_null(pm_fact_also("path filepath"));
    expect("version: 1\noutputs: { o: { to: { file: { path: \"{ Stem }/{FileName}.{ext}\" } } } }\n",
           "dir/photos.yaml:2:37: outputs.o: path \"{ Stem }/{FileName}.{ext}\": \"{ Stem }\" is not a fact\n"
           "  hint: did you mean {stem}?\n");
    expect("version: 1\noutputs: { o: { to: { file: { path: \"${stem}.{ext}\" } } } }\n",
           "dir/photos.yaml:2:37: the environment variable stem is not set\n"
           "  hint: did you mean {stem}? ${...} is a variable of the environment\n");
}

static void trigger_and_source_must_fit(void **state)
{
    (void)state;
    expect("trigger: { sqs: { queue_url: \"${QUEUE_URL}\" } }\n" LEAST,
           "dir/photos.yaml:1:10: trigger: sqs: needs source: s3 with the buckets that events may name\n"
           "  hint: source: { s3: { buckets: [my-uploads] } }\n");
    expect("trigger: { directory: { path: in } }\nsource: { s3: { buckets: [abc] } }\n" LEAST,
           "dir/photos.yaml:2:9: source: s3: does not fit trigger: directory, which delivers files\n");
}

#define KNOWN_WHEN                                                                                             \
    "  hint: known here: key, dir, name, stem, source_ext, format, width, height, shape, aspect, megapixels, " \
    "animated, pages, colorspace, camera, taken, taken_year, taken_month, has_alpha, has_profile, "            \
    "orientation, file_size\n"
#define KNOWN_KEY                                                                                                \
    "  hint: known here: key, bucket, dir, name, stem, source_ext, ext, output, format, width, height, shape, "  \
    "animated, pages, colorspace, camera, taken, taken_year, taken_month, file_size, etag, sha256, date, year, " \
    "month, day, hour\n"
#define KNOWN_WITHOUT_OUTPUT                                                                                        \
    "  hint: known here: key, bucket, dir, name, stem, source_ext, format, width, height, shape, animated, pages, " \
    "colorspace, camera, taken, taken_year, taken_month, "                                                          \
    "file_size, etag, sha256, date, year, month, day, hour\n"

static void expect_facts(const char *yaml, const json_t *plugin_facts, const char *expected)
{
    PmErrorList errors = {0};
    PmPipeline *p = read_good(yaml);
    pm_pipeline_check_facts(p, plugin_facts, &errors);
    assert_string_equal(errors_text(&errors), expected);
    pm_error_list_finish(&errors);
    pm_pipeline_free(p);
}

static void facts_must_be_known_where_they_stand(void **state)
{
    (void)state;
    json_t *facts = json_pack("[ssss]", "nsfw.score", "nsfw.label", "face.count", "face-2.count");
    expect_facts(sample, facts, "");
    expect_facts("version: 1\noutputs: { o: { when: { widht: 3 }, to: { file: { path: \"o/{stme}\" } } } }\n", facts,
                 "dir/photos.yaml:2:25: outputs.o: unknown fact \"widht\"\n  hint: did you mean \"width\"?\n"
                 "dir/photos.yaml:2:57: outputs.o: unknown fact \"stme\"\n  hint: did you mean \"stem\"?\n");
    expect_facts("version: 1\noutputs: { o: { when: { ext: jpg }, to: { file: { path: \"o/{has_alpha}\" } } } }\n",
                 facts,
                 "dir/photos.yaml:2:25: outputs.o: the fact \"ext\" is not known in when\n" KNOWN_WHEN
                 "dir/photos.yaml:2:57: outputs.o: the fact \"has_alpha\" is not known in a key\n" KNOWN_KEY);
    /* A step's facts are known after it, in the output that it belongs to. */
    const char *steps = "version: 1\n"
                        "steps:\n"
                        "  - nsfw: {}\n"
                        "    when: { nsfw.score: \">0\" }\n"
                        "  - blur: {}\n"
                        "    when: { nsfw.score: \">0\", nsfw.lable: x }\n"
                        "outputs:\n"
                        "  a: { steps: [face], to: { file: { path: \"a/{face.count}{nsfw.label}\" } } }\n"
                        "  b: { to: { file: { path: \"b/{face.count}{other.fact}\" } } }\n"
                        "quarantine: { file: { path: \"q/{nsfw.label}{ext}{name}\" } }\n"
                        "notify: { file: { path: \"n/{output}\" } }\n";
    expect_facts(
        steps, facts,
        "dir/photos.yaml:4:13: steps: nsfw: the fact \"nsfw.score\" is not known here: the step on line 3 sets it\n"
        "dir/photos.yaml:6:31: steps: blur: no step sets the fact \"nsfw.lable\"\n"
        "  hint: did you mean \"nsfw.label\"?\n"
        "dir/photos.yaml:9:28: outputs.b: the fact \"face.count\" is not known here: the step on line 8 sets it\n"
        "dir/photos.yaml:9:28: outputs.b: no step sets the fact \"other.fact\"\n" KNOWN_KEY
        "dir/photos.yaml:10:29: quarantine: the fact \"nsfw.label\" is not known here: the step on line 3 sets "
        "it\n"
        "dir/photos.yaml:10:29: quarantine: the fact \"ext\" is not known in a quarantine's key\n" KNOWN_WITHOUT_OUTPUT
        "dir/photos.yaml:11:25: notify: the fact \"output\" is not known in a record's path\n" KNOWN_WITHOUT_OUTPUT);
    /* Without the plugins' word only the steps can be looked at. */
    expect_facts("version: 1\nsteps: [nsfw]\noutputs: { o: { to: { file: { path: \"o/{nsfw.any}{no.x}\" } } } }\n",
                 NULL, "dir/photos.yaml:3:37: outputs.o: no step sets the fact \"no.x\"\n" KNOWN_KEY);
    /* A verdict is one of three words and a number up to 1. */
    json_t *verdict = json_pack("[ssss]", "nsfw.decision", "nsfw.score", "nsfw.label", "other.decision");
    expect_facts(
        "version: 1\nsteps: [nsfw, other]\noutputs:\n"
        "  a: { when: { nsfw.decision: rejected, nsfw.score: \">80\" }, to: { file: { path: \"a/{stem}\" } } }\n"
        "  b: { when: { nsfw.decision: [pass, flag], nsfw.score: \"<0.5\" }, to: { file: { path: \"b/{stem}\" } } }\n"
        "  c: { when: { other.decision: maybe }, to: { file: { path: \"c/{stem}\" } } }\n",
        verdict,
        "dir/photos.yaml:4:31: outputs.a: when: nsfw.decision is pass, flag or reject, never \"rejected\"\n"
        "  hint: did you mean \"reject\"?\n"
        "dir/photos.yaml:4:53: outputs.a: when: nsfw.score is 0 to 1, never \">80\"\n");
    json_decref(verdict);
    json_decref(facts);
}

/* --- the worker's reading --- */

static const char *worker_env(void *data, const char *name)
{
    ++*(int *)data;
    return strcmp(name, "W") == 0 ? "300" : NULL;
}

static void worker_needs_only_its_own_variables(void **state)
{
    (void)state;
    const char *yaml = "version: \"${VERSION}\"\n"
                       "trigger: { sqs: { queue_url: \"${QUEUE_URL}\" } }\n"
                       "limits: { side: \"${W}\" }\n"
                       "steps: [{ resize: { width: \"${W}\" } }]\n"
                       "outputs:\n  o: { when: { width: \">=${W}\" }, to: { s3: { bucket: \"${B}\", key: k } } }\n";
    PmErrorList errors = {0};
    int asked = 0;
    PmPipeline *p = pm_pipeline_read("p.yaml", "/srv", yaml, strlen(yaml), NULL, worker_env, &asked, &errors);
    assert_string_equal(errors_text(&errors), "");
    assert_int_equal(asked, 3);
    assert_int_equal(p->limits.side, 300);
    assert_string_equal(pm_node_get(p->steps[0].params, "width")->text, "300");
    assert_null(p->outputs[0].to.kind);
    assert_string_equal(p->name, "p");
    json_t *names = pm_pipeline_worker_variables(p);
    assert_int_equal(json_array_size(names), 1);
    assert_string_equal(json_string_value(json_array_get(names, 0)), "W");
    json_decref(names);
    pm_pipeline_check_facts(p, NULL, &errors);
    assert_int_equal(errors.count, 0);
    pm_pipeline_free(p);
}

static void unset_variables_are_reported_once_each(void **state)
{
    (void)state;
    expect("name: \"${NO}\"\ntrigger: \"${NO}\"\nlimits: \"${NO}\"\nsteps: \"${NO}\"\n" LEAST,
           "dir/photos.yaml:1:7: the environment variable NO is not set\n"
           "  hint: set it, or give a default: ${NO:-default}\n"
           "dir/photos.yaml:2:10: the environment variable NO is not set\n"
           "  hint: set it, or give a default: ${NO:-default}\n"
           "dir/photos.yaml:3:9: the environment variable NO is not set\n"
           "  hint: set it, or give a default: ${NO:-default}\n"
           "dir/photos.yaml:4:8: the environment variable NO is not set\n"
           "  hint: set it, or give a default: ${NO:-default}\n");
}

/* --- the file --- */

static const char *load(const char *file)
{
    static char message[1200];
    char *text = NULL, *dir = NULL;
    size_t size = 0;
    PmError err = {0};
    message[0] = '\0';
    if (pm_pipeline_load_text(file, &text, &size, &dir, &err) != PM_OK) pm_error_format(&err, message, sizeof message);
    if (message[0] == '\0') snprintf(message, sizeof message, "%zu in %s", size, dir);
    free(text);
    free(dir);
    return message;
}

static void files_are_loaded_with_their_folder(void **state)
{
    (void)state;
    char dir[] = "/tmp/pixmill-test-XXXXXX", file[64], expected[128];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/p.yaml", dir);
    snprintf(expected, sizeof expected, "%s: cannot open the file: No such file or directory", file);
    assert_string_equal(load(file), expected);
    FILE *stream = fopen(file, "w");
    fputs("version: 1\n", stream);
    fclose(stream);
    snprintf(expected, sizeof expected, "11 in %s", dir);
    assert_string_equal(load(file), expected);
    stream = fopen(file, "w");
    fwrite("a\0b", 1, 3, stream);
    fclose(stream);
    snprintf(expected, sizeof expected, "%s: the file is not text: it contains NUL bytes", file);
    assert_string_equal(load(file), expected);
    assert_int_equal(truncate(file, PM_TREE_TEXT_MAX + 1), 0);
    snprintf(expected, sizeof expected, "%s: the file is larger than 1 MiB", file);
    assert_string_equal(load(file), expected);
    snprintf(expected, sizeof expected, "%s: is a folder, not a pipeline file", dir);
    assert_string_equal(load(dir), expected);
    unlink(file);
    rmdir(dir);
}

static void paths_start_at_the_file(void **state)
{
    (void)state;
    PmPipeline *p = read_good(LEAST);
    char *relative = pm_pipeline_path(p, "in/x"), *absolute = pm_pipeline_path(p, "/in/x");
    assert_string_equal(relative, "/srv/pipes/in/x");
    assert_string_equal(absolute, "/in/x");
    free(relative);
    free(absolute);
    pm_pipeline_free(p);
}

static void a_matrix_stands_for_its_outputs(void **state)
{
    (void)state;
    static const char matrix[] = "version: 1\n"
                                 "outputs:\n"
                                 "  photo:\n"
                                 "    for: { size: [320, \"${WIDTH}\"], format: [avif, webp] }\n"
                                 "    when: { width: \">={size}\" }\n"
                                 "    steps: [ { resize: { width: \"{size}\" } }, { convert: \"{format}\" } ]\n"
                                 "    to: { file: { path: \"{stem}-{size}.{format}\" } }\n"
                                 "  other: { to: { file: { path: \"o/{stem}.{ext}\" } } }\n";
    static const char *const names[] = {"photo-320-avif", "photo-320-webp", "photo-300-avif", "photo-300-webp",
                                        "other"};
    static const char *const keys[] = {"{stem}-320.avif", "{stem}-320.webp", "{stem}-300.avif", "{stem}-300.webp",
                                       "o/{stem}.{ext}"};
    PmErrorList errors = {0};
    PmPipeline *broker = read_good(matrix), *worker = read_as(matrix, NULL, &errors);
    assert_int_equal(errors.count, 0);
    assert_int_equal(broker->output_count, 5);
    assert_int_equal(worker->output_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(broker->outputs[i].name, names[i]);
        assert_string_equal(worker->outputs[i].name, names[i]); /* both sides agree, without a word between them */
        assert_string_equal(pm_template_text(broker->outputs[i].to.key), keys[i]);
    }
    assert_string_equal(broker->outputs[1].where, "outputs.photo-320-webp (for on line 4: size 320, format webp)");
    assert_string_equal(broker->outputs[0].matrix, "photo");
    assert_null(broker->outputs[4].matrix);
    assert_string_equal(pm_node_get(worker->outputs[2].steps[0].params, "width")->text, "300");
    assert_string_equal(worker->outputs[3].steps[1].params->text, "webp");
    assert_string_equal(worker->outputs[3].steps[1].path, "outputs.photo-300-webp.steps[1]");
    json_t *variables = pm_pipeline_worker_variables(broker);
    assert_int_equal(json_array_size(variables), 1);
    json_decref(variables);
    pm_pipeline_free(broker);
    pm_pipeline_free(worker);
}

/* 64 outputs of so many values or so much text would be a thousand times the file. */
static void a_matrix_cannot_stand_for_more_than_the_cap(void **state)
{
    (void)state;
    enum { SIZE = 200 * 1024 };
    char *yaml = malloc(SIZE + 400);
    static const char head[] = "version: 1\noutputs:\n  a:\n    for: { n: [1, 2, 3, 4, 5, 6, 7, 8] }\n"
                               "    to: { file: { path: \"{stem}-{n}.{ext}\" } }\n    steps:\n    - x: { t: ";
    size_t used = (size_t)snprintf(yaml, SIZE + 400, "%s\"{n}", head);
    memset(yaml + used, 'x', SIZE);
    snprintf(yaml + used + SIZE, 100, "\" }\n");
    expect(yaml,
           "dir/photos.yaml:7:15: outputs.a-6 (for on line 4: n 6): the matrices of this file stand for more than "
           "10000 values or 1 MiB of text\n");
    used = (size_t)snprintf(yaml, SIZE, "%s[", head);
    for (size_t i = 0; i < 2000; i++) used += (size_t)snprintf(yaml + used, SIZE - used, "\"{n}\",");
    snprintf(yaml + used, 100, "] }\n");
    PmErrorList errors = {0};
    PmPipeline *p = read_as(yaml, kinds_here, &errors);
    assert_contains(errors_text(&errors), "outputs.a-3 (for on line 4: n 3): the matrices of this file stand for more "
                                          "than 10000 values or 1 MiB of text\n");
    pm_pipeline_free(p);
    pm_error_list_finish(&errors);
    free(yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_reads),
        cmocka_unit_test(defaults_are_those_of_the_reliability_contract),
        cmocka_unit_test(every_section_can_be_written),
        cmocka_unit_test(all_errors_of_a_file_come_at_once),
        cmocka_unit_test(what_is_no_pipeline_is_said),
        cmocka_unit_test(choices_take_one),
        cmocka_unit_test(steps_come_in_three_forms),
        cmocka_unit_test(repeated_steps_are_numbered_across_trunk_and_output),
        cmocka_unit_test(bad_steps_are_refused),
        cmocka_unit_test(folders_that_feed_themselves_are_refused),
        cmocka_unit_test(records_and_rejects_do_not_feed_the_trigger_either),
        cmocka_unit_test(buckets_that_feed_themselves_are_refused),
        cmocka_unit_test(outputs_that_overwrite_each_other_are_refused),
        cmocka_unit_test(odd_names_are_warned_of),
        cmocka_unit_test(a_folder_that_is_not_there_is_warned_of),
        cmocka_unit_test(paths_for_a_shell_are_refused),
        cmocka_unit_test(a_bucket_is_a_name),
        cmocka_unit_test(unknown_facts_name_what_is_meant),
        cmocka_unit_test(trigger_and_source_must_fit),
        cmocka_unit_test(facts_must_be_known_where_they_stand),
        cmocka_unit_test(worker_needs_only_its_own_variables),
        cmocka_unit_test(unset_variables_are_reported_once_each),
        cmocka_unit_test(files_are_loaded_with_their_folder),
        cmocka_unit_test(paths_start_at_the_file),
        cmocka_unit_test(a_matrix_stands_for_its_outputs),
        cmocka_unit_test(a_matrix_cannot_stand_for_more_than_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

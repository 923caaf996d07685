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

static PmPipeline *read_as(const char *yaml, const PmKind *const *kinds, PmErrorList *errors)
{
    return pm_pipeline_read("dir/photos.yaml", "/srv/pipes", yaml, strlen(yaml), kinds, test_env, NULL, errors);
}

static PmPipeline *read_good(const char *yaml)
{
    PmErrorList errors = {0};
    PmPipeline *p = read_as(yaml, pm_kinds, &errors);
    if (errors.count > 0) fail_msg("%s\n%s", yaml, errors_text(&errors));
    assert_non_null(p);
    return p;
}

static void expect(const char *yaml, const char *expected)
{
    PmErrorList errors = {0};
    PmPipeline *p = read_as(yaml, pm_kinds, &errors);
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
           "  - resize: 300\n"
           "  - {}\n"
           "outputs:\n"
           "  Thumb: { to: { file: { path: \"a/../{stem}\" } } }\n"
           "  b: { too: 1 }\n",
           "dir/photos.yaml:1:10: version 2 is above 1\n"
           "dir/photos.yaml:2:1: unknown key \"nmae\"\n  hint: did you mean \"name\"?\n"
           "dir/photos.yaml:3:22: limits: file_size must be a size such as 50MiB, 200KiB or 1GB, not \"big\"\n"
           "dir/photos.yaml:3:37: limits: formats \"jpg\" is not one of jpeg, png, webp, gif, tiff, avif, heif, jxl, "
           "svg, pdf\n  hint: did you mean \"jpeg\"?\n"
           "dir/photos.yaml:5:13: steps: resize: expected a mapping of parameters, not a number\n"
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
           "dir/photos.yaml:2:10: outputs must be a mapping from names to outputs, not a list\n");
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
    PmPipeline *p = read_as(yaml, pm_kinds, &errors);
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
    PmPipeline *p = read_as(yaml, pm_kinds, &errors);
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

static void outputs_that_overwrite_each_other_are_refused(void **state)
{
    (void)state;
    expect(
        "version: 1\noutputs:\n  a: { to: { file: { path: \"o/{stem}\" } } }\n  b: { to: { file: { path: "
        "\"o/{stem}\" } } }\n",
        "dir/photos.yaml:4:12: outputs.b: writes to the same place as output a\n  hint: put {output} into the name\n");
    pm_pipeline_free(read_good("version: 1\noutputs:\n  a: { to: &t { file: { path: \"o/{output}/{stem}\" } } }\n"
                               "  b: { to: *t }\n"));
    pm_pipeline_free(read_good("version: 1\noutputs:\n  a: { to: { s3: { bucket: one, key: x } } }\n"
                               "  b: { to: { s3: { bucket: two, key: x } } }\n"));
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
                 "dir/photos.yaml:2:41: outputs.o: unknown fact \"stme\"\n  hint: did you mean \"stem\"?\n");
    expect_facts("version: 1\noutputs: { o: { when: { ext: jpg }, to: { file: { path: \"o/{has_alpha}\" } } } }\n",
                 facts,
                 "dir/photos.yaml:2:25: outputs.o: the fact \"ext\" is not known in when\n"
                 "dir/photos.yaml:2:41: outputs.o: the fact \"has_alpha\" is not known in a key\n");
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
        "dir/photos.yaml:9:12: outputs.b: the fact \"face.count\" is not known here: the step on line 8 sets it\n"
        "dir/photos.yaml:9:12: outputs.b: no step sets the fact \"other.fact\"\n"
        "dir/photos.yaml:10:13: quarantine: the fact \"nsfw.label\" is not known here: the step on line 3 sets "
        "it\n"
        "dir/photos.yaml:10:13: quarantine: the fact \"ext\" is not known in a quarantine's key\n"
        "dir/photos.yaml:11:9: notify: the fact \"output\" is not known in a record's path\n");
    /* Without the plugins' word only the steps can be looked at. */
    expect_facts("version: 1\nsteps: [nsfw]\noutputs: { o: { to: { file: { path: \"o/{nsfw.any}{no.x}\" } } } }\n",
                 NULL, "dir/photos.yaml:3:21: outputs.o: no step sets the fact \"no.x\"\n");
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
    snprintf(expected, sizeof expected, "%s: the file is no text: it contains NUL bytes", file);
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
        cmocka_unit_test(trigger_and_source_must_fit),
        cmocka_unit_test(facts_must_be_known_where_they_stand),
        cmocka_unit_test(worker_needs_only_its_own_variables),
        cmocka_unit_test(unset_variables_are_reported_once_each),
        cmocka_unit_test(files_are_loaded_with_their_folder),
        cmocka_unit_test(paths_start_at_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

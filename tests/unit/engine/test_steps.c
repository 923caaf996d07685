/* SPDX-License-Identifier: Apache-2.0
 *
 * Pipelines that are refused before anything runs, what a loaded engine tells of itself, and plans in words.
 */
#include "runner.h"

/* All errors of a pipeline, one a line with their hints. Caller g_frees. */
static char *errors_of(const char *body, const char *const *plugins)
{
    PmErrorList errors = {0};
    PmPipeline *pipeline = read_pipeline(body, NULL, &errors);
    PmEngineOptions options = {.plugin_dirs = plugins};
    PmEngine *engine = pipeline != NULL ? pm_engine_new(pipeline, &options, &errors) : NULL;
    if (errors.count > 0) assert_null(engine);
    pm_error_list_sort(&errors);
    GString *text = g_string_new("");
    for (size_t i = 0; i < errors.count; i++) {
        char line[4096];
        pm_error_format(&errors.items[i], line, sizeof line);
        g_string_append_printf(text, "%s\n", line);
        assert_int_equal(errors.items[i].status, PM_BAD_CONFIG);
    }
    pm_engine_free(engine);
    pm_pipeline_free(pipeline);
    pm_error_list_finish(&errors);
    return g_string_free(text, FALSE);
}

static void wrong_pipelines_are_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *body, *errors;
    } cases[] = {
        {"steps:\n- convert: {}\noutputs: { a: {} }\n",
         "test.yaml:4:3: steps: convert: convert writes a file, which steps shared by all outputs cannot\n"
         "  hint: make it the last step of each output\n"},
        {"outputs:\n  a:\n    steps:\n    - convert: {}\n    - upside: {}\n    - convert: {}\n",
         "test.yaml:6:7: outputs.a: convert: convert writes the file, so no step can follow it\n"
         "  hint: make it the last step of the output\n"},
        {"outputs:\n  a:\n    steps:\n    - convert: {}\n      when: { width: 3 }\n",
         "test.yaml:6:7: outputs.a: convert: the step that writes the file cannot depend on `when`\n"
         "  hint: put `when` on the output\n"},
        {"outputs:\n  a:\n    steps:\n    - upside: {}\n      on_reject: blur\n",
         "test.yaml:6:7: outputs.a: upside: `on_reject` is for steps that inspect, and upside does not\n"},
        {"outputs:\n  a:\n    steps:\n    - looker:\n        score: 0.995\n",
         "test.yaml:7:16: outputs.a: looker: score: nobody is that sure\n"},
        {"outputs:\n  a:\n    steps:\n    - upside:\n        file: no-such-file.png\n",
         "test.yaml:7:15: outputs.a: upside: file: cannot read \"no-such-file.png\": No such file or directory\n"
         "  hint: looked for /tmp/no-such-file.png\n"},
        {"outputs:\n  a:\n    steps:\n    - upside:\n        file: /dev/null\n",
         "test.yaml:7:15: outputs.a: upside: file: cannot read \"/dev/null\": it is not a regular file\n"},
        {"outputs:\n  a:\n    steps:\n    - upside:\n        text: \"{stemm}\"\n",
         "test.yaml:7:15: outputs.a: upside: text: unknown fact {stemm}\n  hint: did you mean {stem}?\n"},
        {"outputs:\n  a:\n    steps:\n    - upside:\n        text: \"{etag}\"\n",
         "test.yaml:7:15: outputs.a: upside: text: {etag} is not known yet when a step runs\n"},
        {"outputs:\n  a:\n    steps:\n    - upside:\n        text: \"{looker.score}\"\n  b: { steps: [ looker: {} ] "
         "}\n",
         "test.yaml:7:15: outputs.a: upside: text: no step before this one sets {looker.score}\n"},
        {"steps: [ looker: {} ]\noutputs:\n  a:\n    steps:\n    - upside:\n        text: \"{looker.scor}\"\n",
         "test.yaml:8:15: outputs.a: upside: text: no step before this one sets {looker.scor}\n"
         "  hint: did you mean {looker.score}?\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *errors = errors_of(cases[i].body, all_plugins);
        assert_string_equal(errors, cases[i].errors);
        g_free(errors);
    }
}

static void right_pipelines_are_not(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "outputs: { a: {} }\n",
        "steps: [ looker: {} ]\noutputs: { a: { steps: [ upside: { text: \"{looker.score} {looker.seen}\" } ] } }\n",
        "outputs: { a: { steps: [ { looker: {}, name: eye }, upside: { text: \"{eye.label}\" } ] } }\n",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        char *errors = errors_of(bodies[i], all_plugins);
        assert_string_equal(errors, "");
        g_free(errors);
    }
}

static void all_errors_are_told_at_once(void **state)
{
    (void)state;
    char *errors = errors_of("outputs:\n"
                             "  a: { steps: [ resise: { width: 3 } ] }\n"
                             "  b: { steps: [ looker: { score: 7, lable: x } ] }\n"
                             "  c: { steps: [ upside: { file: gone } ] }\n",
                             all_plugins);
    assert_non_null(strstr(errors, "test.yaml:4:17: outputs.a: resise: "));
    assert_non_null(strstr(errors, "did you mean"));
    assert_non_null(strstr(errors, "test.yaml:5:34: outputs.b: looker: "));
    assert_non_null(strstr(errors, "lable"));
    assert_non_null(strstr(errors, "test.yaml:6:33: outputs.c: upside: "));
    g_free(errors);
}

static void a_missing_encoder_is_said_at_the_output(void **state)
{
    (void)state;
    static const char *const no_convert[] = {PM_BUILD_DIR "/unit-plugins", NULL};
    char *errors = errors_of("outputs:\n  a: {}\n", no_convert);
    assert_true(g_str_has_prefix(errors, "test.yaml:4:3: outputs.a: convert: "));
    g_free(errors);
}

/* ------------------------------------------------------------------ describe */

static PmEngine *engine_of(const char *body, PmPipeline **pipeline)
{
    PmErrorList errors = {0};
    *pipeline = read_pipeline(body, NULL, &errors);
    PmEngineOptions options = {.plugin_dirs = all_plugins};
    PmEngine *engine = pm_engine_new(*pipeline, &options, &errors);
    assert_int_equal(errors.count, 0);
    return engine;
}

/* Caller g_frees. */
static char *digest_of(const char *body)
{
    PmPipeline *pipeline;
    PmEngine *engine = engine_of(body, &pipeline);
    json_t *description = pm_engine_describe(engine);
    char *digest = g_strdup(text_of(description, "digest"));
    json_decref(description);
    pm_engine_free(engine);
    pm_pipeline_free(pipeline);
    return digest;
}

static void the_digest_follows_what_decides_the_outputs(void **state)
{
    (void)state;
    assert_true(g_file_set_contents("/tmp/pm-test-steps-asset", "one", 3, NULL));
    static const char base[] = "steps: [ upside: { file: pm-test-steps-asset } ]\noutputs: { a: { steps: [ resize: { "
                               "width: 5, height: 6 } ] } }\n";
    char *digest = digest_of(base);
    assert_int_equal(strlen(digest), 64);
    static const char *const same[] = {
        base,
        ("# other layout\nsteps:\n- upside:\n    file: pm-test-steps-asset\noutputs:\n  a:\n    steps:\n"
         "    - resize:\n        height: 6\n        width: 5\n"),
        ("limits: { pixels: 3M }\nsteps: [ upside: { file: pm-test-steps-asset } ]\n"
         "outputs: { a: { steps: [ resize: { width: 5, height: 6 } ] } }\n"),
    };
    static const char *const other[] = {
        "steps: [ upside: { file: pm-test-steps-asset } ]\noutputs: { a: { steps: [ resize: { width: 5 } ] } }\n",
        "steps: [ upside: { file: pm-test-steps-asset } ]\noutputs: { a: { steps: [ resize: { height: 6 } ] } }\n",
        "outputs: { a: { steps: [ upside: { file: pm-test-steps-asset }, resize: { width: 5, height: 6 } ] } }\n",
    };
    for (size_t i = 0; i < 3; i++) {
        char *again = digest_of(same[i]), *changed = digest_of(other[i]);
        assert_string_equal(again, digest);
        assert_string_not_equal(changed, digest);
        g_free(again);
        g_free(changed);
    }
    char *five = digest_of("outputs: { a: { for: { n: [4, 5] }, steps: [ resize: { width: \"{n}\" } ] } }\n"),
         *six = digest_of("outputs: { a: { for: { n: [4, 6] }, steps: [ resize: { width: \"{n}\" } ] } }\n");
    assert_string_not_equal(five, six);
    g_free(five);
    g_free(six);
    assert_true(g_file_set_contents("/tmp/pm-test-steps-asset", "two", 3, NULL));
    char *after = digest_of(base);
    assert_string_not_equal(after, digest);
    g_free(after);
    g_free(digest);
}

static void an_engine_tells_what_it_is(void **state)
{
    (void)state;
    PmPipeline *pipeline;
    PmEngine *engine = engine_of("limits: { formats: [jpeg, png] }\nsteps:\n- looker: {}\n  name: eye\n- upside: {}\n"
                                 "outputs: { a: { steps: [ upside: {} ] }, b: {} }\n",
                                 &pipeline);
    json_t *d = pm_engine_describe(engine), *plugin, *fact;
    size_t i;
    GString *plugins = g_string_new(""), *facts = g_string_new("");
    json_array_foreach(json_object_get(d, "plugins"), i, plugin)
        g_string_append_printf(plugins, "%s ", text_of(plugin, "name"));
    json_array_foreach(json_object_get(d, "facts"), i, fact)
        g_string_append_printf(facts, "%s ", json_string_value(fact));
    assert_string_equal(plugins->str, "looker upside convert ");
    assert_string_equal(facts->str, "eye.seen eye.decision eye.score eye.label upside.said upside.size upside.spots "
                                    "upside-2.said upside-2.size upside-2.spots ");
    json_t *jpeg = json_object_get(json_object_get(d, "formats"), "jpeg");
    assert_true(json_is_true(json_object_get(jpeg, "load")) && json_is_true(json_object_get(jpeg, "save")));
    assert_int_equal(json_array_size(json_object_get(d, "warnings")), 0);
    g_string_free(plugins, TRUE);
    g_string_free(facts, TRUE);
    json_decref(d);
    pm_engine_free(engine);
    pm_pipeline_free(pipeline);
}

/* ------------------------------------------------------------------ explain */

static void choose(const char *name)
{
    setenv("PIXMILL_ENGINE", name, 1);
    assert_int_equal(pm_engine_setup(NULL), PM_OK);
}

static void one_pass_shares_nothing(void **state)
{
    (void)state;
    choose("one-pass");
    PmPipeline *pipeline;
    PmEngine *engine = engine_of("outputs:\n"
                                 "  large: { steps: [ resize: { width: 1000 } ] }\n"
                                 "  small: { steps: [ resize: { width: 100 } ] }\n",
                                 &pipeline);
    PmFacts *facts = pm_facts_new();
    PmJobInput input = {.facts = facts};
    PmError err = {0};
    json_t *plan = pm_engine_explain(engine, &input, "jpeg", 6000, 4000, &err);
    assert_non_null(plan);
    for (size_t i = 0; i < 2; i++) {
        const json_t *output = json_array_get(json_object_get(plan, "outputs"), i);
        assert_string_equal(text_of(output, "from"), "trunk");
        assert_string_equal(text_of(output, "engine"), "one-pass");
    }
    assert_int_equal(json_array_size(json_object_get(plan, "shared")), 0);
    json_decref(plan);
    pm_facts_free(facts);
    pm_engine_free(engine);
    pm_pipeline_free(pipeline);
}

static void a_plan_is_told_before_it_runs(void **state)
{
    (void)state;
    choose("vips");
    PmPipeline *pipeline;
    PmEngine *engine = engine_of("outputs:\n"
                                 "  large: { steps: [ resize: { width: 1000 } ] }\n"
                                 "  small: { steps: [ resize: { width: 100 } ] }\n"
                                 "  never: { when: { pages: \">1\" } }\n",
                                 &pipeline);
    PmFacts *facts = pm_facts_new();
    PmJobInput input = {.facts = facts};
    PmError err = {0};
    json_t *plan = pm_engine_explain(engine, &input, "jpeg", 6000, 4000, &err);
    assert_non_null(plan);
    json_t *load = json_object_get(plan, "load"), *outputs = json_object_get(plan, "outputs");
    assert_string_equal(text_of(load, "loader"), "jpegload_buffer");
    assert_string_equal(text_of(load, "access"), "sequential");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(load, "options"), "shrink")), 2);
    assert_string_equal(text_of(json_array_get(outputs, 0), "from"), "trunk");
    assert_string_equal(text_of(json_array_get(outputs, 1), "from"), "large");
    assert_string_equal(text_of(json_array_get(outputs, 2), "skipped"), "pages is 1, not >1");
    json_t *step = json_array_get(json_object_get(json_array_get(outputs, 0), "steps"), 0);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(step, "in"), "width")), 3000);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(step, "need"), "width")), 2000);
    assert_string_equal(text_of(json_object_get(json_array_get(outputs, 0), "encode"), "format"), "jpeg");
    json_t *shared = json_object_get(plan, "shared");
    assert_int_equal(json_array_size(shared), 1);
    assert_string_equal(text_of(json_array_get(shared, 0), "what"), "large");
    assert_true(json_integer_value(json_object_get(plan, "memory_bytes")) > 1000 * 667 * 3 - 1);
    json_decref(plan);

    assert_null(pm_engine_explain(engine, &input, "jpg", 6000, 4000, &err));
    assert_says(&err, "no format is called \"jpg\"");
    pm_error_clear(&err);
    assert_null(pm_engine_explain(engine, &input, "jpeg", 60000, 4000, &err));
    assert_int_equal(err.status, PM_LIMIT);
    pm_facts_free(facts);
    pm_engine_free(engine);
    pm_pipeline_free(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_pipelines_are_refused_in_words),
        cmocka_unit_test(right_pipelines_are_not),
        cmocka_unit_test(all_errors_are_told_at_once),
        cmocka_unit_test(a_missing_encoder_is_said_at_the_output),
        cmocka_unit_test(the_digest_follows_what_decides_the_outputs),
        cmocka_unit_test(an_engine_tells_what_it_is),
        cmocka_unit_test(one_pass_shares_nothing),
        cmocka_unit_test(a_plan_is_told_before_it_runs),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

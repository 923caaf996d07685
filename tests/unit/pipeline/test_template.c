/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/template.h"

#include "reading.h"

static PmFacts *facts_of(const char *key)
{
    PmFacts *facts = pm_facts_new();
    assert_true(pm_facts_set_key(facts, key));
    pm_facts_set(facts, "ext", "webp");
    pm_facts_set(facts, "output", "thumb");
    pm_facts_set(facts, "nsfw-hook.label", "a/b");
    return facts;
}

/* The result, or the message when there is none. */
static const char *expand(PmTemplateKind kind, const char *text, const char *key)
{
    static char result[4096];
    PmError err = {0};
    PmTemplate *tmpl = pm_template_new(kind, text, NULL, &err);
    if (tmpl == NULL) fail_msg("%s: %s", text, err.message);
    PmFacts *facts = facts_of(key);
    char *made = pm_template_expand(tmpl, facts, &err);
    snprintf(result, sizeof result, "%s%s%s", made != NULL ? made : pm_status_name(err.status),
             made != NULL ? "" : ": ", made != NULL ? "" : err.message);
    free(made);
    pm_facts_free(facts);
    pm_template_free(tmpl);
    return result;
}

static const char *refusal(PmTemplateKind kind, const char *text, size_t *at)
{
    static PmError err;
    pm_error_clear(&err);
    PmTemplate *tmpl = pm_template_new(kind, text, at, &err);
    if (tmpl != NULL) fail_msg("\"%s\" is taken", text);
    assert_int_equal(err.status, PM_BAD_CONFIG);
    return err.message;
}

static void facts_fill_in(void **state)
{
    (void)state;
    const char *key = "incoming/2026/cat.final.JPG";
    assert_string_equal(expand(PM_TEMPLATE_KEY, "processed/{dir}/{stem}_{output}.{ext}", key),
                        "processed/incoming/2026/cat.final_thumb.webp");
    assert_string_equal(expand(PM_TEMPLATE_PATH, "out/{stem}.{ext}", key), "out/cat.final.webp");
    assert_string_equal(expand(PM_TEMPLATE_PATH, "out/{key}", key), "out/incoming/2026/cat.final.JPG");
    assert_string_equal(expand(PM_TEMPLATE_PATH, "/abs/{name}", key), "/abs/cat.final.JPG");
    assert_string_equal(expand(PM_TEMPLATE_PATH, "../out/./{name}", key), "../out/./cat.final.JPG");
    assert_string_equal(expand(PM_TEMPLATE_TEXT, "{{{stem}}} of {nsfw-hook.label}", key), "{cat.final} of a/b");
    assert_string_equal(expand(PM_TEMPLATE_TEXT, "", key), "");
    assert_string_equal(expand(PM_TEMPLATE_PATH, "plain.txt", key), "plain.txt");
}

static void facts_are_not_templates(void **state)
{
    (void)state;
    assert_string_equal(expand(PM_TEMPLATE_PATH, "out/{stem}", "{ext}.png"), "out/{ext}");
}

static void empty_dir_takes_its_slash_along(void **state)
{
    (void)state;
    assert_string_equal(expand(PM_TEMPLATE_KEY, "processed/{dir}/{stem}.{ext}", "cat.jpg"), "processed/cat.webp");
    assert_string_equal(expand(PM_TEMPLATE_KEY, "{dir}/{stem}.{ext}", "cat.jpg"), "cat.webp");
    assert_string_equal(expand(PM_TEMPLATE_KEY, "a-{dir}/{stem}", "cat.jpg"), "a-/cat");
    /* Only dir: any other empty fact is an empty segment. */
    assert_string_equal(expand(PM_TEMPLATE_PATH, "out/{source_ext}/{stem}", "cat"),
                        "bad_input: \"out/{source_ext}/{stem}\" gives \"out//cat\", which has an empty segment");
}

static void steps_out_of_the_prefix_are_refused(void **state)
{
    (void)state;
    static const struct {
        PmTemplateKind kind;
        const char *text, *key, *part;
    } cases[] = {
        {PM_TEMPLATE_PATH, "out/{dir}/{stem}", "../x/cat.jpg", "has a \"..\" or \".\" segment"},
        {PM_TEMPLATE_KEY, "out/{dir}/{stem}", "../x/cat.jpg", "has a \"..\" or \".\" segment"},
        {PM_TEMPLATE_PATH, "out/{name}", "a/..", "has a \"..\" or \".\" segment"},
        {PM_TEMPLATE_PATH, "out/.{name}", "a/.", "has a \"..\" or \".\" segment"},
        {PM_TEMPLATE_PATH, "out/{stem}.{source_ext}/x", ".", "has a \"..\" or \".\" segment"},
        {PM_TEMPLATE_PATH, "out/{key}", "/etc/passwd", "has an empty segment"},
        {PM_TEMPLATE_PATH, "{key}", "/etc/passwd", "has an empty segment"},
        {PM_TEMPLATE_PATH, "out/{key}", "a//b", "has an empty segment"},
        {PM_TEMPLATE_PATH, "out/{key}", "a/", "has an empty segment"},
        {PM_TEMPLATE_PATH, "out/{name}", "a\nb", "{name} holds a control character"},
        {PM_TEMPLATE_KEY, "out/{name}", "a\x7f", "{name} holds a control character"},
        {PM_TEMPLATE_KEY, "out/{nsfw-hook.label}", "x", "{nsfw-hook.label} holds a \"/\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *result = expand(cases[i].kind, cases[i].text, cases[i].key);
        assert_contains(result, "bad_input: ");
        assert_contains(result, cases[i].part);
    }
    assert_string_equal(expand(PM_TEMPLATE_KEY, "out/{key}", "a//b"), "out/a//b"); /* S3 knows no folders */
    assert_string_equal(expand(PM_TEMPLATE_PATH, "out/{name}", "..."), "out/...");
}

static void lengths_are_capped(void **state)
{
    (void)state;
    char key[1100];
    memset(key, 'a', sizeof key);
    key[256] = '\0';
    assert_contains(expand(PM_TEMPLATE_PATH, "out/{name}", key), "a name longer than 255 bytes");
    assert_contains(expand(PM_TEMPLATE_KEY, "out/{name}", key), "out/aaa");
    key[256] = 'a';
    key[1022] = '\0';
    assert_contains(expand(PM_TEMPLATE_KEY, "out/{name}", key), "gives 1026 bytes; 1 to 1024 are allowed");
    assert_contains(expand(PM_TEMPLATE_KEY, "{source_ext}", "x"), "gives 0 bytes; 1 to 1024 are allowed");
}

static void missing_fact_is_our_fault(void **state)
{
    (void)state;
    assert_string_equal(expand(PM_TEMPLATE_PATH, "out/{sha256}", "x"), "bug: {sha256} is not known for this job");
}

static void malformed_templates_say_where(void **state)
{
    (void)state;
    size_t at = 0;
    assert_string_equal(refusal(PM_TEMPLATE_TEXT, "ab{stem", &at), "\"{\" is not closed");
    assert_int_equal(at, 2);
    assert_string_equal(refusal(PM_TEMPLATE_TEXT, "a}b", &at), "\"}\" without \"{\"");
    assert_int_equal(at, 1);
    assert_string_equal(refusal(PM_TEMPLATE_TEXT, "{}", &at), "\"{}\" is not a fact");
    assert_string_equal(refusal(PM_TEMPLATE_TEXT, "{a b}", &at), "\"{a b}\" is not a fact");
    assert_string_equal(refusal(PM_TEMPLATE_TEXT, "{a{b}}", &at), "\"{\" is not closed");
    char many[600] = "";
    for (size_t i = 0; i < 65; i++) memcpy(many + i * 4, "{a}-", 5);
    assert_string_equal(refusal(PM_TEMPLATE_TEXT, many, &at), "more than 64 parts");
}

static void places_that_cannot_be_are_refused(void **state)
{
    (void)state;
    assert_string_equal(refusal(PM_TEMPLATE_KEY, "", NULL), "is empty");
    assert_string_equal(refusal(PM_TEMPLATE_PATH, "out/", NULL), "ends in \"/\": it names a folder, not a file");
    assert_string_equal(refusal(PM_TEMPLATE_KEY, "out/{dir}/", NULL),
                        "ends in \"/\": it names a folder, not an object");
    assert_string_equal(refusal(PM_TEMPLATE_KEY, "/{stem}", NULL), "begins with \"/\"");
    assert_string_equal(refusal(PM_TEMPLATE_KEY, "../{stem}", NULL),
                        "the segment \"..\" leaves the fixed prefix \"../\"");
    assert_string_equal(refusal(PM_TEMPLATE_PATH, "out/{dir}/../{stem}", NULL),
                        "the segment \"..\" leaves the fixed prefix \"out/\"");
    assert_string_equal(refusal(PM_TEMPLATE_PATH, "out/..", NULL),
                        "the segment \"..\" leaves the fixed prefix \"out/\"");
    assert_string_equal(refusal(PM_TEMPLATE_PATH, "a\tb", NULL), "holds a control character");
}

static void parts_can_be_asked_for(void **state)
{
    (void)state;
    PmTemplate *tmpl = pm_template_new(PM_TEMPLATE_KEY, "a/b{{/{dir}/c/{stem}.jpg", NULL, NULL);
    assert_string_equal(pm_template_fact(tmpl, 0), "dir");
    assert_string_equal(pm_template_fact(tmpl, 1), "stem");
    assert_null(pm_template_fact(tmpl, 2));
    assert_string_equal(pm_template_prefix(tmpl), "a/b{/");
    assert_string_equal(pm_template_suffix(tmpl), ".jpg");
    assert_string_equal(pm_template_text(tmpl), "a/b{{/{dir}/c/{stem}.jpg");
    pm_template_free(tmpl);
    pm_template_free(NULL);
}

static void knows_where_it_can_lead(void **state)
{
    (void)state;
    static const struct {
        const char *text, *target;
        bool reaches;
    } cases[] = {
        {"incoming/{stem}", "incoming/", true},
        {"processed/{stem}", "incoming/", false},
        {"{stem}_t.jpg", "incoming/", false},
        {"{dir}/{stem}", "incoming/", true},
        {"in{dir}/{stem}", "incoming/", true},
        {"x{key}", "incoming/", false},
        {"{output}/{stem}", "incoming/", false},
        {"{output}/{stem}", "thumb/", true},
        {"{year}/{stem}", "incoming/", true}, /* errs on that side */
        {"{stem}", "incoming", true},
        {"a/{dir}/b/{stem}", "a/b/", true},
        {"a/{stem}/b/x", "a/b/c", false},
        {"anything", "", true},
        {"in", "incoming/", false},
        {"{stem}{ext}", "ab", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmTemplate *tmpl = pm_template_new(PM_TEMPLATE_KEY, cases[i].text, NULL, NULL);
        if (pm_template_reaches(tmpl, NULL, "thumb", cases[i].target) != cases[i].reaches)
            fail_msg("%s to %s", cases[i].text, cases[i].target);
        pm_template_free(tmpl);
    }
    PmTemplate *tmpl = pm_template_new(PM_TEMPLATE_PATH, "../x/{stem}", NULL, NULL);
    assert_true(pm_template_reaches(tmpl, "/srv/x/", "o", "/srv/x/"));
    assert_false(pm_template_reaches(tmpl, "/srv/x/", "o", "/srv/y/"));
    pm_template_free(tmpl);
    tmpl = pm_template_new(PM_TEMPLATE_PATH, "{dir}/{stem}", NULL, NULL);
    assert_true(pm_template_reaches(tmpl, "/srv/", "o", "/srv/in/"));
    pm_template_free(tmpl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_fill_in),
        cmocka_unit_test(facts_are_not_templates),
        cmocka_unit_test(empty_dir_takes_its_slash_along),
        cmocka_unit_test(steps_out_of_the_prefix_are_refused),
        cmocka_unit_test(lengths_are_capped),
        cmocka_unit_test(missing_fact_is_our_fault),
        cmocka_unit_test(malformed_templates_say_where),
        cmocka_unit_test(places_that_cannot_be_are_refused),
        cmocka_unit_test(parts_can_be_asked_for),
        cmocka_unit_test(knows_where_it_can_lead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

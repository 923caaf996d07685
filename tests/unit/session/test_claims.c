/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/claims.h"

static char folder[] = "/tmp/pixmill-claims-XXXXXX";
static PmPipeline *pipeline;

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    pipeline = read_pipeline(folder, "version: 1\n"
                                     "trigger: { directory: { path: in } }\n"
                                     "outputs:\n"
                                     "  a: { to: { file: { path: \"out/{stem}.{ext}\" } } }\n"
                                     "  b: { to: { s3: { bucket: bucket, key: \"{stem}.{ext}\" } } }\n");
    return pipeline == NULL;
}

static int teardown(void **state)
{
    (void)state;
    pm_pipeline_free(pipeline);
    return rmdir(folder);
}

static PmStatus take(PmClaims *claims, size_t output, const char *key, const char *source, uint64_t *claim,
                     PmError *err)
{
    PmObject object = {.key = (char *)source};
    uint64_t unused;
    char location[200]; /* as the stores tell it */
    snprintf(location, sizeof location, "%s/%s", output == 0 ? folder : "s3://bucket", key);
    if (key[0] == '/') snprintf(location, sizeof location, "%s", key);
    return pm_claims_take(claims, location, &object, pipeline->outputs[output].name, claim != NULL ? claim : &unused,
                          err);
}

static void a_place_is_one_sources(void **state)
{
    (void)state;
    PmClaims *claims = pm_claims_new(NULL);
    PmError err = {0};
    char expected[300];
    /* The same source again: it changed, or is tried again. */
    for (int i = 0; i < 3; i++) assert_int_equal(take(claims, 1, "x.webp", "x.jpg", NULL, NULL), PM_OK);
    assert_int_equal(take(claims, 1, "x.webp", "x.png", NULL, &err), PM_BAD_INPUT);
    assert_string_equal(err.message,
                        "s3://bucket/x.webp was written from x.jpg in this run; another image does not replace it");
    assert_string_equal(err.hint, "put {source_ext}, {name} or {dir} into the path, or remove that rendition first");
    /* A key of its own, or the same in another store. */
    assert_int_equal(take(claims, 1, "y.webp", "x.png", NULL, NULL), PM_OK);
    assert_int_equal(take(claims, 0, "x.webp", "x.png", NULL, NULL), PM_OK);
    /* Another output of the same source. */
    PmError second = {0};
    PmObject object = {.key = (char *)"x.jpg"};
    uint64_t claim;
    assert_int_equal(pm_claims_take(claims, "s3://bucket/x.webp", &object, "quarantine", &claim, &second),
                     PM_BAD_INPUT);
    snprintf(expected, sizeof expected, "s3://bucket/x.webp was written by another output of the same image");
    assert_string_equal(second.message, expected);
    pm_claims_free(claims);
    pm_claims_free(NULL);
}

static void what_was_removed_may_be_written_anew(void **state)
{
    (void)state;
    PmClaims *claims = pm_claims_new(NULL);
    char path[64];
    snprintf(path, sizeof path, "%s/x.webp", folder);
    uint64_t first = 0;
    assert_int_equal(take(claims, 0, path, "x.jpg", &first, NULL), PM_OK);
    assert_int_equal(take(claims, 0, path, "x.png", NULL, NULL), PM_BAD_INPUT); /* under way */
    fclose(fopen(path, "w"));
    pm_claims_end(claims, first);
    assert_int_equal(take(claims, 0, path, "x.png", NULL, NULL), PM_BAD_INPUT); /* there */
    unlink(path);
    assert_int_equal(take(claims, 0, path, "x.png", NULL, NULL), PM_OK);
    assert_int_equal(take(claims, 0, path, "x.jpg", NULL, NULL), PM_BAD_INPUT);
    pm_claims_end(claims, 0);
    pm_claims_end(claims, 4711);
    pm_claims_end(NULL, 1);
    pm_claims_free(claims);
}

static void memory_has_a_bound(void **state)
{
    (void)state;
    PmClaims *claims = pm_claims_new(NULL);
    static char source[1000];
    memset(source, 's', sizeof source - 1);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, most = 0;
    for (int i = 0; i < 300000; i++) {
        char key[32];
        snprintf(key, sizeof key, "%d.webp", i);
        assert_int_equal(take(claims, 1, key, source, NULL, NULL), PM_OK);
        if (i % 1000 == 0) {
            size_t now = mallinfo2().uordblks + mallinfo2().hblkhd;
            if (now > most) most = now;
        }
    }
    assert_in_range(most - before, 0, (size_t)24 * 1024 * 1024);
    /* The last ones are known. */
    assert_int_equal(take(claims, 1, "299999.webp", "other", NULL, NULL), PM_BAD_INPUT);
    assert_int_equal(take(claims, 1, "0.webp", "other", NULL, NULL), PM_OK);
    pm_claims_free(claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_one_sources),
        cmocka_unit_test(what_was_removed_may_be_written_anew),
        cmocka_unit_test(memory_has_a_bound),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

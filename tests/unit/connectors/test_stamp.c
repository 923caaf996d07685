/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines.h"

#include "connectors/stamp.h"

static const PmStamp foreign = {.digest = NULL};

static void assert_verdict(const PmStamp *existing, const PmStamp *ours, PmStampVerdict verdict)
{
    assert_int_equal(pm_stamp_judge(existing, ours), verdict);
}

static void what_is_not_ours_is_replaced(void **state)
{
    (void)state;
    PmStamp ours = {.digest = "d", .etag = "a", .sequencer = "01", .time_ms = 5, .source = "s"};
    PmStamp no_digest = ours;
    no_digest.digest = NULL;
    assert_verdict(&foreign, &ours, PM_STAMP_WRITE);
    assert_verdict(&no_digest, &ours, PM_STAMP_WRITE);
}

static void a_duplicate_is_current(void **state)
{
    (void)state;
    PmStamp stamp = {.digest = "d", .etag = "a", .sequencer = "01", .time_ms = 5, .source = "s"};
    assert_verdict(&stamp, &stamp, PM_STAMP_CURRENT);
    PmStamp other = stamp;
    other.digest = "other pipeline";
    assert_verdict(&stamp, &other, PM_STAMP_WRITE);
    PmStamp no_etag = stamp;
    no_etag.etag = NULL;
    assert_verdict(&no_etag, &no_etag, PM_STAMP_CURRENT);
    PmStamp unknown = {.digest = "d", .etag = "a"};
    assert_verdict(&unknown, &unknown, PM_STAMP_CURRENT);
    unknown.etag = NULL; /* nothing says that it is the same */
    assert_verdict(&unknown, &unknown, PM_STAMP_WRITE);
}

/* Versions A, B, A: the stamp goes forward with the third, so that the second finds it newer. */
static void the_same_bytes_again_renew_the_stamp(void **state)
{
    (void)state;
    PmStamp first = {.digest = "d", .etag = "a", .sequencer = "01", .time_ms = 1, .source = "s"};
    PmStamp second = {.digest = "d", .etag = "b", .sequencer = "02", .time_ms = 2, .source = "s"};
    PmStamp third = {.digest = "d", .etag = "a", .sequencer = "03", .time_ms = 3, .source = "s"};
    assert_verdict(&first, &third, PM_STAMP_WRITE);
    assert_verdict(&third, &second, PM_STAMP_STALE);
    assert_verdict(&third, &first, PM_STAMP_CURRENT);
    first.digest = "older pipeline"; /* and never back */
    assert_verdict(&third, &first, PM_STAMP_STALE);
}

static void times_stand_in_for_sequencers(void **state)
{
    (void)state;
    PmStamp first = {.digest = "d", .etag = "a", .time_ms = 1, .source = "s"};
    PmStamp second = {.digest = "d", .etag = "b", .time_ms = 2, .source = "s"};
    PmStamp third = {.digest = "d", .etag = "a", .time_ms = 3, .source = "s"};
    assert_verdict(&first, &third, PM_STAMP_WRITE);
    assert_verdict(&third, &second, PM_STAMP_STALE);
    assert_verdict(&second, &third, PM_STAMP_WRITE);
    assert_verdict(&third, &first, PM_STAMP_CURRENT);
    second.sequencer = "FF"; /* which the other does not have */
    assert_verdict(&third, &second, PM_STAMP_STALE);
    second.time_ms = 0;
    assert_verdict(&third, &second, PM_STAMP_WRITE);
}

static void sequencers_of_different_sources_are_not_compared(void **state)
{
    (void)state;
    PmStamp jpg = {.digest = "d", .etag = "a", .sequencer = "FF", .time_ms = 1, .source = "jpg"};
    PmStamp png = {.digest = "d", .etag = "a", .sequencer = "01", .time_ms = 2, .source = "png"};
    assert_verdict(&jpg, &png, PM_STAMP_WRITE);
    assert_verdict(&png, &jpg, PM_STAMP_STALE);
    jpg.time_ms = 2; /* at the same moment: one of the two, whatever the order */
    assert_verdict(&jpg, &png, PM_STAMP_WRITE);
    assert_verdict(&png, &jpg, PM_STAMP_STALE);
    jpg.time_ms = 0;
    assert_verdict(&jpg, &png, PM_STAMP_WRITE);
    assert_verdict(&png, &jpg, PM_STAMP_WRITE);
    png.source[0] = '\0'; /* of an older release */
    assert_verdict(&jpg, &png, PM_STAMP_CURRENT);
}

static void an_event_without_order_does_not_take_it_away(void **state)
{
    (void)state;
    PmStamp there = {.digest = "d", .etag = "a", .sequencer = "03", .time_ms = 30, .source = "s"};
    PmStamp ours = {.digest = "e", .etag = "a", .source = "s"};
    pm_stamp_carry(&there, &ours);
    assert_string_equal(ours.sequencer, "03");
    assert_int_equal(ours.time_ms, 30);

    /* newer by time: the old sequencer stays behind, or what came between would be let in */
    ours = (PmStamp){.digest = "e", .etag = "a", .time_ms = 40, .source = "s"};
    pm_stamp_carry(&there, &ours);
    assert_null(ours.sequencer);
    assert_int_equal(ours.time_ms, 40);

    ours = (PmStamp){.digest = "e", .etag = "other", .source = "s"};
    pm_stamp_carry(&there, &ours);
    assert_null(ours.sequencer);
    ours = (PmStamp){.digest = "e", .etag = "a", .source = "other"};
    pm_stamp_carry(&there, &ours);
    assert_null(ours.sequencer);
    pm_stamp_carry(&foreign, &ours);
    assert_null(ours.sequencer);
}

static void names_of_sources(void **state)
{
    (void)state;
    PmStamp object, other, file;
    pm_stamp_of(&(PmObject){.bucket = (char *)"b", .key = (char *)"k", .etag = (char *)"e", .time_ms = 7}, "d",
                &object);
    /* printf b/k | sha256sum */
    assert_string_equal(object.source, "710800c9e207017de17bae08517e6f4b");
    assert_string_equal(object.etag, "e");
    assert_string_equal(object.digest, "d");
    assert_int_equal(object.time_ms, 7);
    pm_stamp_of(&(PmObject){.bucket = (char *)"b", .key = (char *)"\xc3\xa9"}, "d", &other);
    assert_string_not_equal(object.source, other.source);
    pm_stamp_of(&(PmObject){.path = (char *)"/in/k", .key = (char *)"k"}, "d", &file);
    assert_int_equal(strlen(file.source), PM_STAMP_SOURCE_SIZE - 1);
}

/* --- every order of delivery --- */

enum { VERSIONS = 4, DELIVERIES = 7 };

/* A store of one key, with what it holds. */
typedef struct Store {
    PmStamp stamp;
    int version; /* -1: nothing */
} Store;

static void deliver(Store *store, const PmStamp *event, int version, const PmStamp *versions)
{
    PmStamp ours = *event;
    if (pm_stamp_judge(&store->stamp, &ours) != PM_STAMP_WRITE) return;
    if (store->version > version) /* never back to older bytes */
        assert_string_equal(versions[store->version].etag, event->etag);
    pm_stamp_carry(&store->stamp, &ours);
    if (ours.sequencer != NULL && store->stamp.sequencer != NULL)
        assert_true(strcmp(ours.sequencer, store->stamp.sequencer) >= 0);
    assert_true(ours.time_ms >= store->stamp.time_ms);
    store->stamp = ours;
    if (version > store->version) store->version = version;
}

/* All orders of A, B, A, C and three duplicates among them; `bare` are the deliveries whose event has no sequencer. */
static void run_order(const int *order, unsigned bare, int count)
{
    static const PmStamp versions[VERSIONS] = {
        {.digest = "d", .etag = "a", .sequencer = "01", .time_ms = 10, .source = "s"},
        {.digest = "d", .etag = "b", .sequencer = "02", .time_ms = 20, .source = "s"},
        {.digest = "d", .etag = "a", .sequencer = "03", .time_ms = 30, .source = "s"},
        {.digest = "d", .etag = "c", .sequencer = "04", .time_ms = 40, .source = "s"}};
    Store store = {.version = -1};
    int newest = 0;
    for (int i = 0; i < count; i++) {
        PmStamp event = versions[order[i]];
        if ((bare >> i) & 1) event.sequencer = NULL;
        deliver(&store, &event, order[i], versions);
        if (order[i] > newest) newest = order[i];
        /* At every moment it shows the newest version that was delivered. */
        assert_string_equal(store.stamp.etag, versions[newest].etag);
        assert_int_equal(store.stamp.time_ms, versions[newest].time_ms);
    }
}

static void no_order_of_delivery_shows_an_old_version(void **state)
{
    (void)state;
    int order[DELIVERIES], total = 1;
    for (int i = 0; i < DELIVERIES; i++) total *= VERSIONS;
    for (int code = 0; code < total; code++) {
        for (int i = 0, rest = code; i < DELIVERIES; i++, rest /= VERSIONS) order[i] = rest % VERSIONS;
        run_order(order, 0, DELIVERIES);
        run_order(order, ~0u, DELIVERIES);
        for (unsigned bare = 1; bare < 1u << 4; bare++) run_order(order, bare, 4);
    }
}

static void two_sources_of_one_key_end_the_same_in_every_order(void **state)
{
    (void)state;
    static const PmStamp events[] = {{.digest = "d", .etag = "a", .sequencer = "F1", .time_ms = 10, .source = "x"},
                                     {.digest = "d", .etag = "b", .sequencer = "01", .time_ms = 20, .source = "y"},
                                     {.digest = "d", .etag = "c", .sequencer = "F2", .time_ms = 30, .source = "x"},
                                     {.digest = "d", .etag = "d", .sequencer = "02", .time_ms = 30, .source = "y"}};
    enum { N = 4 };
    for (int code = 0; code < N * N * N * N * N * N; code++) {
        PmStamp store = foreign;
        unsigned seen = 0;
        for (int i = 0, rest = code; i < 6; i++, rest /= N) {
            PmStamp ours = events[rest % N];
            seen |= 1u << (rest % N);
            if (pm_stamp_judge(&store, &ours) != PM_STAMP_WRITE) continue;
            pm_stamp_carry(&store, &ours);
            store = ours;
        }
        if (seen == (1u << N) - 1) assert_string_equal(store.etag, "d");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_ours_is_replaced),
        cmocka_unit_test(a_duplicate_is_current),
        cmocka_unit_test(the_same_bytes_again_renew_the_stamp),
        cmocka_unit_test(times_stand_in_for_sequencers),
        cmocka_unit_test(sequencers_of_different_sources_are_not_compared),
        cmocka_unit_test(an_event_without_order_does_not_take_it_away),
        cmocka_unit_test(names_of_sources),
        cmocka_unit_test(no_order_of_delivery_shows_an_old_version),
        cmocka_unit_test(two_sources_of_one_key_end_the_same_in_every_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

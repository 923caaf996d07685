/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ipc.h"

#include "failing.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int pair[2];

static int make_pair(void **state)
{
    (void)state;
    return pm_ipc_pair(pair, NULL) == PM_OK ? 0 : -1;
}

static int drop_pair(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0) close(pair[i]);
    return 0;
}

static int open_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0) count++;
    return count;
}

static void receive_ok(PmMessage *message)
{
    PmError err = {0};
    bool got = false;
    PmStatus status = pm_ipc_receive(pair[1], 0, message, &got, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(status, PM_OK);
    assert_true(got);
}

static void sends_body_and_fds(void **state)
{
    (void)state;
    PmError err = {0};
    json_t *body = json_pack("{sssi}", "name", "caf\xc3\xa9", "n", 7);
    int memfd = pm_memfd_new("t", "hello", 5, &err);
    assert_true(memfd >= 0);
    assert_int_equal(pm_ipc_send(pair[0], PM_MSG_JOB, body, &memfd, 1, &err), PM_OK);
    close(memfd);
    PmMessage message;
    receive_ok(&message);
    assert_int_equal(message.type, PM_MSG_JOB);
    assert_true(json_equal(message.body, body));
    assert_int_equal(message.fd_count, 1);
    assert_true((fcntl(message.fds[0], F_GETFD) & FD_CLOEXEC) != 0);
    PmMapping map;
    assert_int_equal(pm_memfd_map(message.fds[0], 5, &map, &err), PM_OK);
    assert_memory_equal(map.bytes, "hello", 5);
    pm_memfd_unmap(&map);
    int fd = pm_message_take_fd(&message, 0);
    assert_int_equal(pm_message_take_fd(&message, 0), -1);
    assert_int_equal(pm_message_take_fd(&message, 1), -1);
    pm_message_finish(&message);
    assert_int_equal(fcntl(fd, F_GETFD) >= 0, 1);
    close(fd);
    json_decref(body);
}

static void sends_no_body(void **state)
{
    (void)state;
    assert_int_equal(pm_ipc_send(pair[0], PM_MSG_DESCRIBE, NULL, NULL, 0, NULL), PM_OK);
    PmMessage message;
    receive_ok(&message);
    assert_true(json_is_object(message.body));
    assert_int_equal(json_object_size(message.body), 0);
    pm_message_finish(&message);
}

static json_t *body_of(size_t text_size)
{
    char *text = malloc(text_size + 1);
    memset(text, 'x', text_size);
    text[text_size] = '\0';
    json_t *body = json_pack("{ss}", "t", text);
    free(text);
    return body;
}

static void large_body_travels_in_a_memfd(void **state)
{
    (void)state;
    static const size_t sizes[] = {PM_IPC_PACKET_MAX - 8, PM_IPC_PACKET_MAX - 7, PM_IPC_BODY_MAX - 8};
    int before = open_fds();
    for (size_t i = 0; i < 3; i++) {
        json_t *body = body_of(sizes[i]);
        int fds[PM_IPC_FDS_MAX];
        for (int k = 0; k < PM_IPC_FDS_MAX; k++) fds[k] = pair[0];
        PmError err = {0};
        assert_int_equal(pm_ipc_send(pair[0], PM_MSG_DONE, body, fds, PM_IPC_FDS_MAX, &err), PM_OK);
        PmMessage message;
        receive_ok(&message);
        assert_true(json_equal(message.body, body));
        assert_int_equal(message.fd_count, PM_IPC_FDS_MAX);
        pm_message_finish(&message);
        json_decref(body);
    }
    assert_int_equal(open_fds(), before);
}

static void refuses_to_send_too_much(void **state)
{
    (void)state;
    PmError err = {0};
    json_t *body = body_of(PM_IPC_BODY_MAX);
    assert_int_equal(pm_ipc_send(pair[0], PM_MSG_DONE, body, NULL, 0, &err), PM_LIMIT);
    json_decref(body);
    int fds[PM_IPC_FDS_MAX + 1] = {0};
    assert_int_equal(pm_ipc_send(pair[0], PM_MSG_DONE, NULL, fds, PM_IPC_FDS_MAX + 1, NULL), PM_BUG);
    assert_int_equal(pm_ipc_send(pair[0], PM_MSG_TYPES, NULL, NULL, 0, NULL), PM_BUG);
}

static void nothing_there(void **state)
{
    (void)state;
    PmMessage message;
    bool got = true;
    assert_int_equal(pm_ipc_receive(pair[1], MSG_DONTWAIT, &message, &got, NULL), PM_OK);
    assert_false(got);
}

static void other_end_gone(void **state)
{
    (void)state;
    close(pair[0]);
    PmMessage message;
    bool got;
    PmError err = {0};
    assert_int_equal(pm_ipc_receive(pair[1], 0, &message, &got, &err), PM_TRANSIENT);
    assert_string_equal(err.message, "the other end closed the connection");
    pm_error_clear(&err);
    assert_int_equal(pm_ipc_send(pair[1], PM_MSG_JOB, NULL, NULL, 0, &err), PM_TRANSIENT);
    assert_non_null(strstr(err.message, "JOB cannot be sent"));
    pair[0] = -1;
}

/* A packet as a hostile child would write it. */
typedef struct Packet {
    uint32_t magic;
    uint16_t type, flags;
    uint32_t body_size;
    uint16_t fd_count, reserved;
    char body[64];
} Packet;

static Packet packet(uint16_t type, uint16_t flags, uint32_t body_size, uint16_t fd_count, const char *body)
{
    Packet p = {.magic = 0x314D4950u, .type = type, .flags = flags, .body_size = body_size, .fd_count = fd_count};
    memcpy(p.body, body, strlen(body) + 1);
    return p;
}

static void send_raw(const void *bytes, size_t size, const int *fds, size_t fd_count)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 16)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {(void *)bytes, size};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    assert_int_equal(sendmsg(pair[0], &msg, 0), (ssize_t)size);
}

static void assert_refused(const char *expected)
{
    PmMessage message;
    bool got = true;
    PmError err = {0};
    assert_int_equal(pm_ipc_receive(pair[1], 0, &message, &got, &err), PM_BUG);
    assert_false(got);
    assert_null(message.body);
    assert_int_equal(message.fd_count, 0);
    char text[2048];
    pm_error_format(&err, text, sizeof text);
    if (strstr(text, expected) == NULL) fail_msg("\"%s\" does not say \"%s\"", text, expected);
}

static void refuses_broken_packets(void **state)
{
    (void)state;
    int before = open_fds();
    struct {
        Packet packet;
        size_t size;
        const char *expected;
    } cases[] = {
        {packet(1, 0, 2, 0, "{}"), 7, "a packet of 7 bytes is too short"},
        {{.magic = 1}, 18, "pixmill's header"},
        {packet(1, 2, 2, 0, "{}"), 18, "pixmill's header"},
        {packet(0, 0, 2, 0, "{}"), 18, "message type 0 is unknown"},
        {packet(PM_MSG_TYPES, 0, 2, 0, "{}"), 18, "is unknown"},
        {packet(1, 0, 3, 0, "{}"), 18, "a body of 3 bytes promised, 2 came"},
        {packet(1, 0, 0xFFFFFFFF, 0, "{}"), 18, "a body of 4294967295 bytes promised, 2 came"},
        {packet(1, 0, 2, 0, "[]"), 18, "no JSON object"},
        {packet(1, 0, 2, 0, "{x"), 18, "no JSON"},
        {packet(1, 0, 0, 0, ""), 16, "no JSON"},
        {packet(1, 0, 13, 0, "{\"a\":1,\"a\":2}"), 29, "duplicate"},
        {packet(1, 0, 2, 1, "{}"), 18, "1 descriptors promised, 0 came"},
        {packet(1, 0, 2, 9, "{}"), 18, "9 descriptors promised"},
        {packet(1, 1, 2, 0, ""), 16, "0 descriptors promised, 0 came"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        send_raw(&cases[i].packet, cases[i].size, NULL, 0);
        assert_refused(cases[i].expected);
    }
    char large[16 + PM_IPC_PACKET_MAX + 1] = {0};
    send_raw(large, sizeof large, NULL, 0);
    assert_refused("larger");
    int many[16];
    for (int i = 0; i < 16; i++) many[i] = pair[0];
    Packet p = packet(1, 0, 2, 4, "{}");
    send_raw(&p, 18, many, 16);
    assert_refused("more descriptors");
    send_raw(&p, 18, many, 5);
    assert_refused("4 descriptors promised, 5 came");
    p = packet(1, 0, 2, 0, "{}");
    send_raw(&p, 18, many, 1);
    assert_refused("0 descriptors promised, 1 came");
    assert_int_equal(open_fds(), before);
}

static void refuses_broken_memfd_bodies(void **state)
{
    (void)state;
    Packet p = packet(1, 1, 2, 0, "");
    send_raw(&p, 16, &pair[0], 1);
    assert_refused("sealed memory file");
    int open_fd = pm_memfd_open("t", NULL);
    assert_int_equal(write(open_fd, "{}", 2), 2);
    send_raw(&p, 16, &open_fd, 1);
    assert_refused("sealed memory file");
    close(open_fd);
    int sealed = pm_memfd_new("t", "{} ", 3, NULL);
    send_raw(&p, 16, &sealed, 1);
    assert_refused("a body of 2 bytes promised, 3 came");
    close(sealed);
    int huge = pm_memfd_open("t", NULL);
    assert_int_equal(ftruncate(huge, (off_t)1 << 40), 0);
    assert_int_equal(pm_memfd_seal(huge, NULL), PM_OK);
    send_raw(&p, 16, &huge, 1);
    assert_refused("above the limit");
    close(huge);
}

static void memfd_is_sealed(void **state)
{
    (void)state;
    PmError err = {0};
    int fd = pm_memfd_new("t", "abc", 3, &err);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 10), -1);
    PmMapping map;
    assert_int_equal(pm_memfd_map(fd, 2, &map, &err), PM_LIMIT);
    assert_null(map.bytes);
    pm_error_clear(&err);
    assert_int_equal(pm_memfd_map(fd, 3, &map, &err), PM_OK);
    assert_int_equal(map.size, 3);
    pm_memfd_unmap(&map);
    pm_memfd_unmap(&map);
    close(fd);
    fd = pm_memfd_new("t", NULL, 0, &err);
    assert_int_equal(pm_memfd_map(fd, 0, &map, &err), PM_OK);
    assert_null(map.bytes);
    close(fd);
}

/* Only seals against a change are enough: a memfd that is merely not growable must not be mapped. */
static void half_sealed_is_refused(void **state)
{
    (void)state;
    static const int seals[] = {0, F_SEAL_WRITE, F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_WRITE | F_SEAL_GROW};
    for (size_t i = 0; i < sizeof seals / sizeof seals[0]; i++) {
        int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(write(fd, "abc", 3), 3);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals[i]), 0);
        PmMapping map;
        assert_int_equal(pm_memfd_map(fd, 100, &map, NULL), PM_BUG);
        close(fd);
    }
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    PmMapping map;
    assert_int_equal(pm_memfd_map(null, 100, &map, NULL), PM_BUG);
    assert_int_equal(pm_memfd_map(-1, 100, &map, NULL), PM_BUG);
    close(null);
}

static void progress_is_shared_and_safe(void **state)
{
    (void)state;
    PmError err = {0};
    PmProgress *ours = NULL;
    int fd = pm_progress_new(&ours, &err);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 0), -1);
    PmProgress *theirs = pm_progress_map(fd);
    assert_non_null(theirs);
    memset(theirs, 'A', sizeof *theirs); /* a hostile child */
    theirs->line = 12;
    PmProgress copy = pm_progress_read(ours);
    assert_int_equal(strlen(copy.plugin), sizeof copy.plugin - 1);
    assert_int_equal(strlen(copy.step), sizeof copy.step - 1);
    assert_int_equal(strlen(copy.fault_plugin), sizeof copy.fault_plugin - 1);
    assert_int_equal(copy.line, 12);
    pm_progress_unmap(theirs);
    pm_progress_unmap(ours);
    pm_progress_unmap(NULL);
    close(fd);
    int other = pm_memfd_new("t", "abc", 3, NULL);
    assert_null(pm_progress_map(other));
    assert_null(pm_progress_map(-1));
    close(other);
}

static void names_messages(void **state)
{
    (void)state;
    for (int i = 1; i < PM_MSG_TYPES; i++) assert_string_not_equal(pm_message_name((PmMessageType)i), "unknown");
    assert_string_equal(pm_message_name(PM_MSG_TYPES), "unknown");
    assert_string_equal(pm_message_name((PmMessageType)0), "unknown");
}

/* A body that memory was short for is neither cut nor the other end's fault. */
static void a_body_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    enum { RUNS_MAX = 200 };
    static const char text[] = "{\"plugin\":\"a-name-that-is-longer-than-a-short-buffer\",\"steps\":[{\"step\":"
                               "\"resize\"},[1,2,3]]}";
    size_t n = 0;
    bool failed = true;
    while (failed && ++n < RUNS_MAX) {
        PmError err = {0};
        PmMessage message;
        bool got = false;
        assert_int_equal(pm_ipc_send_text(pair[0], PM_MSG_LOG, text, sizeof text - 1, &err), PM_OK);
        failing_nth(n);
        PmStatus status = pm_ipc_receive(pair[1], 0, &message, &got, &err);
        failed = failing_stop();
        if (status == PM_OK) {
            char *whole = json_dumps(message.body, JSON_COMPACT);
            assert_string_equal(whole, text);
            free(whole);
        } else {
            assert_int_equal(status, PM_TRANSIENT);
            assert_string_equal(err.message, "LOG: out of memory");
        }
        assert_int_equal(got, status == PM_OK);
        pm_message_finish(&message);
    }
    assert_in_range(n, 10, RUNS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sends_body_and_fds, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(sends_no_body, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(large_body_travels_in_a_memfd, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(refuses_to_send_too_much, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(nothing_there, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(other_end_gone, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(refuses_broken_packets, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(refuses_broken_memfd_bodies, make_pair, drop_pair),
        cmocka_unit_test_setup_teardown(a_body_is_read_whole_or_not_at_all, make_pair, drop_pair),
        cmocka_unit_test(memfd_is_sealed),
        cmocka_unit_test(half_sealed_is_refused),
        cmocka_unit_test(progress_is_shared_and_safe),
        cmocka_unit_test(names_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

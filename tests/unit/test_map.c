/* The hash map against a plain array, through growth and removal in the middle of probe runs; the list; the ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/ring.h"

static void behaves_like_an_array(void **state)
{
    (void)state;
    enum { KEYS = 700 };
    struct map m = MAP_INIT;
    void *model[KEYS] = {NULL};
    uint32_t seed = 12345;
    size_t expected = 0;
    char name[16];
    for (int step = 0; step < 40000; step++) {
        seed = seed * 1664525u + 1013904223u;
        size_t k = (seed >> 8) % KEYS;
        snprintf(name, sizeof name, "key%zu", k);
        if (seed >> 31) {
            expected += model[k] == NULL;
            assert_ptr_equal(map_put(&m, str_of(name), &model[k]), model[k]);
            model[k] = &model[k];
        } else {
            expected -= model[k] != NULL;
            assert_ptr_equal(map_remove(&m, str_of(name)), model[k]);
            model[k] = NULL;
        }
        assert_int_equal(m.count, expected);
    }
    size_t walked = 0;
    for (size_t k = 0; k < KEYS; k++) {
        snprintf(name, sizeof name, "key%zu", k);
        assert_ptr_equal(map_get(&m, str_of(name)), model[k]);
    }
    MAP_FOR(slot, &m) walked++;
    assert_int_equal(walked, expected);
    map_free(&m);
    assert_null(map_get(&m, STR("key1")));
    assert_null(map_remove(&m, STR("key1")));
}

struct item {
    int value;
    struct list node;
};

static void list_order_and_removal_while_walking(void **state)
{
    (void)state;
    struct list head;
    struct item items[4] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}};
    list_init(&head);
    assert_true(list_empty(&head));
    for (int i = 1; i < 4; i++) list_append(&head, &items[i].node);
    list_prepend(&head, &items[0].node);
    int next = 0;
    LIST_FOR(it, &head) assert_int_equal(LIST_ENTRY(it, struct item, node)->value, next++);
    assert_int_equal(next, 4);
    LIST_FOR_SAFE(it, &head)
    if (LIST_ENTRY(it, struct item, node)->value % 2) list_remove(it);
    assert_ptr_equal(head.next, &items[0].node);
    assert_ptr_equal(head.prev, &items[2].node);
    list_remove(&items[1].node); /* off the list already: harmless */
}

static void ring_is_full_at_its_size(void **state)
{
    (void)state;
    struct ring r;
    ring_init(&r, 4, sizeof(int));
    for (int i = 0; i < 4; i++) {
        *(int *)ring_slot(&r) = i;
        ring_push(&r);
    }
    assert_null(ring_slot(&r));
    assert_int_equal(ring_used(&r), 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(*(const int *)ring_peek(&r), i);
        ring_pop(&r);
    }
    assert_null(ring_peek(&r));
    ring_destroy(&r);
}

enum { RECORDS = 200000 };

static void *produce(void *arg)
{
    struct ring *r = arg;
    for (uint64_t i = 0; i < RECORDS;) {
        uint64_t *to = ring_slot(r);
        if (!to) {
            sched_yield();
            continue;
        }
        *to = i++;
        ring_push(r);
    }
    return NULL;
}

static void ring_keeps_order_between_threads(void **state)
{
    (void)state;
    struct ring *r = xmalloc(sizeof *r); /* must not need more than malloc's alignment */
    pthread_t thread;
    ring_init(r, 64, sizeof(uint64_t));
    assert_int_equal(pthread_create(&thread, NULL, produce, r), 0);
    for (uint64_t i = 0; i < RECORDS;) {
        const uint64_t *got = ring_peek(r);
        if (!got) {
            sched_yield();
            continue;
        }
        assert_int_equal(*got, i++);
        ring_pop(r);
    }
    pthread_join(thread, NULL);
    ring_destroy(r);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_like_an_array),
        cmocka_unit_test(list_order_and_removal_while_walking),
        cmocka_unit_test(ring_is_full_at_its_size),
        cmocka_unit_test(ring_keeps_order_between_threads),
    };
    return cmocka_run_group_tests_name("map, list, ring", tests, NULL, NULL);
}

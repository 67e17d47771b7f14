/* The page's pieces: escaping, figures, templates, graphs; and whole pages from snapshots made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/graph.h"
#include "admin/html.h"
#include "admin/page.h"
#include "admin/words.h"
#include "base/mem.h"

static bool has(const struct buf *b, const char *text)
{
    return strstr(buf_cstr(b), text) != NULL;
}

static void test_text_is_escaped(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(8192);
    html_text(&b, "<a href=\"x\" b='y'>&\x1b[2J\xff\xe2\x80\xae中");
    assert_string_equal(buf_cstr(&b), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;?[2J??中");
    buf_free(&b);
}

static void assert_count(uint64_t n, const char *text)
{
    struct buf b = BUF_INIT(64);
    html_count(&b, n);
    assert_string_equal(buf_cstr(&b), text);
    buf_free(&b);
}

static void test_figures(void **state)
{
    (void)state;
    assert_count(0, "0");
    assert_count(999, "999");
    assert_count(1000, "1.00K");
    assert_count(1240, "1.24K");
    assert_count(99950, "99.9K");
    assert_count(148230, "148K");
    assert_count(38210000, "38.2M");
    assert_count(UINT64_MAX, "18.4E");
    struct buf b = BUF_INIT(256);
    html_money(&b, 14500000);
    html_money(&b, -1230000);
    html_money(&b, INT64_MIN);
    assert_true(has(&b, "¥14.50-¥1.23-¥9223372036854.77"));
    buf_reset(&b);
    html_ms(&b, -1);
    html_ms(&b, 412);
    html_ms(&b, 3210);
    html_ms(&b, 80000);
    html_ms(&b, 7500000);
    assert_string_equal(buf_cstr(&b), "-412 ms3.2 s1m 20s2h 05m");
    buf_free(&b);
}

static void slot_name(struct buf *out, const void *arg)
{
    html_text(out, arg);
}

static const char *word(const void *arg, struct str name)
{
    (void)arg;
    return str_is(name, "hello") ? "Hello & welcome" : NULL;
}

static void test_template(void **state)
{
    (void)state;
    static const struct html_slot slots[] = {{"name", slot_name}};
    struct buf b = BUF_INIT(256);
    html_fill(&b, STR("<p>{{=hello}}, {{name}}!</p>{{name}}"), slots, 1, word, "<x>");
    assert_string_equal(buf_cstr(&b), "<p>Hello &amp; welcome, &lt;x&gt;!</p>&lt;x&gt;");
    buf_free(&b);
}

static void test_graph(void **state)
{
    (void)state;
    const int64_t values[8] = {-1, -1, -1, 4, 0, 0, 100, 100};
    int64_t bars[4];
    struct buf b = BUF_INIT(4096);
    graph_group(values, 8, 2, bars);
    assert_int_equal(bars[0], -1);
    assert_int_equal(bars[1], 4);
    assert_int_equal(bars[2], 0);
    assert_int_equal(bars[3], 200);
    struct graph_sum s = graph_sum(bars, 4);
    assert_int_equal(s.known, 3);
    assert_int_equal(s.last, 200);
    assert_int_equal(s.peak, 200);
    assert_int_equal(s.low, 0);
    graph_svg(&b, bars, 4, "a \"label\"");
    assert_true(has(&b, "aria-label=\"a &quot;label&quot;\""));
    assert_true(has(&b, "<rect class=\"none\" x=\"0\" y=\"0\" width=\"10\" height=\"100\"/>"));
    assert_true(has(&b, "<rect class=\"bar\" x=\"10\" y=\"97\" width=\"8\" height=\"3\"/>"));
    assert_true(has(&b, "<rect class=\"zero\" x=\"20\" y=\"98\" width=\"8\" height=\"2\"/>"));
    assert_true(has(&b, "<rect class=\"bar\" x=\"30\" y=\"0\" width=\"8\" height=\"100\"/>"));
    buf_free(&b);
}

static void test_every_word_is_there(void **state)
{
    (void)state;
    for (size_t w = 0; w < WORD_COUNT; w++)
        for (size_t l = 0; l < PAGE_LANGS; l++) assert_true(*page_word((enum page_lang)l, (enum page_word)w));
    for (size_t l = 0; l < PAGE_LANGS; l++) {
        for (size_t i = 0; i < KEY_STATE_COUNT; i++) {
            assert_true(*state_look((enum key_state)i)->symbol);
            assert_true(*state_look((enum key_state)i)->words[l]);
        }
        for (size_t i = 0; i < CLASS_COUNT; i++) assert_true(*class_look((enum key_class)i)->words[l]);
        for (size_t i = 0; i < VERDICT_COUNT; i++) assert_true(*verdict_word((enum page_lang)l, (enum verdict)i));
        for (size_t i = 0; i < END_COUNT; i++) assert_true(*end_word((enum page_lang)l, (enum end_reason)i));
    }
    assert_string_not_equal(verdict_word(PAGE_ZH, VERDICT_NO_FUNDS), verdict_word(PAGE_EN, VERDICT_NO_FUNDS));
}

/* Every state, class, balance and cooldown in turn; text that is markup wherever text may be foreign. */
static void fill_keys(struct snapshot *s, size_t n)
{
    s->keys = xcalloc(n + 1, sizeof *s->keys);
    s->key_count = n;
    for (size_t i = 0; i < n; i++) {
        struct key_view *k = &s->keys[i].view;
        snprintf(k->id, sizeof k->id, "%08x", (unsigned)i);
        snprintf(k->label, sizeof k->label, "<tagged %zu>", i);
        k->enabled = true;
        k->state = (enum key_state)(i % KEY_STATE_COUNT);
        k->class = (enum key_class)(i % CLASS_COUNT);
        k->balance_origin = (enum balance_origin)(i % 3);
        k->cooldown_count = (unsigned)(i % 20); /* more than the view holds */
        snprintf(k->cooldowns[0].model, sizeof k->cooldowns[0].model, "<cool>");
        k->last_error.at.ms = (int64_t)(i % 2);
        k->last_error.verdict = (enum verdict)(i % VERDICT_COUNT);
        snprintf(k->last_error.message, sizeof k->last_error.message, "<error>\x1b]52;c");
    }
}

static void fill_rest(struct snapshot *s, size_t n)
{
    s->models = xcalloc(n + 1, sizeof *s->models);
    s->requests = xcalloc(n + 1, sizeof *s->requests);
    s->model_count = s->request_count = n;
    for (size_t i = 0; i < n; i++) {
        snprintf(s->models[i].id, sizeof s->models[i].id, "<model %zu>", i);
        s->models[i].cost = (enum model_cost)(i % 3);
        struct record *r = &s->requests[i].r;
        snprintf(r->model, sizeof r->model, "<model>");
        snprintf(r->client, sizeof r->client, "<client>");
        snprintf(r->path, sizeof r->path, "<path>");
        s->requests[i].live = i < 3;
        snprintf(s->requests[i].state, sizeof s->requests[i].state, "stream");
        r->end = (enum end_reason)(i % END_COUNT);
        r->usage = (struct usage){.known = i % 2, .in = 100, .out = 50};
    }
}

static void write_page(size_t n, enum page_lang lang, struct buf *out)
{
    struct snapshot *s = snapshot_new();
    fill_keys(s, n);
    fill_rest(s, n);
    snprintf(s->alarm, sizeof s->alarm, "<alarm>");
    struct page_view v = {s, lang, true, true, "tag", "tag"};
    page_write(&v, out);
    snapshot_put(s);
}

static void test_pages_of_all_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 24, 200, 1000};
    for (size_t i = 0; i < ARRAY_LEN(sizes) * PAGE_LANGS; i++) {
        struct buf out = BUF_INIT(PAGE_CAP);
        write_page(sizes[i / PAGE_LANGS], (enum page_lang)(i % PAGE_LANGS), &out);
        assert_false(out.failed);
        assert_true(str_ends(buf_str(&out), "</html>\n"));
        static const char *const never[] = {"<tagged", "<cool",  "<error", "<model", "<client",
                                            "<path>",  "<alarm", "{{",     "style=", "\x1b"};
        for (size_t k = 0; k < ARRAY_LEN(never); k++)
            if (has(&out, never[k])) fail_msg("%s is on the page", never[k]);
        assert_true(has(&out, "&lt;alarm&gt;"));
        buf_free(&out);
    }
}

static void test_open_breakers(void **state)
{
    (void)state;
    for (int lang = 0; lang < PAGE_LANGS; lang++) {
        struct buf out = BUF_INIT(PAGE_CAP);
        struct snapshot *s = snapshot_new();
        fill_keys(s, 4);
        fill_rest(s, 4);
        snprintf(s->breaker, sizeof s->breaker, "open");
        s->breaker_kind = VERDICT_CONNECT;
        s->breaker_probe_ms = 7500;
        s->waiting = 3;
        snprintf(s->models[1].breaker, sizeof s->models[1].breaker, "half-open");
        s->models[1].trouble_kind = VERDICT_BUSY;
        s->models[1].banned = false;
        struct page_view v = {s, (enum page_lang)lang, false, false, "tag", "tag"};
        page_write(&v, &out);
        assert_true(has(&out, page_word(v.lang, WORD_upstream_down)));
        assert_true(has(&out, verdict_word(v.lang, VERDICT_CONNECT)) && has(&out, "8s"));
        assert_true(has(&out, page_word(v.lang, WORD_model_down)) && has(&out, page_word(v.lang, WORD_probing)));
        assert_true(has(&out, "<i aria-hidden=\"true\">!</i>"));
        assert_true(has(&out, page_word(v.lang, WORD_waiting)));
        snapshot_put(s);
        buf_free(&out);
    }
}

static void test_login_page(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(65536);
    page_write_login(PAGE_ZH, NOTE_WRONG, "tag", &out);
    assert_true(has(&out, page_word(PAGE_ZH, WORD_login_wrong)) && has(&out, "lang=\"zh-CN\""));
    buf_reset(&out);
    page_write_login(PAGE_EN, NOTE_NONE, "tag", &out);
    assert_false(has(&out, "role=\"alert\""));
    assert_false(has(&out, "{{"));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_escaped),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_template),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_every_word_is_there),
        cmocka_unit_test(test_pages_of_all_sizes),
        cmocka_unit_test(test_open_breakers),
        cmocka_unit_test(test_login_page),
    };
    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}

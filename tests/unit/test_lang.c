/* Both languages fit their slots, use the same placeholders, and every key is explained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>

#include "ui/tui/bindings.h"
#include "ui/tui/text.h"

static void every_text_fits_its_slot(void **state)
{
    (void)state;
    for (int m = 0; m < MSG_COUNT; m++)
        for (int l = 0; l < LANG_COUNT; l++) {
            const char *s = lang_text((enum msg)m, (enum lang)l);
            int cells = lang_cells((enum msg)m);
            if (m != MSG_NONE && !*s) fail_msg("message %d is empty", m);
            if (cells && text_width(s) > cells)
                fail_msg("\"%s\" is %d cells wide, its slot %d", s, text_width(s), cells);
        }
}

static unsigned placeholders(const char *s)
{
    unsigned set = 0;
    for (; *s; s++)
        if (s[0] == '{' && s[1] >= '0' && s[1] <= '9' && s[2] == '}') set |= 1u << (s[1] - '0');
    return set;
}

static void both_languages_use_the_same_placeholders(void **state)
{
    (void)state;
    for (int m = 0; m < MSG_COUNT; m++) {
        const char *en = lang_text((enum msg)m, LANG_EN), *zh = lang_text((enum msg)m, LANG_ZH);
        if (placeholders(en) != placeholders(zh)) fail_msg("\"%s\" and \"%s\" differ in placeholders", en, zh);
    }
}

static void placeholders_are_filled(void **state)
{
    char out[64];
    (void)state;
    lang_set(LANG_EN);
    tr_with(out, sizeof out, MSG_P_ADD_COUNT, "3", "1", "0", NULL);
    assert_string_equal(out, "3 new, 1 duplicate, 0 ignored");
    tr_with(out, 8, MSG_P_ADD_COUNT, "3", "1", "0", NULL);
    assert_string_equal(out, "3 new, ");
}

/* An action whose bindings are all without help would be a key nobody can find. Keys that go with a named one (down
 * with up, 2 with 1) share its line. */
static void every_action_has_help(void **state)
{
    static const enum action shared[] = {ACT_DOWN,      ACT_LEFT, ACT_RIGHT,     ACT_PAGE_DOWN, ACT_HALF_UP,
                                         ACT_HALF_DOWN, ACT_LAST, ACT_PREV_VIEW, ACT_SORT_BACK};
    (void)state;
    for (int act = ACT_NONE + 1; act < ACT_COUNT; act++) {
        bool ok = false, bound = false;
        for (size_t i = 0; i < ARRAY_LEN(bindings); i++) {
            if (bindings[i].action != (enum action)act) continue;
            bound = true;
            ok |= bindings[i].help != MSG_NONE && bindings[i].label[0];
        }
        for (size_t i = 0; i < ARRAY_LEN(shared); i++) ok |= shared[i] == (enum action)act;
        if (!ok || !bound) fail_msg("action %d is %s", act, bound ? "not explained" : "not bound");
    }
}

static void no_key_means_two_things(void **state)
{
    (void)state;
    for (int v = 0; v < SCOPE_COUNT; v++)
        for (size_t i = 0; i < ARRAY_LEN(bindings); i++)
            for (size_t k = 0; k < i; k++) {
                const struct binding *a = &bindings[i], *b = &bindings[k];
                bool both = a->scope & b->scope & 1u << v;
                if (!both || a->key != b->key || a->action == b->action) continue;
                if (a->scope != IN_ALL) fail_msg("key %u has two meanings in view %d", a->key, v);
            }
}

static void language_follows_the_environment(void **state)
{
    (void)state;
    unsetenv("LC_ALL");
    unsetenv("LC_MESSAGES");
    setenv("LANG", "zh_CN.UTF-8", 1);
    assert_int_equal(lang_of_environment(), LANG_ZH);
    setenv("LC_ALL", "C.UTF-8", 1);
    assert_int_equal(lang_of_environment(), LANG_EN);
    unsetenv("LC_ALL");
    unsetenv("LANG");
    assert_int_equal(lang_of_environment(), LANG_EN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_fits_its_slot), cmocka_unit_test(both_languages_use_the_same_placeholders),
        cmocka_unit_test(placeholders_are_filled),  cmocka_unit_test(every_action_has_help),
        cmocka_unit_test(no_key_means_two_things),  cmocka_unit_test(language_follows_the_environment),
    };
    if (!setlocale(LC_CTYPE, "C.UTF-8")) return 1;
    return cmocka_run_group_tests_name("lang", tests, NULL, NULL);
}

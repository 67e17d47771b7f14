/* Which client is asking: the two headers, their order, and everything that is nearly right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/secret.h"
#include "proxy/auth.h"

static struct client_conf clients[] = {{.name = (char[]){"default"}}, {.name = (char[]){"alice"}}};
static struct conf conf = {.clients = clients, .client_count = ARRAY_LEN(clients)};

static int setup(void **state)
{
    (void)state;
    sha256(STR("default-secret"), clients[0].digest);
    sha256(STR("alices secret"), clients[1].digest);
    return 0;
}

/* "name: value" lines, as a head. */
static struct head head_of(struct head_field fields[4], const char *const lines[4])
{
    struct head h = {.fields = fields};
    for (size_t i = 0; i < 4 && lines[i]; i++) {
        const char *colon = strchr(lines[i], ':');
        fields[h.field_count++] =
            (struct head_field){{lines[i], (size_t)(colon - lines[i])}, str_trim(str_of(colon + 1))};
    }
    return h;
}

static void test_who(void **state)
{
    (void)state;
    static const struct {
        const char *lines[4];
        const char *name; /* NULL: nobody */
    } rows[] = {
        {{NULL}, NULL},
        {{"Authorization: Bearer default-secret"}, "default"},
        {{"authorization: bearer alices secret"}, "alice"},
        {{"AUTHORIZATION: BEARER   default-secret"}, "default"},
        {{"x-api-key: default-secret"}, "default"},
        {{"X-API-Key: alices secret"}, "alice"},
        {{"Authorization: Bearer wrong", "x-api-key: default-secret"}, NULL}, /* the bearer token is what counts */
        {{"Authorization: Bearer alices secret", "x-api-key: default-secret"}, "alice"},
        {{"Authorization: Basic eDp5", "x-api-key: default-secret"}, "default"},
        {{"Authorization: default-secret"}, NULL},
        {{"Authorization: Bearer"}, NULL},
        {{"Authorization: Bearer "}, NULL},
        {{"Authorization: Bearerdefault-secret"}, NULL},
        {{"Authorization: Bearer default-secretx"}, NULL},
        {{"Authorization: Bearer default-secre"}, NULL},
        {{"Authorization: Bearer Default-secret"}, NULL},
        {{"Authorization: Bearer default"}, NULL}, /* a name is no key */
        {{"x-api-key:"}, NULL},
        {{"x-api-keys: default-secret"}, NULL},
        {{"Cookie: default-secret"}, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct head_field fields[4];
        struct head h = head_of(fields, rows[i].lines);
        const char *name = auth_client(&conf, &h, "10.0.0.1");
        if (!rows[i].name != !name || (name && strcmp(name, rows[i].name) != 0))
            fail_msg("row %zu: %s", i, name ? name : "nobody");
    }
}

static void test_without_clients_everybody_is_its_address(void **state)
{
    (void)state;
    const struct conf open = {.client_count = 0};
    struct head_field fields[4];
    const char *const lines[4] = {"Authorization: Bearer anything"};
    struct head h = head_of(fields, lines);
    assert_string_equal(auth_client(&open, &h, "10.0.0.1"), "10.0.0.1");
}

static void test_an_empty_credential_is_nobody(void **state)
{
    (void)state;
    struct client_conf empty = {.name = (char[]){"empty"}};
    struct conf c = {.clients = &empty, .client_count = 1};
    struct head h = {.field_count = 0};
    sha256(STR(""), empty.digest);
    assert_null(auth_client(&c, &h, "10.0.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_who, setup),
                                       cmocka_unit_test(test_without_clients_everybody_is_its_address),
                                       cmocka_unit_test(test_an_empty_credential_is_nobody)};
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}

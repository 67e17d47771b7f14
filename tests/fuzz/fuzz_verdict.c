/* Any bytes as an upstream's answer. The first two bytes choose the status, the rest is the body. Checked: a verdict in
 * range, a terminated clean message, no key touched by a client error without a code of ours, the body's bytes not read
 * past their end (by the sanitizer: the copy has exactly their size). */
#include "pool/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) abort();
}

static void check_error(const struct upstream_error *e)
{
    char again[sizeof e->message];
    check(memchr(e->message, '\0', sizeof e->message) != NULL);
    check(text_clean(str_of(e->message), again, sizeof again) == strlen(e->message));
    check(strcmp(again, e->message) == 0);
    check(e->metric[3] == '\0');
    check(e->code >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct upstream_error e;
    if (size < 2) return 0;
    int status = (data[0] << 8 | data[1]) % 700;
    char *body = malloc(size - 1);
    if (size > 2) memcpy(body, data + 2, size - 2);
    struct str s = {body, size - 2};
    enum verdict v = verdict_of_answer(status, true, s, &e);
    check((unsigned)v < VERDICT_COUNT);
    check_error(&e);
    if (status == 400 && e.code != 30014 && e.code != 30001) check(v == VERDICT_BAD_REQUEST);
    if (status == 200 && !e.is_object) check(v == VERDICT_OK);
    v = verdict_of_event(s, &e);
    check((unsigned)v < VERDICT_COUNT);
    check_error(&e);
    free(body);
    return 0;
}

/* Arbitrary bytes as a price. Checks what callers rely on: what was read shows as a text that reads back the same, and
 * no cost is below 0 but -1, for any numbers. */
#include "base/check.h"
#include "conf/price.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct price p, again;
    struct price_use use = {.known = true};
    char text[PRICE_TEXT_MAX];
    size_t numbers = MIN(size, 4 * sizeof(int64_t));
    memcpy(&use.in, data, numbers);
    BUG_ON(price_cost(&(struct price){.unit = PRICE_UNKNOWN}, &use) != -1);
    if (!price_parse((struct str){(const char *)data, size}, &p)) return 0;
    BUG_ON(p.steps < 1 || p.steps > PRICE_STEPS_MAX || p.unit == PRICE_UNKNOWN);
    price_text(&p, text, sizeof text);
    BUG_ON(!price_parse(str_of(text), &again) || memcmp(&p, &again, sizeof p) != 0);
    BUG_ON(price_cost(&p, &use) < -1);
    return 0;
}

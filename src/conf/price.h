/* Prices of models: reading them, showing them, and what a request costs. Integer money only: micro-CNY, and prices in
 * micro-CNY per million tokens or per unit. Pure; any thread.
 *
 *   "0"                                  free
 *   "1.5/4/0.4"                          CNY per million tokens: input / output / cached input
 *   "1.5/4"                              cached input costs what input costs
 *   "0.07"                               input and output cost the same (embeddings have no output)
 *   "0.8/6.4 <=128K, 2/16"               steps by the request's input tokens, three at most; K is 1000, M a million
 *   "0.8/6.4 and up"                     dearer for longer inputs, nobody knows from where: costs are lower bounds
 *   "0.3/image"  "2/video"  "0.05/kB"    per picture, per video, per 1000 UTF-8 bytes of the text to speak
 *
 * Blanks do not matter; " per image" is "/image". Amounts have up to six decimals and are at most a million. */
#ifndef SFPROXY_CONF_PRICE_H
#define SFPROXY_CONF_PRICE_H

#include "base/str.h"

enum { PRICE_STEPS_MAX = 3, PRICE_TEXT_MAX = 160 };
#define PRICE_AMOUNT_MAX 1000000000000 /* micro-CNY */

enum price_unit { PRICE_UNKNOWN, PRICE_TOKENS, PRICE_IMAGE, PRICE_VIDEO, PRICE_KBYTE };

struct price {
    enum price_unit unit;
    uint8_t steps; /* 1 to 3; 0 with PRICE_UNKNOWN */
    bool grows;    /* beyond the last step, or an unknown length, it is dearer: what is computed is a lower bound */
    struct price_step {
        int64_t up_to;           /* input tokens, rising; INT64_MAX: any */
        int64_t in, out, cached; /* micro-CNY per million tokens; `in` alone: per unit */
    } step[PRICE_STEPS_MAX];
};

/* What was used, as the platform told it. */
struct price_use {
    bool known;              /* the tokens are */
    int64_t in, out, cached; /* tokens; the cached ones are among `in` */
    int64_t units;           /* pictures, videos, bytes; 0: none, or not known */
};

/* False: not a price; *out is PRICE_UNKNOWN then. */
bool price_parse(struct str text, struct price *out);
/* "1.5 / 4 / 0.4", "0.3 per image"; "" when unknown. price_parse() reads it back, when it was not cut. */
void price_text(const struct price *p, char *out, size_t size);
/* micro-CNY, to the nearest, saturating; -1: not known (no price, nothing counted, longer than the last step). The
 * whole request costs what the step of its input says. */
int64_t price_cost(const struct price *p, const struct price_use *u);
/* Costs nothing, whatever is used. */
bool price_is_free(const struct price *p);

/* Sums that stop at the end of the range instead of turning round. `b` may be negative. */
int64_t money_add(int64_t a, int64_t b);

#endif

/* Usage as it is asked for and told: `GET admin/api/usage`, `sfproxy usage`, and the billing routes that OpenAI clients
 * know. The questions are answered from the ledger by way of the control thread; here is what they mean and how the
 * answers are written. Pure but for the handlers. */
#ifndef SFPROXY_ADMIN_USAGE_H
#define SFPROXY_ADMIN_USAGE_H

#include "proxy/local.h"
#include "store/ledger.h"

/* "since=7d&by=day,model". since: days ("7d" is today and the six days before), hours or minutes ("12h", from the rows
 * that are kept), a date ("2026-11-01") or "all"; 7d when absent. by: of day, model, key, client; model when absent.
 * False: a sentence in `why`. */
bool usage_ask_parse(struct str query, wall_t now, struct usage_ask *out, char *why, size_t size);
/* {"since","from","by":[...],"rows":[...],"total":{...},"cut"} */
void usage_json(const struct usage_ask *ask, const struct usage_list *list, struct buf *out);

enum billing_kind { BILLING_SUBSCRIPTION, BILLING_USAGE, BILLING_CREDIT_GRANTS, BILLING_KINDS };
/* What a billing route needs to know: usage by its start_date and end_date (both days included; this month when
 * absent), the others this month. False: a date is none. */
bool billing_ask_parse(enum billing_kind kind, struct str query, wall_t now, struct usage_ask *out);
/* `balance_micro`: sum of the known balances. */
void billing_json(enum billing_kind kind, const struct usage_list *list, int64_t balance_micro, struct buf *out);

#endif

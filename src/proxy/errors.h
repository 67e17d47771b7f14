/* Every error answer of our own, once: code, HTTP status, OpenAI type, Anthropic type, and whether an SDK may try again
 * by itself. A message tells what happened and what to do. Pure. */
#ifndef SFPROXY_PROXY_ERRORS_H
#define SFPROXY_PROXY_ERRORS_H

#include "base/buf.h"
#include "pool/verdict.h"

/* ERROR(id, status, openai_type, anthropic_type, sdk_may_retry) */
#define ERROR_TABLE(ERROR)                                                                                             \
    ERROR(no_keys, 503, "server_error", "api_error", false)                                                            \
    ERROR(no_usable_key, 503, "server_error", "api_error", false)                                                      \
    ERROR(all_cooling, 429, "rate_limit_error", "rate_limit_error", false)                                             \
    ERROR(queue_full, 429, "rate_limit_error", "rate_limit_error", true)                                               \
    ERROR(client_busy, 429, "rate_limit_error", "rate_limit_error", false)                                             \
    ERROR(insufficient_funds, 402, "insufficient_quota", "api_error", false)                                           \
    ERROR(not_verified, 403, "permission_error", "permission_error", false)                                            \
    ERROR(model_denied, 403, "permission_error", "permission_error", false)                                            \
    ERROR(model_banned, 404, "invalid_request_error", "not_found_error", false)                                        \
    ERROR(not_found, 404, "invalid_request_error", "not_found_error", false)                                           \
    ERROR(method_not_allowed, 405, "invalid_request_error", "invalid_request_error", false)                            \
    ERROR(bad_request, 400, "invalid_request_error", "invalid_request_error", false)                                   \
    ERROR(request_timeout, 408, "invalid_request_error", "invalid_request_error", false)                               \
    ERROR(uri_too_long, 414, "invalid_request_error", "invalid_request_error", false)                                  \
    ERROR(unsupported_encoding, 415, "invalid_request_error", "invalid_request_error", false)                          \
    ERROR(headers_too_large, 431, "invalid_request_error", "invalid_request_error", false)                             \
    ERROR(expectation_failed, 417, "invalid_request_error", "invalid_request_error", false)                            \
    ERROR(not_implemented, 501, "invalid_request_error", "invalid_request_error", false)                               \
    ERROR(http_version, 505, "invalid_request_error", "invalid_request_error", false)                                  \
    ERROR(misdirected, 421, "invalid_request_error", "invalid_request_error", false)                                   \
    ERROR(forbidden, 403, "permission_error", "permission_error", false)                                               \
    ERROR(duplicate_key, 400, "invalid_request_error", "invalid_request_error", false)                                 \
    ERROR(bad_json, 400, "invalid_request_error", "invalid_request_error", false)                                      \
    ERROR(bad_model, 400, "invalid_request_error", "invalid_request_error", false)                                     \
    ERROR(body_too_large, 413, "invalid_request_error", "request_too_large", false)                                    \
    ERROR(unauthorized, 401, "authentication_error", "authentication_error", false)                                    \
    ERROR(busy_memory, 503, "server_error", "overloaded_error", true)                                                  \
    ERROR(draining, 503, "server_error", "overloaded_error", true)                                                     \
    ERROR(cancelled, 503, "server_error", "api_error", false)                                                          \
    ERROR(upstream_dns, 502, "server_error", "api_error", false)                                                       \
    ERROR(upstream_connect, 502, "server_error", "api_error", false)                                                   \
    ERROR(upstream_tls, 502, "server_error", "api_error", false)                                                       \
    ERROR(upstream_redirect, 502, "server_error", "api_error", false)                                                  \
    ERROR(upstream_garbage, 502, "server_error", "api_error", false)                                                   \
    ERROR(upstream_error, 502, "server_error", "api_error", false)                                                     \
    ERROR(upstream_picture, 502, "server_error", "api_error", false)                                                   \
    ERROR(upstream_timeout, 504, "server_error", "api_error", false)                                                   \
    ERROR(upstream_lost, 502, "server_error", "api_error", false)                                                      \
    ERROR(upstream_unavailable, 503, "server_error", "overloaded_error", true)

enum error_code {
#define ERROR_ENUM(id, status, type, anthropic, retry) ERR_##id,
    ERROR_TABLE(ERROR_ENUM) ERR_COUNT
};

enum dialect { DIALECT_OPENAI, DIALECT_ANTHROPIC };

const char *error_name(enum error_code e);
int error_status(enum error_code e);
bool error_sdk_may_retry(enum error_code e);
/* Our error for a request that ended before it was complete, by HTTP status. */
enum error_code error_of_status(int status);

/* The JSON body. `from` (may be NULL): what the platform said; its code and message are kept at top level too. */
void error_body(struct buf *out, enum dialect d, enum error_code e, const char *message,
                const struct upstream_error *from);
/* The same as one event of a stream that broke. */
void error_event(struct buf *out, enum dialect d, enum error_code e, const char *message);

#endif

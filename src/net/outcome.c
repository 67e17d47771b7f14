/* libcurl's codes as results: one table, by code and by how far the request had got. Measured with 7.88: a header line
 * over 100 KiB is "out of memory", what is not HTTP is "unsupported protocol", a head cut off by a close is no error.
 */
#include "net/outcome.h"

/* What libcurl's code means: before anything was sent, after sending without a complete head, after the head. */
static const struct {
    CURLcode code;
    enum call_result result[3]; /* by phase */
} meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, {CALL_DNS, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_COULDNT_RESOLVE_PROXY, {CALL_DNS, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_COULDNT_CONNECT, {CALL_CONNECT, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_PROXY, {CALL_CONNECT, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_OPERATION_TIMEDOUT, {CALL_CONNECT, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_SSL_CONNECT_ERROR, {CALL_TLS, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_PEER_FAILED_VERIFICATION, {CALL_TLS, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_SSL_CERTPROBLEM, {CALL_TLS, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_SSL_CIPHER, {CALL_TLS, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_SSL_CACERT_BADFILE, {CALL_TLS, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_SSL_ISSUER_ERROR, {CALL_TLS, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_SSL_CRL_BADFILE, {CALL_TLS, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_SSL_INVALIDCERTSTATUS, {CALL_TLS, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_USE_SSL_FAILED, {CALL_TLS, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_SEND_ERROR, {CALL_CONNECT, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_RECV_ERROR, {CALL_CONNECT, CALL_RESET, CALL_TRUNCATED}}, /* unsent: the proxy refused or went away */
    {CURLE_GOT_NOTHING, {CALL_CONNECT, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_SEND_FAIL_REWIND, {CALL_INTERNAL, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_ABORTED_BY_CALLBACK, {CALL_INTERNAL, CALL_RESET, CALL_TRUNCATED}},
    {CURLE_PARTIAL_FILE, {CALL_INTERNAL, CALL_GARBAGE, CALL_TRUNCATED}},         /* headless: contradictory lengths */
    {CURLE_UNSUPPORTED_PROTOCOL, {CALL_INTERNAL, CALL_GARBAGE, CALL_TRUNCATED}}, /* headless: not HTTP */
    {CURLE_OUT_OF_MEMORY, {CALL_INTERNAL, CALL_GARBAGE, CALL_TRUNCATED}}, /* headless: a header line over 100 KiB */
    {CURLE_WEIRD_SERVER_REPLY, {CALL_GARBAGE, CALL_GARBAGE, CALL_TRUNCATED}},
    {CURLE_BAD_CONTENT_ENCODING, {CALL_GARBAGE, CALL_GARBAGE, CALL_TRUNCATED}},
    {CURLE_WRITE_ERROR, {CALL_INTERNAL, CALL_GARBAGE, CALL_TRUNCATED}}, /* ours have a fault; else broken coding */
};

enum call_result outcome_of(CURLcode code, enum outcome_phase phase)
{
    if (code == CURLE_OK) return phase == OUTCOME_AFTER ? CALL_OK : CALL_RESET;
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        if (meanings[i].code == code) return meanings[i].result[phase];
    }
    return CALL_INTERNAL;
}

void outcome_sentence(CURLcode code, const char *detail, char *out, size_t size)
{
    if (code == CURLE_OK) detail = "the connection was closed inside the reply head";
    if (code == CURLE_OUT_OF_MEMORY) detail = "no memory, or a line of the reply head is too long";
    if (detail[0] == '\0' || strchr(detail, '?') || strstr(detail, "sk-")) detail = curl_easy_strerror(code);
    text_clean(str_of(detail), out, size);
}

/* First byte even: JSON; odd: multipart, with the boundary "B". Besides memory safety: the splice position is right,
 * blanks around the body change nothing, and a document that passes also passes as a member's value. */
#include "base/buf.h"
#include "base/check.h"
#include "proxy/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct scan_text texts[] = {{.name = "uri"}, {.name = "input_file_id"}};
static const struct scan_limits limits = {.max_depth = 64, .max_model = 256, .texts = texts, .text_count = 2};

static void check_json(struct str body)
{
    struct scan a, b;
    struct buf text = BUF_INIT(1 << 22);
    enum scan_result r = scan_json(body, &limits, &a);
    BUG_ON(strlen(texts[0].value) >= sizeof texts[0].value || !memchr(texts[1].value, 0, sizeof texts[1].value));
    BUG_ON(a.model_len != strlen(a.model) || a.model_at + a.model_size > body.n || a.error_at > body.n);
    BUG_ON(r == SCAN_OK && (!a.has_model || body.p[a.model_at] != '"' || body.p[a.model_at + a.model_size - 1] != '"'));
    buf_puts(&text, " \n");
    buf_add_str(&text, body);
    buf_puts(&text, "\t\r ");
    BUG_ON(scan_json(buf_str(&text), &limits, &b) != r || strcmp(a.model, b.model) != 0 || a.stream != b.stream);
    buf_reset(&text);
    buf_puts(&text, "{\"x\":[");
    buf_add_str(&text, body);
    buf_puts(&text, "],\"model\":\"m\"}");
    enum scan_result wrapped = scan_json(buf_str(&text), &limits, &b);
    BUG_ON(r != SCAN_BAD_JSON && r != SCAN_TOO_DEEP && wrapped != SCAN_OK && wrapped != SCAN_TOO_DEEP);
    buf_free(&text);
}

static void check_multipart(struct str body)
{
    struct scan s;
    enum scan_result r = scan_multipart(body, STR("multipart/form-data; boundary=B"), &limits, &s);
    BUG_ON(s.model_len != strlen(s.model) || s.error_at > body.n || (r == SCAN_OK) != s.has_model);
    scan_multipart(STR("--B--"), body, &limits, &s); /* and the content type's parser */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct str body = {(const char *)data + 1, size - 1};
    if (data[0] & 1)
        check_multipart(body);
    else
        check_json(body);
    return 0;
}

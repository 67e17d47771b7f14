/* First byte: 0 a request for pictures, 1 one through chat, 2 the platform's answer, else the URL of a picture. Besides
 * memory safety: what is made of a good body is a good body again without OpenAI's parameters, and a reply made of an
 * answer holds its pictures. */
#include "base/check.h"
#include "base/mem.h"
#include "net/public_address.h"
#include "proxy/image_params.h"
#include "proxy/image_reply.h"
#include "proxy/picture_url.h"
#include "proxy/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_params(struct str body, bool chat)
{
    static const struct scan_limits limits = {.max_depth = 64, .max_model = 256};
    static const char *const ids[] = {"Kwai-Kolors/Kolors", "Qwen/Qwen-Image-Edit-2509", "x/FLUX-1.1-pro", "x/Kontext",
                                      "x/y"};
    struct scan s;
    struct image_ask ask, again;
    struct buf out = BUF_INIT(body.n + 4096), twice = BUF_INIT(body.n + 8192);
    if (scan_json(body, &limits, &s) != SCAN_OK) return;
    struct str model = str_of(ids[body.n % ARRAY_LEN(ids)]);
    bool good = (chat ? image_params_of_chat : image_params)(body, model, &ask, &out);
    if (good) {
        BUG_ON(out.failed || scan_json(buf_str(&out), &limits, &s) != SCAN_OK);
        BUG_ON(!image_params(buf_str(&out), model, &again, &twice) || again.n != 1 || again.b64);
        BUG_ON(again.changed && !chat && ask.changed);
    } else {
        BUG_ON(!ask.why[0]);
    }
    buf_free(&out);
    buf_free(&twice);
}

static void check_answer(struct str body)
{
    struct image_answer a, b;
    struct flow f;
    struct buf url = BUF_INIT(1 << 16), all = BUF_INIT(1 << 20);
    if (!image_answer_read(body, &a)) return;
    struct image_result r[ANSWER_PICTURES_MAX];
    for (size_t i = 0; i < a.count; i++) {
        r[i] = (struct image_result){&a, i, NULL, ""};
        buf_reset(&url);
        image_answer_url(&a, i, &url);
    }
    flow_init(&f, 1 << 20);
    image_reply(&f, r, a.count, 1);
    while (flow_next(&f, &all, 100)) {
    }
    BUG_ON(all.len != flow_length(&f));
    BUG_ON(!f.text.failed && !all.failed && (!image_answer_read(buf_str(&all), &b) || b.count != a.count));
    flow_free(&f);
    flow_init(&f, 1 << 20);
    image_chat_reply(&f, r, &(struct image_chat){"id", "m", 1, true, true});
    flow_free(&f);
    buf_free(&url);
    buf_free(&all);
}

static void check_url(struct str url)
{
    static const struct picture_base base = {"api.example.cn", 443, true};
    struct picture_url u;
    if (picture_url_check(url, &base, &u)) return;
    BUG_ON(!u.host[0] || u.port < 1 || !str_ieq((struct str){url.p, 8}, STR("https://")));
    BUG_ON(!u.of_base && host_is_numeric(u.host) && !address_is_public(u.host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct str rest = {(const char *)data + 1, size - 1};
    if (data[0] < 2)
        check_params(rest, data[0] == 1);
    else if (data[0] == 2)
        check_answer(rest);
    else
        check_url(rest);
    return 0;
}

#include "cli_http.h"

#include <curl/curl.h>
#include <sys/un.h>

/* A key's test is answered when the platform has answered, or when its timeout has passed. */
enum { CONNECT_MS = 5000, READ_MS = 15000, ACT_MS = 330000 };

static size_t take(char *data, size_t size, size_t count, void *arg)
{
    return buf_add(arg, data, size * count) ? size * count : 0;
}

static void explain(CURLcode rc, const char *socket_path, const char *detail, struct buf *why)
{
    if (rc == CURLE_COULDNT_CONNECT)
        buf_printf(why, "nothing is running here: nobody answers on %s", socket_path);
    else
        buf_printf(why, "no answer from the running sfproxy on %s: %s", socket_path,
                   *detail ? detail : curl_easy_strerror(rc));
}

static void set_body(CURL *c, struct str body)
{
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.n ? body.p : "");
}

static int perform(CURL *c, const char *socket_path, struct buf *out, struct buf *why)
{
    char detail[CURL_ERROR_SIZE] = "";
    long status = 0;
    curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, socket_path);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    CURLcode rc = curl_easy_perform(c);
    if (rc == CURLE_OK) curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (rc != CURLE_OK) explain(rc, socket_path, detail, why);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, NULL);
    return (int)status;
}

int cli_http(const char *socket_path, const char *method, const char *path, const char *content_type, struct str body,
             struct buf *out, struct buf *why)
{
    struct sockaddr_un a;
    char url[600], type[120];
    if (strlen(socket_path) >= sizeof a.sun_path) {
        buf_printf(why, "the path of the control socket is too long: %s", socket_path);
        return 0;
    }
    CURL *c = curl_easy_init();
    if (!c) {
        buf_puts(why, "libcurl does not start");
        return 0;
    }
    snprintf(url, sizeof url, "http://localhost/admin/api/%s", path);
    snprintf(type, sizeof type, "Content-Type: %s", content_type ? content_type : "");
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    if (content_type) headers = curl_slist_append(headers, type);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    if (strcmp(method, "POST") == 0) set_body(c, body);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, strcmp(method, "GET") == 0 ? (long)READ_MS : (long)ACT_MS);
    int status = perform(c, socket_path, out, why);
    curl_slist_free_all(headers);
    curl_easy_cleanup(c);
    return status;
}

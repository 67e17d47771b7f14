/* traffic: made traffic for the demonstration. One thread, epoll; every request has its own connection. Sends a
 * varied mix of requests to a proxy at a given rate, reads the answers to the end and forgets them; some clients go
 * away early. Runs until SIGTERM or --seconds.
 *
 * A visit: connecting -> sending -> reading -> closed. Gaps between visits vary around 1/rps, and there is a small
 * burst now and then, so that the screen has something to show. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_VISITS = 512, MAX_REQUEST = 4096 };

struct visit {
    int fd; /* -1 = free */
    size_t length, sent, got;
    int64_t leave_at; /* the client goes away then, whatever has come */
    char request[MAX_REQUEST];
};

struct kind {
    int weight;
    const char *path, *body; /* %s: model, then a question */
    const char *const *models;
};

static const char *const chat_models[] = {"Qwen/Qwen3-8B",
                                          "Qwen/Qwen3-8B",
                                          "deepseek-ai/DeepSeek-V3.2",
                                          "Pro/deepseek-ai/DeepSeek-R1",
                                          "THUDM/GLM-Z1-9B-0414",
                                          "zai-org/GLM-4.5-Air",
                                          "Qwen/Qwen2.5-7B-Instruct",
                                          "Pro/moonshotai/Kimi-K2.6",
                                          "deepseek-ai/DeepSeek-R1-0528-Qwen3-8B",
                                          "Qwen/Qwen3-32B",
                                          NULL};
static const char *const embedding_models[] = {"BAAI/bge-m3", "Qwen/Qwen3-Embedding-8B", NULL};
static const char *const rerank_models[] = {"BAAI/bge-reranker-v2-m3", "Qwen/Qwen3-Reranker-8B", NULL};
static const char *const image_models[] = {"Kwai-Kolors/Kolors", "Qwen/Qwen-Image", NULL};
static const char *const message_models[] = {"Pro/zai-org/GLM-5.1", "deepseek-ai/DeepSeek-V3.2", NULL};
static const char *const wrong_models[] = {"Qwen/QwQ-32B", NULL};

static const char *const questions[] = {"你好，请介绍一下你自己。", "Translate to French: good morning.",
                                        "用三句话解释量子纠缠。",   "Write a haiku about proxies.",
                                        "这段代码哪里有问题？",     "Summarise the following paragraph.",
                                        "明天北京天气怎么样？",     "What is 17 times 23?"};

#define CHAT "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]"

static const struct kind kinds[] = {
    {46, "/v1/chat/completions", CHAT ",\"stream\":true}", chat_models},
    {22, "/v1/chat/completions", CHAT ",\"max_tokens\":200}", chat_models},
    {12, "/v1/embeddings", "{\"model\":\"%s\",\"input\":[\"%s\",\"第二段\"]}", embedding_models},
    {6, "/v1/rerank", "{\"model\":\"%s\",\"query\":\"%s\",\"documents\":[\"苹果\",\"香蕉\",\"proxy\"]}", rerank_models},
    {3, "/v1/images/generations", "{\"model\":\"%s\",\"prompt\":\"%s\",\"image_size\":\"1024x1024\"}", image_models},
    {9, "/v1/messages",
     "{\"model\":\"%s\",\"max_tokens\":300,\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
     message_models},
    {2, "/v1/chat/completions", CHAT "}", wrong_models},
};

static volatile int stop;
static int epoll_fd;
static struct visit visits[MAX_VISITS];
static struct sockaddr_storage target;
static socklen_t target_len;
static char host[256], port[16] = "80";
static const char *key = "";
static uint64_t random_state = 88172645463325252ull;
static unsigned long n_started, n_finished, n_left, n_failed;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 11) % n;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const struct kind *pick_kind(void)
{
    int all = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) all += kinds[i].weight;
    int at = (int)random_below((uint32_t)all);
    for (size_t i = 0;; i++) {
        if ((at -= kinds[i].weight) < 0) return &kinds[i];
    }
}

static const char *pick_model(const char *const *list)
{
    uint32_t n = 0;
    while (list[n]) n++;
    return list[random_below(n)];
}

static void write_request(struct visit *v)
{
    static const char *const agents[] = {"NextChat/2.16", "cherry-studio/1.5", "OpenAI/Python 2.3.0", "claude-cli/2.0",
                                         "ImmersiveTranslate/1.9"};
    char body[MAX_REQUEST / 2], auth[300] = "";
    const struct kind *k = pick_kind();
    const char *model = pick_model(k->models), *question = questions[random_below(8)];
    const char *a = strstr(k->body, "%s"), *b = strstr(a + 2, "%s");
    int n = snprintf(body, sizeof body, "%.*s%s%.*s%s%s", (int)(a - k->body), k->body, model, (int)(b - a - 2), a + 2,
                     question, b + 2);
    if (*key) snprintf(auth, sizeof auth, "Authorization: Bearer %s\r\n", key);
    n = snprintf(v->request, sizeof v->request,
                 "POST %s HTTP/1.1\r\nHost: %s:%s\r\nUser-Agent: %s\r\nContent-Type: application/json\r\n%s"
                 "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
                 k->path, host, port, agents[random_below(5)], auth, n, body);
    v->length = (size_t)n;
}

static void finish(struct visit *v, unsigned long *count)
{
    close(v->fd);
    v->fd = -1;
    ++*count;
}

static void start_visit(void)
{
    struct visit *v = visits;
    while (v < visits + MAX_VISITS && v->fd >= 0) v++;
    if (v == visits + MAX_VISITS) return;
    v->fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (v->fd < 0) return;
    n_started++;
    v->sent = v->got = 0;
    v->leave_at = now_ms() + (random_below(100) < 6 ? 50 + random_below(1500) : 120000);
    write_request(v);
    if (connect(v->fd, (struct sockaddr *)&target, target_len) < 0 && errno != EINPROGRESS) {
        finish(v, &n_failed);
        return;
    }
    struct epoll_event ev = {.events = EPOLLOUT, .data.ptr = v};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, v->fd, &ev);
}

static void on_event(struct visit *v)
{
    static char scrap[65536];
    if (v->fd < 0) return;
    while (v->sent < v->length) {
        ssize_t n = send(v->fd, v->request + v->sent, v->length - v->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) {
            finish(v, &n_failed);
            return;
        }
        v->sent += (size_t)n;
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = v};
        if (v->sent == v->length) epoll_ctl(epoll_fd, EPOLL_CTL_MOD, v->fd, &ev);
    }
    for (;;) {
        ssize_t n = recv(v->fd, scrap, sizeof scrap, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            finish(v, n == 0 && v->got ? &n_finished : &n_failed);
            return;
        }
        v->got += (size_t)n;
    }
}

static void leave_early(int64_t now)
{
    for (struct visit *v = visits; v < visits + MAX_VISITS; v++) {
        if (v->fd >= 0 && v->leave_at <= now) finish(v, &n_left);
    }
}

static void run(double rps, long seconds)
{
    struct epoll_event events[64];
    int64_t began = now_ms(), next = began;
    while (!stop && (!seconds || now_ms() - began < seconds * 1000)) {
        int64_t now = now_ms();
        int wait = next > now ? (int)(next - now) : 0;
        int n = epoll_wait(epoll_fd, events, 64, wait < 100 ? wait : 100);
        for (int i = 0; i < n; i++) on_event(events[i].data.ptr);
        now = now_ms();
        leave_early(now);
        if (now < next) continue;
        uint32_t burst = random_below(40) == 0 ? 4 : 1;
        for (uint32_t i = 0; i < burst; i++) start_visit();
        double gap = 1000 / rps * (0.4 + random_below(1200) / 1000.0);
        next = now + (int64_t)gap;
    }
}

static bool parse_url(const char *url)
{
    const char *p = strncmp(url, "http://", 7) == 0 ? url + 7 : url;
    size_t n = strcspn(p, ":/");
    if (!n || n >= sizeof host) return false;
    memcpy(host, p, n);
    host[n] = 0;
    if (p[n] == ':') snprintf(port, sizeof port, "%.*s", (int)strcspn(p + n + 1, "/"), p + n + 1);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, port, &hints, &found) != 0) return false;
    memcpy(&target, found->ai_addr, found->ai_addrlen);
    target_len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'},     {"rps", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'}, {"key", required_argument, NULL, 'k'},
        {"seed", required_argument, NULL, 'e'},    {NULL, 0, NULL, 0}};
    const char *url = NULL;
    double rps = 6;
    long seconds = 0;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == 'u') url = optarg;
        if (o == 'r') rps = strtod(optarg, NULL);
        if (o == 's') seconds = strtol(optarg, NULL, 10);
        if (o == 'k') key = optarg;
        if (o == 'e') random_state ^= strtoull(optarg, NULL, 10) * 0x9e3779b97f4a7c15ull;
        if (o == '?') url = NULL;
    }
    if (!url || rps <= 0 || !parse_url(url)) {
        fputs("usage: traffic --url http://HOST:PORT [--rps 6] [--seconds N] [--key CLIENTKEY] [--seed N]\n", stderr);
        return 2;
    }
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    for (size_t i = 0; i < MAX_VISITS; i++) visits[i].fd = -1;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    run(rps, seconds);
    printf("traffic: %lu requests, %lu answered, %lu left early, %lu failed\n", n_started, n_finished, n_left,
           n_failed);
    return 0;
}

/* Every sentence of the screen: MSG(id, cells, English, Chinese). `cells` is the slot's width that both must fit (0: a
 * sentence that is cut or wrapped where it is shown). "{0}" .. "{3}" are filled in; both languages use the same ones.
 * Metrics (RPM, TPM, TTFT ...) stay Latin; full-width punctuation only inside sentences, never in tables. */
#ifndef SFPROXY_UI_TUI_LANG_TABLE_H
#define SFPROXY_UI_TUI_LANG_TABLE_H

#include "ui/tui/lang_help.h"

/* clang-format off */
#define LANG_WORDS(MSG) \
    MSG(NONE, 0, "", "") \
    /* tabs */ \
    MSG(OVERVIEW, 8, "Overview", "总览") \
    MSG(KEYS, 8, "Keys", "密钥") \
    MSG(MODELS, 8, "Models", "模型") \
    MSG(REQUESTS, 8, "Requests", "请求") \
    MSG(LOG, 8, "Log", "日志") \
    MSG(HELP, 8, "Help", "帮助") \
    /* health strip */ \
    MSG(H_KEYS, 6, "KEYS", "密钥") \
    MSG(H_IN_FLIGHT, 9, "IN-FLIGHT", "在途") \
    MSG(H_WAITING, 7, "WAITING", "等待") \
    MSG(H_DOWN, 18, "UPSTREAM DOWN {0}", "平台故障 {0}") \
    MSG(H_PROBING, 18, "UPSTREAM PROBED", "平台探测中") \
    MSG(H_ERRORS, 6, "ERR", "错误") \
    MSG(H_PER_MIN, 3, "/m", "/分") \
    MSG(H_BALANCE, 8, "BALANCE", "余额") \
    MSG(H_SPENT, 6, "SPENT", "今日") \
    MSG(H_BURN, 14, "¥{0}/h", "¥{0}/时") \
    MSG(H_LEFT, 12, "{0} left", "剩 {0}") \
    MSG(H_TODAY, 6, "24H", "24时") \
    MSG(H_RETRY, 6, "RETRY", "重试") \
    MSG(H_UP, 5, "up", "运行") \
    MSG(LIVE, 6, "LIVE", "实时") \
    MSG(PAUSED, 10, "PAUSED {0}", "已暂停 {0}") \
    MSG(PRIVATE, 8, "PRIVACY", "隐私") \
    MSG(READONLY, 9, "READ-ONLY", "只读") \
    MSG(DRAINING, 20, "DRAINING {0}", "正在排空 {0}") \
    MSG(NO_SNAPSHOT, 40, "waiting for the first figures ..", "正在等待首批数据 ..") \
    MSG(TOO_SMALL, 0, "sfproxy {0} (need 40x12)  RPM {1} {2}", "sfproxy {0} (需要 40x12)  RPM {1} {2}") \
    /* overview */ \
    MSG(PEAK, 6, "peak", "峰值") \
    MSG(PEAK_HOUR, 8, "peak/h", "峰值/时") \
    MSG(ATTENTION, 0, "Needs attention", "需要注意") \
    MSG(ATTENTION_SHORT, 10, "attention:", "注意:") \
    MSG(A_UPSTREAM, 0, "upstream down {0}: {1}, {2}", "平台故障 {0}：{1}，{2}") \
    MSG(A_MODEL, 0, "model {0}: {1}, {2}", "模型 {0}：{1}，{2}") \
    MSG(A_WAITING, 0, "{0} requests wait for a key", "{0} 个请求在等密钥") \
    MSG(PROBE_IN, 16, "probe in {0}", "{0}后探测") \
    MSG(PROBING, 16, "probing now", "正在探测") \
    MSG(ALL_WELL, 0, "nothing needs attention", "一切正常") \
    MSG(KEY_HEALTH, 0, "Key health", "密钥状态") \
    MSG(BASE_URL, 0, "base_url {0}", "base_url {0}") \
    MSG(N_KEYS, 12, "{0} keys", "{0} 个密钥") \
    MSG(N_IN_FLIGHT, 24, "{0} in flight", "在途 {0}") \
    MSG(N_SHOWN, 36, "{0} in flight, {1} shown", "在途 {0}，显示 {1}") \
    MSG(BY_TRAFFIC, 0, "Models by traffic", "模型（按流量）") \
    MSG(WINDOW_PART, 12, "{0} of {1}", "{1} 内 {0}") \
    MSG(WINDOW_AUTO, 6, "auto", "自动") \
    MSG(NOW, 4, "now", "现在") \
    MSG(C_PAID_NOTE, 24, "serves paid models", "可用付费模型") \
    MSG(C_FREE_NOTE, 24, "free models only", "仅免费模型") \
    MSG(C_UNVER_NOTE, 24, "not real-name verified", "未实名认证") \
    MSG(C_INVALID_NOTE, 24, "refused by the platform", "平台拒绝") \
    /* classes and states: same order as the enums */ \
    MSG(CLASS_UNKNOWN, 7, "?", "?") \
    MSG(CLASS_PAID, 7, "PAID", "付费") \
    MSG(CLASS_FREE, 7, "FREE", "免费") \
    MSG(CLASS_UNVER, 7, "UNVER", "未实名") \
    MSG(CLASS_INVALID, 7, "INVALID", "无效") \
    MSG(ST_READY, 8, "ready", "就绪") \
    MSG(ST_BUSY, 8, "busy", "使用中") \
    MSG(ST_COOLING, 8, "cooling", "冷却") \
    MSG(ST_DRAINING, 8, "draining", "排空") \
    MSG(ST_OFF, 8, "off", "禁用") \
    MSG(ST_BAD, 8, "bad", "失效") \
    MSG(ST_UNTESTED, 8, "untested", "未测试") \
    MSG(ST_TESTING, 8, "testing", "测试中") \
    /* verdicts: same order as the enum */ \
    MSG(V_OK, 12, "ok", "成功") \
    MSG(V_KEY_INVALID, 12, "bad key", "密钥无效") \
    MSG(V_NO_FUNDS, 12, "no funds", "余额不足") \
    MSG(V_NOT_VERIFIED, 12, "not verified", "未实名") \
    MSG(V_MODEL_DENIED, 12, "model denied", "模型受限") \
    MSG(V_FORBIDDEN_OTHER, 12, "forbidden", "被拒绝") \
    MSG(V_RATE_MINUTE, 12, "rate/min", "每分限速") \
    MSG(V_RATE_HOUR, 12, "rate/hour", "每时限速") \
    MSG(V_RATE_DAY, 12, "rate/day", "每日限速") \
    MSG(V_RATE_UNKNOWN, 12, "rate limit", "限速") \
    MSG(V_BUSY, 12, "busy", "平台繁忙") \
    MSG(V_SERVER, 12, "server", "平台故障") \
    MSG(V_GW_TIMEOUT, 12, "timeout", "超时") \
    MSG(V_CONNECT, 12, "no connect", "无法连接") \
    MSG(V_RESET, 12, "reset", "连接中断") \
    MSG(V_GARBAGE, 12, "garbage", "非法应答") \
    MSG(V_BAD_REQUEST, 12, "bad request", "请求有误") \
    MSG(V_REDIRECT, 12, "redirect", "重定向") \
    MSG(V_RETIRED, 12, "retired", "已下线") \
    MSG(V_STREAM_BROKEN, 12, "broken off", "流中断") \
    MSG(V_CANCELLED, 12, "cancelled", "已取消") \
    /* ends of requests: same order as the enum; then the steps of a running one */ \
    MSG(END_OK, 0, "ok", "成功") \
    MSG(END_CLIENT_ERROR, 0, "client error", "请求有误") \
    MSG(END_UPSTREAM_ERROR, 0, "upstream error", "平台出错") \
    MSG(END_NO_KEY, 0, "no key", "无可用密钥") \
    MSG(END_STREAM_BROKEN, 0, "stream broken", "流中断") \
    MSG(END_TIMEOUT, 0, "timeout", "超时") \
    MSG(END_CLIENT_ABORT, 0, "client left", "客户端断开") \
    MSG(END_CLIENT_STALLED, 0, "client stalled", "客户端停滞") \
    MSG(END_KILLED, 0, "cut here", "被取消") \
    MSG(STEP_READ, 0, "reading", "读取请求") \
    MSG(STEP_WAIT, 0, "waits for key", "等待密钥") \
    MSG(STEP_PICK, 0, "choosing key", "选择密钥") \
    MSG(STEP_SEND, 0, "sending", "发送中") \
    MSG(STEP_AWAIT, 0, "1st token ..", "等首字") \
    MSG(STEP_STREAM, 0, "streaming", "输出中") \
    MSG(STEP_PAUSE, 0, "pause", "稍候重试") \
    MSG(STEP_SETTLE, 0, "ending", "收尾") \
    MSG(STEP_DONE, 0, "done", "完成") \
    /* columns: the cells are the column's width */ \
    MSG(COL_STATE, 8, "state", "状态") \
    MSG(COL_KEY, 13, "key", "密钥") \
    MSG(COL_LABEL, 12, "label", "备注") \
    MSG(COL_CLASS, 7, "class", "类别") \
    MSG(COL_BALANCE, 9, "balance", "余额") \
    MSG(COL_ORIGIN, 11, "from", "来源") \
    MSG(COL_SPENT, 6, "today", "今日") \
    MSG(COL_IN_FLIGHT, 3, "in", "途") \
    MSG(COL_OK, 6, "ok", "成功") \
    MSG(COL_RPM, 5, "RPM", "RPM") \
    MSG(COL_TPM, 5, "TPM", "TPM") \
    MSG(COL_RPD, 5, "RPD", "RPD") \
    MSG(COL_LIMITED, 4, "429s", "429s") \
    MSG(COL_FAILED, 6, "failed", "失败") \
    MSG(COL_COOLDOWN, 5, "cool", "冷却") \
    MSG(COL_REASON, 12, "reason", "冷却原因") \
    MSG(COL_TESTED, 6, "tested", "测试") \
    MSG(COL_TREND, 10, "10 min", "10 分钟") \
    MSG(COL_LAST_ERROR, 10, "last error", "最近错误") \
    MSG(COL_MODEL, 24, "model", "模型") \
    MSG(COL_TYPE, 8, "type", "类型") \
    MSG(COL_PRICE, 16, "price/M in/out", "价格/M 入/出") \
    MSG(COL_TODAY, 6, "24h", "24时") \
    MSG(COL_EVIDENCE, 9, "known by", "依据") \
    MSG(COL_CONTEXT, 6, "ctx", "上下文") \
    MSG(COL_USABLE, 6, "usable", "可用") \
    MSG(COL_WAITING, 4, "wait", "等待") \
    MSG(MS_USABLE, 8, "usable", "可用") \
    MSG(MS_NO_KEY, 8, "no key", "无密钥") \
    MSG(MS_BANNED, 8, "banned", "已屏蔽") \
    MSG(MS_OPEN, 8, "down {0}", "故障 {0}") \
    MSG(MS_PROBING, 8, "probing", "探测中") \
    MSG(OTHER_MODELS, 22, "(unknown names)", "（未知名称）") \
    MSG(COL_TTFT, 5, "ttft", "首字") \
    MSG(COL_TIME, 8, "time", "时间") \
    MSG(COL_ID, 6, "id", "编号") \
    MSG(COL_STATUS, 3, "st", "码") \
    MSG(COL_CLIENT, 14, "client", "客户端") \
    MSG(COL_SPEED, 5, "tok/s", "tok/s") \
    MSG(COL_DURATION, 5, "dur", "耗时") \
    MSG(COL_TOKENS, 11, "in/out", "入/出") \
    MSG(COL_COST, 6, "cost", "费用") \
    MSG(COL_RETRIES, 3, "rt", "重") \
    MSG(COL_NOTE, 8, "note", "说明") \
    /* section titles */ \
    MSG(SEC_FREE, 0, "FREE {0}", "免费 {0}") \
    MSG(SEC_PAID, 0, "PAID {0}", "付费 {0}") \
    MSG(SEC_MAP, 0, "Keys x models", "密钥 x 模型") \
    MSG(SEC_BALANCE, 0, "balance {0}", "余额 {0}") \
    MSG(LIMIT_NONE, 0, "no limit known", "限额未知") \
    MSG(LIMIT_CONFIG, 10, "set", "配置") \
    MSG(LIMIT_LEARNED, 10, "learned", "学得") \
    MSG(MAP_COOLS, 0, "cools {0}, {1}", "冷却 {0}，{1}") \
    MSG(MAP_FLIGHT, 0, "{0} in flight", "在途 {0}") \
    MSG(MAP_NEVER, 0, "not used yet, no limit known", "尚未使用，限额未知") \
    MSG(MAP_USABLE, 0, "{0} of {1} keys can take it now", "现有 {0}/{1} 个密钥可用") \
    MSG(MAP_EMPTY, 0, "no model was asked for yet", "尚无模型请求") \
    MSG(MAP_LEGEND, 0, "⣿⣿⣀⣀ 50% use of the fuller limit   ~43s cools   12/m ? no limit known   ? not used", "⣿⣿⣀⣀ 50% 较满限额的使用   ~43s 冷却   12/m ? 限额未知   ? 未使用") \
    MSG(SEC_DETAIL, 0, "Detail {0}", "详情 {0}") \
    MSG(SEC_FILTER, 0, "filter: {0} ({1})", "过滤: {0} ({1})") \
    MSG(SEC_SORT, 0, "sort: {0}", "排序: {0}") \
    MSG(SEC_MARKED, 0, "marked {0}", "已标记 {0}") \
    MSG(SEC_FOLLOW, 8, "FOLLOW", "跟随") \
    MSG(SEC_LIVE_ONLY, 16, "in flight only", "仅在途") \
    MSG(SEC_ERRORS_ONLY, 16, "errors only", "仅错误") \
    MSG(SEC_LEVEL, 0, "level >= {0}", "级别 >= {0}") \
    MSG(SEC_LINES, 0, "{0} lines", "{0} 行") \
    MSG(SEC_SWAP, 20, "Tab other list", "Tab 换列表") \
    MSG(ESC_CLOSES, 14, "Esc closes", "Esc 关闭") \
    /* empty states */ \
    MSG(EMPTY_KEYS, 0, "No key yet. Press a and paste your SiliconFlow keys.", "还没有密钥。按 a 粘贴 SiliconFlow 密钥。") \
    MSG(EMPTY_MODELS, 0, "No model to list.", "没有可列出的模型。") \
    MSG(EMPTY_REQUESTS, 0, "No requests yet. Point a client at {0}", "还没有请求。把客户端指向 {0}") \
    MSG(EMPTY_LOG, 0, "No lines at this level. Press v for more.", "该级别暂无日志。按 v 显示更多。") \
    MSG(EMPTY_FILTER, 0, "Nothing matches the filter. Esc clears it.", "没有匹配项。按 Esc 清除过滤。") \
    /* key detail */ \
    MSG(D_CLASS, 0, "class {0} ({1})   state {2}   in flight {3}", "类别 {0} ({1})   状态 {2}   在途 {3}") \
    MSG(D_BALANCE, 0, "balance {0} ({1}{2})   spent today {3}   account {4}", "余额 {0}（{1}{2}）   今日花费 {3}   账户 {4}") \
    MSG(D_OF, 0, ", from {0} {1}", "，自 {1} {0}") \
    MSG(D_TRIES, 0, "tries ok {0}   failed {1}   429 {2}   RPM {3}   TPM {4}   RPD {5}   TPD {6}", "尝试 成功 {0}   失败 {1}   429 {2}   RPM {3}   TPM {4}   RPD {5}   TPD {6}") \
    MSG(D_USED, 0, "used {0}   tested {1}   TTFT {2}", "最近使用 {0}   最近测试 {1}   TTFT {2}") \
    MSG(D_ORIGIN, 0, "from {0}", "来自 {0}") \
    MSG(D_RUNTIME, 0, "added here, kept in {0}", "在此添加，保存于 {0}") \
    MSG(D_NO_COOLDOWN, 0, "no cooldown", "没有冷却") \
    MSG(D_COOLDOWN, 0, "cooling {0}  {1}  {2}", "冷却 {0}  {1}  {2}") \
    MSG(D_MORE, 0, "and {0} more", "另有 {0} 项") \
    MSG(D_LAST_ERROR, 0, "last error {0}  HTTP {1}  code {2}  {3}", "最近错误 {0}  HTTP {1}  代码 {2}  {3}") \
    MSG(D_NO_ERROR, 0, "no error so far", "尚无错误") \
    MSG(D_ALL_MODELS, 14, "all models", "全部模型") \
    MSG(AGO, 12, "{0} ago", "{0}前") \
    MSG(NEVER, 8, "never", "从未") \
    MSG(ORIGIN_API, 4, "api", "接口") \
    MSG(ORIGIN_SET, 4, "set", "手填") \
    MSG(ORIGIN_METERED, 7, "metered", "计量") \
    /* model and request detail */ \
    MSG(M_LINE1, 0, "{0}   price {1}   known by {2}   context {3}   spent today {4}", "{0}   价格 {1}   依据 {2}   上下文 {3}   今日花费 {4}") \
    MSG(EV_TABLE, 9, "table", "内置表") \
    MSG(EV_PREFIX, 9, "prefix", "前缀") \
    MSG(EV_CONFIG, 9, "config", "配置") \
    MSG(EV_OBSERVED, 9, "observed", "实测") \
    MSG(EV_UNKNOWN, 9, "unknown", "未知") \
    MSG(EV_REFRESH, 9, "refresh", "刷新") \
    MSG(M_LINE2, 0, "ok {0}   failed {1}   RPM {2}   TPM {3}   RPD {4}   TPD {5}   TTFT {6}", "成功 {0}   失败 {1}   RPM {2}   TPM {3}   RPD {4}   TPD {5}   TTFT {6}") \
    MSG(M_USABLE, 0, "keys that can serve it now: {0}", "现在可用的密钥：{0}") \
    MSG(M_BREAKER, 0, "breaker {0}: {1}, {2}", "熔断 {0}：{1}，{2}") \
    MSG(M_WAITING, 0, "requests in line for a key: {0}", "等待密钥的请求：{0}") \
    MSG(M_OTHER, 0, "requests for names that were never accepted, counted together", "从未被接受的模型名，合并计数") \
    MSG(M_BANNED, 0, "banned here: b lifts it", "已屏蔽：按 b 取消") \
    MSG(M_BANNED_FILE, 0, "banned by the configuration file", "由配置文件屏蔽") \
    MSG(M_NOT_LISTED, 0, "not in the platform's list", "不在平台列表中") \
    MSG(FREE_WORD, 6, "free", "免费") \
    MSG(R_LINE1, 0, "{0} {1}   {2}   client {3}   started {4}", "{0} {1}   {2}   客户端 {3}   开始 {4}") \
    MSG(R_LINE2, 0, "model {0}   state {1}   status {2}   end {3}", "模型 {0}   状态 {1}   状态码 {2}   结果 {3}") \
    MSG(R_LINE3, 0, "tokens {0} in {1} out {2} cached   cost {3}   TTFT {4}   took {5}   {6} tok/s", "tokens 入 {0} 出 {1} 缓存 {2}   费用 {3}   首字 {4}   耗时 {5}   {6} tok/s") \
    MSG(R_ASKED, 0, "asked for as {0}", "请求的名称 {0}") \
    MSG(R_TIMELINE, 0, "0 .. {0} s", "0 .. {0} 秒") \
    MSG(R_WHY_KEY, 0, "why this key: {0} is {1}, {2}", "为何用它：{0} {1}，{2}") \
    MSG(R_WHY_POOL, 0, "the pool now: {0} ready, {1} cooling, {2} off, {3} bad, of {4}", "密钥池：就绪 {0}，冷却 {1}，禁用 {2}，失效 {3}，共 {4}") \
    MSG(R_TRIES, 0, "try    at key           st  result         took", "次   时刻 密钥          码  结果           耗时") \
    MSG(R_NO_TRY, 0, "no key was asked yet", "尚未使用任何密钥") \
    MSG(R_BYTES, 0, "bytes {0} up {1} down   prompts and answers are never shown or logged", "字节 上行 {0} 下行 {1}   从不显示或记录提问与回答") \
    MSG(R_GONE, 0, "This row is no longer in the list.", "该条目已不在列表中。") \
    MSG(R_STREAM, 8, "stream", "流式") \
    MSG(R_WHOLE, 8, "whole", "整体") \
    /* first run */ \
    MSG(F_WELCOME, 0, "Welcome to sfproxy", "欢迎使用 sfproxy") \
    MSG(F_SERVING, 0, "The proxy already listens; it answers 503 no_keys until it has a key.", "代理已在监听；添加密钥前会返回 503 no_keys。") \
    MSG(F_PASTE, 0, "Press a, paste your SiliconFlow keys (any format), Enter.", "按 a，粘贴 SiliconFlow 密钥（任意格式），回车。") \
    MSG(F_FILE, 0, "Or name a keys_file in {0} and type :reload", "或在 {0} 中设置 keys_file，再输入 :reload") \
    MSG(F_CLIENT, 0, "Point your client at", "把客户端指向") \
    MSG(F_GET, 0, "Get a key: https://cloud.siliconflow.cn/account/ak", "获取密钥：https://cloud.siliconflow.cn/account/ak") \
    MSG(F_KEPT, 0, "Keys are tested, kept in {0} and shown only masked.", "密钥会被测试，保存在 {0}，只以掩码显示。") \
    /* prompts */ \
    MSG(P_ADD, 0, "Add keys: paste or type, one or many", "添加密钥：粘贴或输入，可多个") \
    MSG(P_ADD_KEYS, 28, "Enter save+test  Esc cancel", "Enter 保存并测试  Esc 取消") \
    MSG(P_ADD_COUNT, 0, "{0} new, {1} duplicate, {2} ignored", "新增 {0}，重复 {1}，忽略 {2}") \
    MSG(P_ADD_EMPTY, 0, "nothing pasted yet; keys begin with sk-", "尚未粘贴；密钥以 sk- 开头") \
    MSG(P_FILTER, 10, "filter", "过滤") \
    MSG(P_LABEL, 0, "label of {0}", "{0} 的备注") \
    MSG(P_BALANCE, 0, "balance of {0} in CNY (empty: unknown)", "{0} 的余额（元，留空为未知）") \
    MSG(Q_CANCEL_REQUEST, 0, "cancel request {0}? its client gets an error.  y yes  n no", "取消请求 {0}？客户端会收到错误。 y 是  n 否") \
    MSG(Q_TEST_ALL, 0, "test {0} keys? free of charge, paced.  y yes  n no", "测试 {0} 个密钥？免费，限速进行。 y 是  n 否") \
    /* dialogs */ \
    MSG(Q_COLUMNS, 50, "Columns of this table", "本表显示的列") \
    MSG(Q_NO_ROOM, 16, "(no room)", "（宽度不足）") \
    MSG(Q_QUIT, 50, "Quit sfproxy?", "退出 sfproxy？") \
    MSG(Q_QUIT_STOPS, 56, "This also stops the proxy. {0} requests are in flight.", "代理也会停止。{0} 个请求 (in flight) 正在进行。") \
    MSG(Q_DRAIN, 56, "d  drain: refuse new, let them finish, then quit", "d  排空：不接新请求，完成后退出") \
    MSG(Q_HIDE, 56, "h  hide the screen, keep serving (Enter brings it back)", "h  隐藏界面，继续服务（回车恢复）") \
    MSG(Q_NOW, 56, "Q  quit now, {0} requests will be cut", "Q  立即退出，{0} 个请求会中断") \
    MSG(Q_ESC, 56, "[Esc] cancel  <- default", "[Esc] 取消  <- 默认") \
    MSG(Q_DELETE, 50, "Delete {0} keys?", "删除 {0} 个密钥？") \
    MSG(Q_DELETE_KEPT, 56, "They leave the state directory's key file for good.", "它们将从状态目录的密钥文件中永久移除。") \
    MSG(Q_DELETE_YES, 56, "[ Cancel ]    y  delete", "[ 取消 ]    y  删除") \
    MSG(Q_OTHER, 56, "Ask {0} about {1}?", "向 {0} 查询 {1}？") \
    MSG(Q_OTHER_SHOWN, 56, "This shows the whole key to {0},", "这会把完整密钥发给 {0}，") \
    MSG(Q_OTHER_HERE, 56, "which is not the configured {0}.", "而不是所配置的 {0}。") \
    MSG(Q_OTHER_SAME, 56, "The key's state does not change.", "密钥的状态不会改变。") \
    MSG(Q_OTHER_YES, 56, "[ No ]    y  ask there", "[ 否 ]    y  查询") \
    /* toasts */ \
    MSG(T_REFRESHING, 0, "asking the platform for its models ..", "正在向平台查询模型 ..") \
    MSG(T_ONE_KEY, 0, "the other region is asked about one key at a time: choose one", "另一区域每次只能查询一个密钥：请选择一个") \
    MSG(T_NO_OTHER, 0, "not possible: {0} is not the platform's own address, so there is no other region", "无法查询：{0} 不是平台自己的地址，没有另一区域") \
    MSG(T_OTHER_CHANGED, 0, "not asked: the base URL was changed meanwhile", "未查询：base URL 已被更改") \
    MSG(T_ASKING_OTHER, 0, "asking {0} about {1} ..", "正在向 {0} 查询 {1} ..") \
    MSG(T_NO_ZOOM, 0, "nothing to enlarge here; Enter opens a row first", "没有可放大的内容；先按 Enter 打开一行") \
    MSG(T_NO_ACCOUNTS, 0, "no account has several keys: nothing to fold", "没有包含多个密钥的账户：无需折叠") \
    MSG(T_IS_ACCOUNT, 0, "this row is an account; choose one of its keys (right opens it)", "该行是账户；请选择其中的密钥（按右键展开）") \
    MSG(T_READONLY, 0, "read-only: this screen may look, not change", "只读：此界面只能查看，不能修改 (read-only)") \
    MSG(T_COPIED, 0, "copied {0}", "已复制 {0}") \
    MSG(T_NOTHING_TO_UNDO, 0, "nothing to undo", "没有可撤销的操作") \
    MSG(T_UNDO_HINT, 0, "{0}  u undo (10s)", "{0}  u 撤销 (10s)") \
    MSG(T_UNDONE, 0, "undone", "已撤销") \
    MSG(T_DISABLED, 0, "disabled {0} keys.", "已禁用 {0} 个密钥。") \
    MSG(T_ENABLED, 0, "enabled {0} keys.", "已启用 {0} 个密钥。") \
    MSG(T_BANNED, 0, "banned {0}.", "已屏蔽 {0}。") \
    MSG(T_UNBANNED, 0, "lifted the ban of {0}.", "已取消屏蔽 {0}。") \
    MSG(T_TESTING, 0, "testing {0} keys ..", "正在测试 {0} 个密钥 ..") \
    MSG(T_PROGRESS, 0, "{0} {1}/{2}, {3} failed   Esc stops", "{0} {1}/{2}，失败 {3}   Esc 停止") \
    MSG(T_TESTED, 0, "tested {0} of {1}, {2} failed", "已测试 {0}/{1}，失败 {2}") \
    MSG(T_TESTED_STOPPED, 0, "tested {0} of {1}, cancelled", "已测试 {0}/{1}，已取消") \
    MSG(T_ADDED, 0, "{0} keys added, {1} duplicate, {2} ignored", "已添加 {0} 个密钥，重复 {1}，忽略 {2}") \
    MSG(T_FROM_FILE, 0, "{0} is from {1}: delete it there", "{0} 来自 {1}：请在该处删除") \
    MSG(T_NO_ROW, 0, "no row is selected", "没有选中的行") \
    MSG(T_NO_BAD, 0, "no bad key to test", "没有失效的密钥") \
    MSG(T_NO_KEYS, 0, "there is no key; press a to add some", "没有密钥；按 a 添加") \
    MSG(T_NOT_LIVE, 0, "this request is already over", "该请求已结束") \
    MSG(T_OTHER_VIEW, 0, "{0} works in {1}", "{0} 只在 {1} 中可用") \
    MSG(T_SHUTTING_DOWN, 0, "shutting down: not accepted", "正在关闭：未接受") \
    MSG(T_BAN_FILE, 0, "banned by the configuration file: lift it there", "由配置文件屏蔽：请在该处取消") \
    MSG(T_LANG, 0, "language: English", "语言：中文") \
    MSG(T_LANG_ASCII, 0, "Chinese needs a UTF-8 terminal", "中文需要 UTF-8 终端") \
    MSG(T_MOUSE_ON, 0, "mouse on (m: off, to select text)", "鼠标已开（m 关闭以选择文本）") \
    MSG(T_MOUSE_OFF, 0, "mouse off: the terminal selects text again", "鼠标已关：终端可选择文本") \
    MSG(T_PRIVACY_ON, 0, "privacy on: keys, balances, clients hidden", "隐私模式开：隐藏密钥、余额、客户端") \
    MSG(T_PRIVACY_OFF, 0, "privacy off", "隐私模式关") \
    MSG(T_PAUSED, 0, "picture paused; the proxy runs on (p goes on)", "画面已暂停；代理照常运行（p 继续）") \
    MSG(T_WINDOW, 0, "graph window {0}", "图表时窗 {0}") \
    MSG(T_WINDOW_AUTO, 0, "graph window: auto (1m while young, then 1h)", "图表时窗：自动（先 1m，后 1h）") \
    MSG(T_FOLLOW_OFF, 0, "follow off (F on)", "跟随已关（F 打开）") \
    MSG(T_CTRL_C, 0, "Ctrl-C again: drain and exit ({0} in flight)", "再按 Ctrl-C：排空并退出（在途 {0}）") \
    MSG(T_CTRL_C_DRAIN, 0, "draining; Ctrl-C again quits at once", "正在排空；再按 Ctrl-C 立即退出") \
    MSG(T_CTRL_Z, 0, "Ctrl-Z would freeze the proxy ({0} in flight). Again: suspend; q h hides", "Ctrl-Z 会冻结代理（在途 {0}）。再按：挂起；q h 隐藏") \
    MSG(T_UNKNOWN_COMMAND, 0, "no command {0}; ? lists them", "没有命令 {0}；按 ? 查看") \
    MSG(T_DONE, 0, "{0}: {1}", "{0}：{1}") \
    MSG(T_TOO_LONG, 0, "pasted text over 1 MB was cut", "粘贴内容超过 1 MB，已截断") \
    MSG(T_HIDDEN, 0, "sfproxy serves on; Enter brings the screen back", "sfproxy 继续服务；按回车恢复界面") \
    MSG(T_BAD_BALANCE, 0, "a balance is a number such as 14.50", "余额应为数字，如 14.50")
/* clang-format on */

#define LANG_TABLE(MSG) LANG_WORDS(MSG) LANG_HELP(MSG)

#endif

/* The page's words, once: WORD(id, English, Chinese). Figures' names (RPM, TPM, TTFT) stay Latin; model names and error
 * texts are never translated. */
#define PAGE_WORDS(WORD)                                                                                               \
    WORD(title, "SiliconFlow key pool", "硅基流动密钥池")                                                              \
    WORD(login, "Log in", "登录")                                                                                      \
    WORD(login_hint, "The admin token is in the file admin.token of the state directory.",                             \
         "管理令牌在状态目录的 admin.token 文件中。")                                                                  \
    WORD(token, "Admin token", "管理令牌")                                                                             \
    WORD(login_wrong, "That is not the admin token.", "管理令牌不正确。")                                              \
    WORD(login_empty, "Please enter the admin token.", "请输入管理令牌。")                                             \
    WORD(login_blocked, "Too many wrong tokens. Please wait a minute.", "错误次数过多，请稍等一分钟再试。")            \
    WORD(logout, "Log out", "退出登录")                                                                                \
    WORD(other_lang, "中文", "English")                                                                                \
    WORD(skip, "Skip to the tables", "跳到表格")                                                                       \
    WORD(jump_requests, "Requests", "请求")                                                                            \
    WORD(jump_models, "Models", "模型")                                                                                \
    WORD(live_on, "Refresh every 5 s", "每 5 秒刷新")                                                                  \
    WORD(live_off, "Stop refreshing", "停止刷新")                                                                      \
    WORD(reload, "Refresh now", "立即刷新")                                                                            \
    WORD(health, "Health", "健康状况")                                                                                 \
    WORD(rates, "Rates", "速率")                                                                                       \
    WORD(in_flight, "in flight", "在途")                                                                               \
    WORD(limited_min, "429/min", "429/分")                                                                             \
    WORD(errors_min, "errors/min", "错误/分")                                                                          \
    WORD(rpm_long, "requests, last 60 s", "最近 60 秒请求数")                                                          \
    WORD(tpm_long, "tokens, last 60 s", "最近 60 秒 token 数")                                                         \
    WORD(rpd_long, "requests, last 24 h", "最近 24 小时请求数")                                                        \
    WORD(tpd_long, "tokens, last 24 h", "最近 24 小时 token 数")                                                       \
    WORD(per_minute_1h, "per minute, last hour", "最近 1 小时，每分钟")                                                \
    WORD(per_hour_24h, "per hour, last day", "最近 24 小时，每小时")                                                   \
    WORD(now, "now", "当前")                                                                                           \
    WORD(peak, "peak", "峰值")                                                                                         \
    WORD(low, "low", "最低")                                                                                           \
    WORD(no_data, "no data yet", "暂无数据")                                                                           \
    WORD(attention, "Attention", "需要注意")                                                                           \
    WORD(all_fine, "Nothing needs your attention.", "一切正常。")                                                      \
    WORD(and_more, "and more: see the tables below", "更多见下方表格")                                                 \
    WORD(no_keys_yet, "There is no key yet.", "还没有密钥。")                                                          \
    WORD(no_keys_how, "Add one in the terminal screen or with: sfproxy keys add",                                      \
         "请在终端界面中添加，或运行：sfproxy keys add")                                                               \
    WORD(upstream_trouble, "The platform cannot be reached", "无法连接平台")                                           \
    WORD(upstream_down, "Upstream down: every account gets the same failure, new requests are refused",                \
         "平台故障：所有账户都得到同样的失败，新请求被直接拒绝")                                                       \
    WORD(model_down, "A model is down for every account", "模型故障（所有账户）")                                      \
    WORD(probe_in, "next probe in", "下次探测：")                                                                      \
    WORD(probing, "being probed", "探测中")                                                                            \
    WORD(down, "down", "故障")                                                                                         \
    WORD(waiting, "waiting for a key", "等待密钥")                                                                     \
    WORD(other_models, "(names that were never accepted)", "（从未被接受的名称）")                                     \
    WORD(conf_error, "The last reload failed", "上次重新加载失败")                                                     \
    WORD(draining, "Draining: no new requests are taken", "正在排空：不再接收新请求")                                  \
    WORD(alarm, "Alarm", "警报")                                                                                       \
    WORD(keys, "Keys", "密钥")                                                                                         \
    WORD(key, "Key", "密钥")                                                                                           \
    WORD(class, "Class", "类别")                                                                                       \
    WORD(state, "State", "状态")                                                                                       \
    WORD(balance, "Balance", "余额")                                                                                   \
    WORD(cooldown, "Cooldown", "冷却")                                                                                 \
    WORD(last_error, "Last error", "最近错误")                                                                         \
    WORD(never_tested, "not tested yet", "尚未测试")                                                                   \
    WORD(tested, "tested", "测试于")                                                                                   \
    WORD(ago, "ago", "前")                                                                                             \
    WORD(by_api, "API value", "接口值")                                                                                \
    WORD(by_metered, "metered", "按用量推算")                                                                          \
    WORD(spent_today, "spent today", "今日花费")                                                                       \
    WORD(by_hand, "set by hand", "手工设置")                                                                           \
    WORD(unknown, "unknown", "未知")                                                                                   \
    WORD(every_model, "every model", "所有模型")                                                                       \
    WORD(more, "more", "更多")                                                                                         \
    WORD(requests, "Last requests", "最近请求")                                                                        \
    WORD(no_requests, "No request has come yet. Clients use this address:", "还没有请求。客户端请使用此地址：")        \
    WORD(time, "Time", "时间")                                                                                         \
    WORD(client, "Client", "客户端")                                                                                   \
    WORD(model, "Model", "模型")                                                                                       \
    WORD(result, "Result", "结果")                                                                                     \
    WORD(tries, "Tries", "尝试")                                                                                       \
    WORD(duration, "Duration", "耗时")                                                                                 \
    WORD(tokens, "Tokens in / out", "Token 入 / 出")                                                                   \
    WORD(speed, "tok/s", "tok/s")                                                                                      \
    WORD(stream, "stream", "流式")                                                                                     \
    WORD(running, "running", "进行中")                                                                                 \
    WORD(models_free, "Free models", "免费模型")                                                                       \
    WORD(models_paid, "Paid models", "付费模型")                                                                       \
    WORD(no_models, "None known.", "暂无。")                                                                           \
    WORD(kind, "Kind", "类型")                                                                                         \
    WORD(price, "Price", "价格")                                                                                       \
    WORD(keys_usable, "Usable keys", "可用密钥")                                                                       \
    WORD(status, "Status", "状态")                                                                                     \
    WORD(banned, "banned", "已屏蔽")                                                                                   \
    WORD(usable, "usable", "可用")                                                                                     \
    WORD(not_now, "no key now", "暂无可用密钥")                                                                        \
    WORD(unknown_cost, "cost unknown", "费用未知")                                                                     \
    WORD(price_unit, "Prices in CNY: per million tokens in / out / cached, or per piece.",                             \
         "价格（人民币）：每百万 token 输入 / 输出 / 缓存，或按件计。")                                                \
    WORD(actions, "Actions", "操作")                                                                                   \
    WORD(disable, "Disable", "禁用")                                                                                   \
    WORD(enable, "Enable", "启用")                                                                                     \
    WORD(test, "Test", "测试")                                                                                         \
    WORD(reset, "Clear cooldown", "清除冷却")                                                                          \
    WORD(cancel, "Cancel", "取消")                                                                                     \
    WORD(ban, "Ban", "屏蔽")                                                                                           \
    WORD(unban, "Unban", "解除屏蔽")                                                                                   \
    WORD(live, "live", "实时")                                                                                         \
    WORD(reconnecting, "connecting ...", "连接中……")                                                                   \
    WORD(no_connection, "sfproxy did not answer.", "sfproxy 没有应答。")                                               \
    WORD(usage, "Usage", "用量")                                                                                       \
    WORD(usage_since, "Days", "天数")                                                                                  \
    WORD(usage_all, "all", "全部")                                                                                     \
    WORD(usage_by, "By", "按")                                                                                         \
    WORD(usage_day, "Day", "日期")                                                                                     \
    WORD(usage_requests, "Requests", "请求数")                                                                         \
    WORD(usage_errors, "Errors", "错误")                                                                               \
    WORD(usage_cost, "Cost", "费用")                                                                                   \
    WORD(usage_share, "Tokens", "Token 数")                                                                            \
    WORD(usage_none, "Nothing was counted in this time.", "这段时间没有记录。")                                        \
    WORD(warnings, "Last warnings", "最近警告")                                                                        \
    WORD(no_warnings, "No warnings.", "没有警告。")                                                                    \
    WORD(nothing_fits, "Nothing fits the filter.", "没有匹配的项。")                                                   \
    WORD(filter_keys, "Filter keys", "筛选密钥")                                                                       \
    WORD(filter_models, "Filter models", "筛选模型")                                                                   \
    WORD(theme_auto, "Theme: auto", "主题：自动")                                                                      \
    WORD(theme_light, "Theme: light", "主题：浅色")                                                                    \
    WORD(theme_dark, "Theme: dark", "主题：深色")                                                                      \
    WORD(base_url, "Base URL for clients", "客户端 Base URL")                                                          \
    WORD(platform, "Platform", "平台")                                                                                 \
    WORD(up_for, "up for", "已运行")                                                                                   \
    WORD(as_of, "as of", "截至")                                                                                       \
    WORD(readonly, "read-only", "只读")

enum page_word {
#define PAGE_WORD_ENUM(id, en, zh) WORD_##id,
    PAGE_WORDS(PAGE_WORD_ENUM) WORD_COUNT
};

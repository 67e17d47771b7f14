/* The words behind the keys on the bottom line and the sentences of the Help page; the rest of the table is in
 * lang_table.h, where the columns are explained. docs/keys.md is made of the English ones. */
#ifndef SFPROXY_UI_TUI_LANG_HELP_H
#define SFPROXY_UI_TUI_LANG_HELP_H

/* clang-format off */
#define LANG_HELP(MSG) \
    /* hints: short words behind a key on the bottom line */ \
    MSG(HI_TABS, 8, "tabs", "切换") \
    MSG(HI_WINDOW, 8, "window", "时窗") \
    MSG(HI_PAUSE, 8, "pause", "暂停") \
    MSG(HI_OPEN, 8, "open", "打开") \
    MSG(HI_COPY_URL, 10, "copy URL", "复制地址") \
    MSG(HI_COPY, 8, "copy", "复制") \
    MSG(HI_FILTER, 8, "filter", "过滤") \
    MSG(HI_LANG, 8, "中文", "English") \
    MSG(HI_HELP, 8, "help", "帮助") \
    MSG(HI_QUIT, 8, "quit", "退出") \
    MSG(HI_MARK, 8, "mark", "标记") \
    MSG(HI_ONOFF, 8, "on/off", "启停") \
    MSG(HI_TEST, 8, "test", "测试") \
    MSG(HI_ALL, 8, "all", "全测") \
    MSG(HI_BAD, 8, "bad", "测失效") \
    MSG(HI_ADD, 8, "add", "添加") \
    MSG(HI_DEL, 8, "del", "删除") \
    MSG(HI_RESET, 8, "reset", "清冷却") \
    MSG(HI_BALANCE, 8, "balance", "余额") \
    MSG(HI_LABEL, 8, "label", "备注") \
    MSG(HI_SORT, 8, "sort", "排序") \
    MSG(HI_BAN, 9, "ban/unban", "屏蔽") \
    MSG(HI_COST, 10, "free/paid", "免费/付费") \
    MSG(HI_SWAP, 10, "other list", "换列表") \
    MSG(HI_REFRESH, 8, "refresh", "更新") \
    MSG(HI_UNDO, 8, "undo", "撤销") \
    MSG(HI_CANCEL, 8, "cancel", "取消") \
    MSG(HI_LIVE, 10, "in flight", "仅在途") \
    MSG(HI_ERRORS, 8, "errors", "仅错误") \
    MSG(HI_FOLLOW, 8, "follow", "跟随") \
    MSG(HI_LEVEL, 8, "level", "级别") \
    MSG(HI_COMMAND, 8, "command", "命令") \
    MSG(HI_PRIVACY, 8, "privacy", "隐私") \
    MSG(HI_MOUSE, 8, "mouse", "鼠标") \
    MSG(HI_MAP, 8, "map", "热图") \
    MSG(HI_GROUP, 8, "accounts", "账户") \
    MSG(HI_RANGE, 8, "range", "区间") \
    MSG(HI_WRAP, 8, "wrap", "换行") \
    MSG(HI_ZOOM, 8, "zoom", "放大") \
    MSG(HI_COLUMNS, 8, "columns", "列") \
    MSG(HI_BACK, 8, "back", "返回") \
    MSG(HI_SAVE_TEST, 14, "save and test", "保存并测试") \
    MSG(HI_ACCEPT, 8, "done", "确定") \
    MSG(HI_COMPLETE, 8, "complete", "补全") \
    MSG(HI_DISMISS, 8, "cancel", "取消") \
    MSG(HI_CLEAR, 8, "clear", "清空") \
    MSG(HI_YES, 8, "yes", "是") \
    MSG(HI_NO, 8, "no", "否") \
    MSG(HI_DRAIN, 8, "drain", "排空") \
    MSG(HI_HIDE, 8, "hide", "隐藏") \
    MSG(HI_NOW, 10, "quit now", "立即退出") \
    MSG(HI_STAY, 8, "stay", "留下") \
    MSG(HI_SHOW, 10, "show/hide", "显示/隐藏") \
    MSG(HI_MOVE, 8, "move", "移动") \
    MSG(HI_DEFAULT, 11, "all columns", "恢复默认") \
    MSG(HI_CLOSE, 8, "close", "关闭") \
    /* help: one sentence a binding */ \
    MSG(HE_TITLE, 0, "Help", "帮助") \
    MSG(HE_SCROLL, 0, "j/k scroll   / search   Esc back", "j/k 滚动   / 搜索   Esc 返回") \
    MSG(HE_ANYWHERE, 0, "Anywhere", "任何页面") \
    MSG(HE_COMMANDS, 0, "Command line", "命令行") \
    MSG(HE_SYMBOLS, 0, "Symbols and figures", "符号与数字") \
    MSG(HE_VIEW, 0, "the six views: Overview, Keys, Models, Requests, Log, Help", "六个视图：总览、密钥、模型、请求、日志、帮助") \
    MSG(HE_NEXT, 0, "next view (in Models: the other list)", "下一个视图（模型中：换列表）") \
    MSG(HE_MOVE, 0, "move", "移动") \
    MSG(HE_PAGE, 0, "page and half page", "翻页与半页") \
    MSG(HE_ENDS, 0, "first, last", "首行、末行") \
    MSG(HE_OPEN, 0, "open the row's detail", "打开该行详情") \
    MSG(HE_BACK, 0, "close, stop a test, clear filter, clear marks; never quits", "关闭、停止测试、清除过滤、清除标记；从不退出") \
    MSG(HE_FILTER, 0, "filter as you type; !word leaves out, blanks mean and, field:text field>5 look in one column", "即时过滤；!词 排除，空格表示并且，列名:文字 列名>5 只看一列") \
    MSG(HE_COMMAND, 0, "command line, Tab completes", "命令行，Tab 补全") \
    MSG(HE_SORT, 0, "sort by the next column; S turns the order round", "按下一列排序；S 反转顺序") \
    MSG(HE_COPY, 0, "copy the base URL, key (masked), model or request id", "复制地址、密钥（掩码）、模型或请求编号") \
    MSG(HE_WINDOW, 0, "graph window 1m, 1h, 24h, auto", "图表时窗 1m、1h、24h、自动") \
    MSG(HE_PAUSE, 0, "pause the picture; the proxy runs on", "暂停画面；代理照常运行") \
    MSG(HE_PRIVACY, 0, "privacy: hide keys, balances, clients", "隐私：隐藏密钥、余额、客户端") \
    MSG(HE_MOUSE, 0, "mouse on or off (off: select text)", "鼠标开关（关闭后可选择文本）") \
    MSG(HE_LANG, 0, "English or Chinese", "英文或中文") \
    MSG(HE_UNDO, 0, "undo the last switch or ban (10 s)", "撤销上一次启停或屏蔽（10 秒）") \
    MSG(HE_PREV, 0, "previous view", "上一个视图") \
    MSG(HE_MAP, 0, "heat-map of keys and models: use of each limit; left and right choose a model", "密钥与模型热图：各限额的使用；左右键选择模型") \
    MSG(HE_GROUP, 0, "fold the keys of one account under it; left and right close and open", "按账户折叠密钥；左右键折叠与展开") \
    MSG(HE_RANGE, 0, "begin a range, move, again: mark all in between", "开始区间，移动，再按一次：标记其间全部") \
    MSG(HE_WRAP, 0, "wrap long lines", "长行换行") \
    MSG(HE_ZOOM, 0, "one part takes the whole screen: the detail, the graphs, one list", "放大一部分：详情、图表、单个列表") \
    MSG(HE_COLUMNS, 0, "choose the columns", "选择显示的列") \
    MSG(HE_SAVE_TEST, 0, "keep the keys and test them", "保存密钥并测试") \
    MSG(HE_ACCEPT, 0, "take what was typed", "采用输入内容") \
    MSG(HE_COMPLETE, 0, "complete the command", "补全命令") \
    MSG(HE_DISMISS, 0, "leave without a change", "放弃，不作更改") \
    MSG(HE_CLEAR, 0, "empty the line", "清空输入行") \
    MSG(HE_ERASE, 0, "take the last character away", "删除最后一个字符") \
    MSG(HE_YES, 0, "do it", "执行") \
    MSG(HE_NO, 0, "do nothing; so does every other key", "不执行；其他键同此") \
    MSG(HE_DRAIN, 0, "drain: refuse new requests, let running ones finish, then quit", "排空：不接新请求，完成后退出") \
    MSG(HE_HIDE, 0, "hide the screen and keep serving; Enter brings it back", "隐藏界面并继续服务；回车恢复") \
    MSG(HE_NOW, 0, "quit now; running requests are cut", "立即退出；进行中的请求会中断") \
    MSG(HE_STAY, 0, "stay", "留下") \
    MSG(HE_COL_SHOW, 0, "show or hide the column", "显示或隐藏该列") \
    MSG(HE_COL_DEFAULT, 0, "show all of them again", "恢复显示全部") \
    MSG(HE_COL_CLOSE, 0, "close the list", "关闭列表") \
    MSG(HE_TYPING, 0, "While a line is typed", "输入时") \
    MSG(HE_ADDING, 0, "While keys are added", "添加密钥时") \
    MSG(HE_ASKED, 0, "Questions", "询问时") \
    MSG(HE_QUITTING, 0, "The quit dialog", "退出对话框") \
    MSG(HE_CHOOSING, 0, "The list of columns", "列选择") \
    MSG(HE_HELP, 0, "this page", "本页") \
    MSG(HE_REDRAW, 0, "redraw everything", "重绘") \
    MSG(HE_QUIT, 0, "back; at the top the quit dialog", "返回；在顶层打开退出对话框") \
    MSG(HE_INTERRUPT, 0, "twice in 2 s: drain and exit; a third time: at once", "2 秒内两次：排空退出；第三次：立即退出") \
    MSG(HE_SUSPEND, 0, "twice: suspend (this stops the proxy too)", "两次：挂起（代理也会停止）") \
    MSG(HE_MARK, 0, "mark the row; verbs then work on all marked ones", "标记该行；之后的操作作用于所有标记项") \
    MSG(HE_MARK_ALL, 0, "mark all shown, or none", "全部标记或取消") \
    MSG(HE_ONOFF, 0, "switch on or off; running requests finish", "启用或禁用；进行中的请求会完成") \
    MSG(HE_TEST, 0, "test with GET /v1/models, free of charge", "用 GET /v1/models 测试，免费") \
    MSG(HE_TEST_ALL, 0, "test all, paced; Esc stops", "测试全部，限速；Esc 停止") \
    MSG(HE_TEST_BAD, 0, "test only the bad ones", "只测试失效的") \
    MSG(HE_ADD, 0, "add keys: paste one or many, in any form", "添加密钥：粘贴一个或多个，任意格式") \
    MSG(HE_DEL, 0, "delete (asks; keys from a file stay)", "删除（会询问；文件中的密钥不删）") \
    MSG(HE_RESET, 0, "clear the cooldowns", "清除冷却") \
    MSG(HE_BALANCE, 0, "enter the balance by hand", "手工填写余额") \
    MSG(HE_LABEL, 0, "edit the label", "编辑备注") \
    MSG(HE_BAN, 0, "ban or unban the model", "屏蔽或取消屏蔽模型") \
    MSG(HE_COST, 0, "show free, paid or both", "显示免费、付费或全部") \
    MSG(HE_SWAP, 0, "go to the other list", "切换到另一列表") \
    MSG(HE_REFRESH, 0, "ask the platform for its list of models now, free of charge", "立即向平台查询模型列表，免费") \
    MSG(HE_CANCEL, 0, "cancel a running request (asks)", "取消进行中的请求（会询问）") \
    MSG(HE_LIVE, 0, "only what is in flight", "只看在途请求") \
    MSG(HE_ERRORS, 0, "only what failed", "只看失败请求") \
    MSG(HE_FOLLOW, 0, "follow: the newest stays in view", "跟随最新") \
    MSG(HE_LEVEL, 0, "least level shown", "最低显示级别") \
    MSG(HE_CMD_VIEW, 0, "go to this view", "转到该视图") \
    MSG(HE_CMD_TEST_BAD, 0, "test only the bad keys", "只测试失效的密钥") \
    MSG(HE_CMD_TEST_DEEP, 0, "test the chosen keys with one token on the test model", "用测试模型的一个 token 测试所选密钥") \
    MSG(HE_CMD_TEST_OTHER, 0, "is the chosen key one of the other region (.cn / .com)? asks before the key is shown there", "所选密钥是否属于另一区域（.cn / .com）？发送前会询问") \
    MSG(HE_CMD_SAVE, 0, "write the screen as text, keys masked; without FILE into the state directory", "将画面存为文本（密钥掩码）；未给文件名则存入状态目录") \
    MSG(HE_CMD_RELOAD, 0, "read the configuration again", "重新读取配置") \
    MSG(HE_CMD_LANG, 0, "language of the screen", "界面语言") \
    MSG(HE_CMD_COLUMNS, 0, "choose the columns of the table", "选择表格的列") \
    MSG(HE_CMD_DRAIN, 0, "refuse new requests, let running ones finish, then quit", "不接新请求，完成后退出") \
    MSG(HE_CMD_HIDE, 0, "leave the screen, keep serving; Enter brings it back", "离开界面，继续服务；回车恢复") \
    MSG(HE_SYM_STATES, 0, "✓ ready  ▸ busy  ~ cooling  d draining  - off  ✗ bad  ? untested  t testing", "✓ 就绪  ▸ 使用中  ~ 冷却  d 排空  - 禁用  ✗ 失效  ? 未测试  t 测试中") \
    MSG(HE_SYM_MODEL, 0, "model: ✓ usable  ✗ no key now  ! breaker open  ~ probed again  - banned", "模型：✓ 可用  ✗ 暂无密钥  ! 熔断  ~ 探测中  - 已屏蔽") \
    MSG(HE_SYM_CLASS, 0, "class: PAID serves paid models, FREE only free ones, UNVER not verified", "类别：付费可用付费模型，免费仅免费模型，未实名未认证") \
    MSG(HE_SYM_BALANCE, 0, "balance: api = asked, set = typed by you, <= metered = one of these less what went since, ? = unknown", "余额：接口=查询所得，手填=手动填写，<= 计量=减去此后花费，?=未知") \
    MSG(HE_SYM_MAP, 0, "map: bar = use of the fuller known limit, ~43s = cooling, 12/m ? = no limit known", "热图：条=较满限额的使用，~43s=冷却，12/m ?=限额未知") \
    MSG(HE_SYM_RATES, 0, "RPM TPM: the last 60 s. RPD TPD: the last 24 h, bars are hours", "RPM TPM：最近 60 秒。RPD TPD：最近 24 小时，每柱一小时") \
    MSG(HE_SYM_COUNT, 0, "totals count requests; keys count tries (one request may try several)", "总数按请求计；密钥按尝试计（一个请求可能尝试多个）") \
    MSG(HE_SYM_GAP, 0, "a gap in a graph is no data, the base line is no traffic", "图中空白表示无数据，底线表示无流量")
/* clang-format on */

#endif

/* The assembler copies the files in. Paths are relative to the project's root, where the compiler runs; the compiler
 * does not know these dependencies, so the Makefile names them. */
#include "admin/assets.h"

#define EMBED(name, path)                                                                                              \
    __asm__(".pushsection .rodata\n"                                                                                   \
            ".globl asset_" #name "_begin, asset_" #name "_end\n"                                                      \
            ".hidden asset_" #name "_begin, asset_" #name "_end\n"                                                     \
            "asset_" #name "_begin:\n"                                                                                 \
            ".incbin \"" path "\"\n"                                                                                   \
            "asset_" #name "_end:\n"                                                                                   \
            ".byte 0\n"                                                                                                \
            ".popsection\n");                                                                                          \
    __attribute__((visibility("hidden"))) extern const char asset_##name##_begin[], asset_##name##_end[];              \
    struct str asset_##name(void)                                                                                      \
    {                                                                                                                  \
        return (struct str){asset_##name##_begin, (size_t)(asset_##name##_end - asset_##name##_begin)};                \
    }

EMBED(page, "ui/web/page.html")
EMBED(login, "ui/web/login.html")
EMBED(style, "ui/web/page.css")
EMBED(script, "ui/web/app.js")

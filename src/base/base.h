/* What every file may rely on: attributes, small macros, and libc calls that must not be used. */
#ifndef SFPROXY_BASE_BASE_H
#define SFPROXY_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                       ((a) < (b) ? (a) : (b))
#define MAX(a, b)                       ((a) > (b) ? (a) : (b))
#define PRINTF(f, v)                    __attribute__((format(printf, f, v)))
#define MUST_CHECK                      __attribute__((warn_unused_result))
#define NORETURN                        __attribute__((noreturn))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Calls that overrun, truncate silently, depend on the locale or share static state. */
#ifndef SFPROXY_ALLOW_UNSAFE
#pragma GCC poison strcpy strcat sprintf vsprintf strncat gets atoi atol atoll strtok localtime gmtime ctime asctime
#endif

#endif

/* The files of ui/web, inside the program. Constant; any thread. */
#ifndef SFPROXY_ADMIN_ASSETS_H
#define SFPROXY_ADMIN_ASSETS_H

#include "base/str.h"

struct str asset_page(void);   /* page.html: a template for html_fill() */
struct str asset_login(void);  /* login.html: likewise */
struct str asset_style(void);  /* page.css */
struct str asset_script(void); /* app.js */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Names as text: names are any bytes, terminals and JSON are not.
 */
#ifndef CUBBY_TOOL_TEXT_H
#define CUBBY_TOOL_TEXT_H

#include <stdio.h>

/*
 * Print `text` so that it stays on one line and commands no terminal: control
 * characters, backslashes and bytes that are not UTF-8 become \xHH.
 */
void tool_text_plain(FILE *out, const char *text);

/*
 * Print `text` as a JSON string with its quotes. JSON has no bytes that are
 * not UTF-8: each becomes U+FFFD.
 */
void tool_text_json(FILE *out, const char *text);

#endif

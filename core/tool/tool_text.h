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

/*
 * Print `text` as the value of a label of Prometheus with its quotes: only
 * backslash, quote and line feed are escaped there. Bytes as in JSON.
 */
void tool_text_label(FILE *out, const char *text);

/* Print `text` as HTML, in an element or a quoted attribute. Control characters
 * and bytes that are not UTF-8 become U+FFFD. */
void tool_text_html(FILE *out, const char *text);

#endif

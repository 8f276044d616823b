/* SPDX-License-Identifier: MIT */
/*
 * Escaping of names, for people, JSON, Prometheus and HTML.
 *
 * Entry names are plain hex, but the directories that they are in have any
 * name that a client gave them, line feeds and broken UTF-8 included. All
 * forms here go character by character: a whole UTF-8 character passes, unless
 * it is a control character; a byte that begins none is replaced alone.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tool/tool_text.h"

/*
 * The character that `text` begins with. Returns its length in bytes and gives
 * its code point, or 0 when no valid UTF-8 begins here. The end mark is not a
 * continuation byte, so this never reads past it.
 */
static size_t text_char(const char *text, uint32_t *ret_code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *byte = (const unsigned char *)text;
	uint32_t code;
	size_t length;

	if (byte[0] < 0x80) {
		*ret_code = byte[0];
		return 1;
	}
	if (byte[0] >= 0xc2 && byte[0] <= 0xdf)
		length = 2;
	else if (byte[0] >= 0xe0 && byte[0] <= 0xef)
		length = 3;
	else if (byte[0] >= 0xf0 && byte[0] <= 0xf4)
		length = 4;
	else
		return 0;

	code = byte[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte[i] & 0x3fu);
	}
	if (code < smallest[length] || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;

	*ret_code = code;
	return length;
}

/* C0, DEL and C1: what a terminal may take for a command. */
static int is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

void tool_text_plain(FILE *out, const char *text)
{
	while (*text) {
		uint32_t code = 0;
		size_t length = text_char(text, &code);

		if (length > 0 && !is_control(code) && code != '\\') {
			fwrite(text, 1, length, out);
			text += length;
			continue;
		}
		for (size_t i = 0; i < (length ? length : 1); i++)
			fprintf(out, "\\x%02x", (unsigned char)text[i]);
		text += length ? length : 1;
	}
}

void tool_text_json(FILE *out, const char *text)
{
	putc('"', out);
	while (*text) {
		uint32_t code = 0;
		size_t length = text_char(text, &code);

		if (length == 0)
			fputs("\\ufffd", out);
		else if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (int)code);
		else if (is_control(code))
			fprintf(out, "\\u%04x", code);
		else
			fwrite(text, 1, length, out);
		text += length ? length : 1;
	}
	putc('"', out);
}

/* U+FFFD in UTF-8. */
static const char replacement[] = "\xef\xbf\xbd";

void tool_text_label(FILE *out, const char *text)
{
	putc('"', out);
	while (*text) {
		uint32_t code = 0;
		size_t length = text_char(text, &code);

		if (length == 0)
			fputs(replacement, out);
		else if (code == '\n')
			fputs("\\n", out);
		else if (code == '"' || code == '\\')
			fprintf(out, "\\%c", (int)code);
		else
			fwrite(text, 1, length, out);
		text += length ? length : 1;
	}
	putc('"', out);
}

void tool_text_html(FILE *out, const char *text)
{
	while (*text) {
		uint32_t code = 0;
		size_t length = text_char(text, &code);

		if (length == 0 || is_control(code))
			fputs(replacement, out);
		else if (code == '&' || code == '<' || code == '>' ||
			 code == '"' || code == '\'')
			fprintf(out, "&#%d;", (int)code);
		else
			fwrite(text, 1, length, out);
		text += length ? length : 1;
	}
}

/* SPDX-License-Identifier: MIT */
/* Keys, names of entries, paths of namespaces: which are accepted, and that a
 * wrong one is one clear error. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "box.h"
#include "must.h"
#include "scratch.h"

TestSuite(names, .fini = scratch_end, .timeout = 30);

/* `count` times the digit `c`, then `tail`; to be freed. */
static char *digits(size_t count, char c, const char *tail)
{
	char *text = malloc(count + strlen(tail) + 1);

	MUST(text != NULL);
	memset(text, c, count);
	memcpy(text + count, tail, strlen(tail) + 1);
	return text;
}

Test(names, a_key_is_read_and_written_as_64_digits)
{
	static const char text[] = "000102030405060708090a0b0c0d0e0f"
				   "f0e0d0c0b0a090807060504030201000";
	char back[CUBBY_KEY_TEXT_SIZE];
	struct cubby_key key;

	MUST_DO(cubby_key_parse(text, &key));
	for (unsigned i = 0; i < 16; i++)
		MUST_BE(key.bytes[i], i);
	MUST_BE(key.bytes[16], 0xf0);
	MUST_BE(key.bytes[31], 0x00);
	cubby_key_format(&key, back);
	MUST(strcmp(back, text) == 0);
}

Test(names, a_text_that_is_not_64_lower_case_digits_is_no_key)
{
	char *texts[] = {
		digits(0, 'a', ""),	 digits(63, 'a', ""),
		digits(65, 'a', ""),	 digits(128, 'a', ""),
		digits(64, 'A', ""),	 digits(63, 'a', "g"),
		digits(63, 'a', " "),	 digits(63, 'a', "\n"),
		digits(63, 'a', "F"),	 digits(63, 'a', "/"),
		digits(63, 'a', ":"),	 digits(63, 'a', "`"),
		digits(63, 'a', "\xff"), digits(64, 'a', "\n"),
		digits(62, 'a', "0x"),	 digits(64, 'a', "-d"),
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct cubby_key key = {{42}};

		MUST_BE(cubby_key_parse(texts[i], &key), -EINVAL);
		MUST_BE(key.bytes[0], 42);
		free(texts[i]);
	}
}

/* The key of `text` as plain SHA-256, given in two calls. */
static void sha_is(const char *text, size_t cut, const char *want)
{
	struct cubby_key_builder *builder;
	char got[CUBBY_KEY_TEXT_SIZE];
	struct cubby_key key;

	MUST_DO(cubby_key_builder_new(&builder));
	MUST_DO(cubby_key_builder_bytes(builder, text, cut));
	MUST_DO(cubby_key_builder_bytes(builder, text + cut,
					strlen(text) - cut));
	MUST_DO(cubby_key_builder_finish(builder, &key));
	cubby_key_format(&key, got);
	MUST(strcmp(got, want) == 0);
	cubby_key_builder_free(builder);
}

Test(names, a_key_of_bytes_is_the_sha_256_of_the_content)
{
	/* FIPS 180-2, appendix B, and the empty message. */
	sha_is("", 0,
	       "e3b0c44298fc1c149afbf4c8996fb924"
	       "27ae41e4649b934ca495991b7852b855");
	sha_is("abc", 1,
	       "ba7816bf8f01cfea414140de5dae2223"
	       "b00361a396177a9cb410ff61f20015ad");
	sha_is("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 9,
	       "248d6a61d20638b8e5c026930c3e6039"
	       "a33ce45964ff2167f6ecedd419db06c1");
}

/* The key of up to three parts; NULL ends them. */
static struct cubby_key key_of_parts(const char *a, const char *b,
				     const char *c)
{
	const char *parts[] = {a, b, c};
	struct cubby_key_builder *builder;
	struct cubby_key key;

	MUST_DO(cubby_key_builder_new(&builder));
	for (unsigned i = 0; i < 3 && parts[i]; i++)
		MUST_DO(cubby_key_builder_part(builder, parts[i],
					       strlen(parts[i])));
	MUST_DO(cubby_key_builder_finish(builder, &key));
	cubby_key_builder_free(builder);
	return key;
}

Test(names, a_key_of_parts_tells_where_one_ends)
{
	struct cubby_key keys[] = {
		key_of_parts("ab", "c", NULL),	 key_of_parts("a", "bc", NULL),
		key_of_parts("abc", NULL, NULL), key_of_parts("", "abc", NULL),
		key_of_parts("abc", "", NULL),	 key_of_parts("a", "b", "c"),
		key_of_parts("", NULL, NULL),	 key_of_parts("", "", NULL),
		key_of_parts(NULL, NULL, NULL),
	};
	size_t count = sizeof(keys) / sizeof(*keys);

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			MUST(memcmp(&keys[i], &keys[j], sizeof(keys[i])) != 0);
}

Test(names, a_part_is_its_length_in_eight_bytes_and_then_its_bytes)
{
	struct cubby_key part = key_of_parts("hello", NULL, NULL);
	struct cubby_key_builder *builder;
	struct cubby_key bytes;

	MUST_DO(cubby_key_builder_new(&builder));
	MUST_DO(cubby_key_builder_bytes(builder, "\5\0\0\0\0\0\0\0hello", 13));
	MUST_DO(cubby_key_builder_finish(builder, &bytes));
	MUST(memcmp(&part, &bytes, sizeof(part)) == 0);
	cubby_key_builder_free(builder);
}

Test(names, a_builder_starts_afresh_after_each_key)
{
	struct cubby_key_builder *builder;
	struct cubby_key first;
	struct cubby_key second;

	MUST_DO(cubby_key_builder_new(&builder));
	MUST_DO(cubby_key_builder_part(builder, "x", 1));
	MUST_DO(cubby_key_builder_finish(builder, &first));
	MUST_DO(cubby_key_builder_part(builder, "x", 1));
	MUST_DO(cubby_key_builder_finish(builder, &second));
	MUST(memcmp(&first, &second, sizeof(first)) == 0);
	cubby_key_builder_free(builder);
}

Test(names, every_entry_name_adds_gets_and_deletes)
{
	char *names[] = {
		digits(32, '0', ""),	      digits(38, 'a', ""),
		digits(40, '9', ""),	      digits(63, 'b', ""),
		digits(64, 'c', ""),	      digits(65, 'd', ""),
		digits(128, 'f', ""),	      digits(64, '1', "-a"),
		digits(64, '1', "-d"),	      digits(64, '1', "-z9z9z9z9"),
		digits(128, '1', "-stats00"), digits(32, '1', "-0"),
	};
	size_t count = sizeof(names) / sizeof(*names);
	struct box box;

	box_new(&box, "ns");
	for (size_t i = 0; i < count; i++) {
		MUST(cubby_name_is_entry(names[i]));
		box_add(&box, names[i], names[i], strlen(names[i]));
	}
	MUST_BE(box_stats(&box).entries, count);
	for (size_t i = 0; i < count; i++)
		MUST(box_has(&box, names[i], names[i], strlen(names[i])));
	for (size_t i = 0; i < count; i++) {
		box_delete(&box, names[i]);
		MUST(box_misses(&box, names[i]));
		free(names[i]);
	}
	MUST_BE(box_stats(&box).entries, 0);
	box_close(&box);
}

Test(names, any_other_name_is_refused_by_every_function)
{
	char *names[] = {
		digits(0, '0', ""),
		digits(31, '0', ""),
		digits(129, '0', ""),
		digits(255, 'a', ""),
		digits(256, 'a', ""),
		digits(5000, 'a', ""),
		digits(64, 'A', ""),
		digits(63, 'a', "A"),
		digits(63, 'a', "g"),
		digits(64, 'a', "-"),
		digits(64, 'a', "-A"),
		digits(64, 'a', "-123456789"),
		digits(64, 'a', "-a-b"),
		digits(64, 'a', "-a\n"),
		digits(64, 'a', "\n"),
		digits(64, 'a', "-a.tmp"),
		digits(64, 'a', ".tmp"),
		digits(64, 'a', ".123.tmp"),
		digits(64, 'a', "/"),
		digits(32, 'a', "/aaaaaaaaaaaaaaaa"),
		digits(2, '.', ""),
		digits(1, '.', ""),
		digits(1, '/', ""),
		digits(0, '0', "../../etc/passwd"),
		digits(0, '0', "a\nb"),
		digits(64, '\n', ""),
		digits(0, '0', "trim.txt"),
		digits(64, '\xff', ""),
	};
	struct box box;

	box_new(&box, "ns");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct cubby_reader *reader;
		struct cubby_writer *writer;
		struct cubby_attr attr;

		MUST(!cubby_name_is_entry(names[i]));
		MUST_BE(cubby_get_name(box.ns, names[i], &reader), -EINVAL);
		MUST_BE(cubby_writer_open_name(box.ns, names[i], &writer),
			-EINVAL);
		MUST_BE(cubby_delete_name(box.ns, names[i]), -EINVAL);
		MUST_BE(cubby_stat_name(box.ns, names[i], &attr), -EINVAL);
		free(names[i]);
	}
	MUST_BE(box_stats(&box).entries, 0);
	box_close(&box);
}

Test(names, a_malformed_namespace_is_refused)
{
	static const char *const paths[] = {
		"/",	"/a",	"a/",	 "a//b", ".",	   "..",
		"a/..", "../a", "a/./b", "./a",	 "a/../b", "//",
	};
	char *deep = digits(3000, 'a', "");
	struct cubby_ns *ns = NULL;
	struct box box;

	box_new(&box, "");
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		if (cubby_ns_open(box.store, paths[i], &ns) != -EINVAL)
			must_fail(__FILE__, __LINE__,
				  "the namespace \"%s\" is accepted", paths[i]);
		MUST(ns == NULL);
	}
	MUST_BE(cubby_ns_open(box.store, deep, &ns), -ENAMETOOLONG);
	deep[256] = '\0';
	MUST_BE(cubby_ns_open(box.store, deep, &ns), -ENAMETOOLONG);
	free(deep);
	box_close(&box);
}

Test(names, a_namespace_may_have_any_bytes_and_any_depth)
{
	char *longest = digits(255, 'n', "");
	char *many = malloc(2 * 200);
	const char *paths[] = {
		"",	 "a",	"a b",	   "-x",    "a\nb", "\xff\xfe",
		"...",	 "..a", ".hidden", "x/y/z", "a:b",  "*",
		"\"q\"", "\\",	longest,   many,
	};
	size_t count = sizeof(paths) / sizeof(*paths);
	struct box box;

	MUST(many != NULL);
	for (unsigned i = 0; i < 200; i++)
		memcpy(many + 2 * i, i == 199 ? "d" : "d/", 2);
	box_new(&box, "");
	for (size_t i = 0; i < count; i++) {
		struct cubby_key key = key_of(7);
		struct cubby_ns *ns;

		MUST_DO(cubby_ns_open(box.store, paths[i], &ns));
		MUST_DO(cubby_add_bytes(ns, &key, &i, sizeof(i)));
		cubby_ns_close(ns);
	}
	MUST_BE(box_stats(&box).entries, count);
	for (size_t i = 0; i < count; i++) {
		struct cubby_key key = key_of(7);
		struct cubby_reader *reader;
		struct cubby_ns *ns;

		MUST_DO(cubby_ns_open(box.store, paths[i], &ns));
		MUST_DO(cubby_get(ns, &key, &reader));
		MUST(reader_is(reader, &i, sizeof(i)));
		cubby_reader_close(reader);
		cubby_ns_close(ns);
	}
	free(longest);
	free(many);
	box_close(&box);
}

Test(names, opening_a_namespace_makes_nothing)
{
	struct box box;

	box_new(&box, "a/b/c");
	MUST(box_misses(&box, name_of(1)));
	box_delete(&box, name_of(1));
	MUST_BE(box_stats(&box).directories, 0);
	box_add(&box, name_of(1), "x", 1);
	MUST_BE(box_stats(&box).directories, 3);
	box_close(&box);
}

Test(names, an_entry_cannot_be_a_part_of_a_namespace)
{
	struct cubby_key key = key_of(2);
	struct cubby_reader *reader = NULL;
	struct cubby_ns *below;
	struct box box;
	char *path;

	box_new(&box, "a");
	box_add(&box, name_of(1), "x", 1);
	path = text_new("a/%s", name_of(1));
	MUST_DO(cubby_ns_open(box.store, path, &below));
	MUST_BE(cubby_add_bytes(below, &key, "y", 1), -ENOTDIR);
	MUST(cubby_get(below, &key, &reader) < 0);
	MUST(reader == NULL);
	cubby_ns_close(below);
	free(path);
	/* And a directory that has an entry's name cannot be one. */
	path = text_new("a/%s", name_of(3));
	MUST_DO(cubby_ns_open(box.store, path, &below));
	MUST_DO(cubby_add_bytes(below, &key, "y", 1));
	MUST_BE(box_try_add(&box, name_of(3), "z", 1), -EISDIR);
	cubby_ns_close(below);
	free(path);
	MUST(box_has(&box, name_of(1), "x", 1));
	box_close(&box);
}

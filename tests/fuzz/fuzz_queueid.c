/*
 * fuzz_queueid.c - whatever the name, its parts are in range, its directory is
 * one letter a level, and a short ID is built again from its parts.
 */
#include "fuzz/input.h"
#include "qtool/queueid.h"

static void check_hash(const char *name, const char *key)
{
	char dir[2 * 6 + 1];
	unsigned depth, i;

	for (depth = 0; depth <= 6; depth++) {
		qt_queue_id_hash(name, depth, dir, sizeof dir);
		REQUIRE(strlen(dir) == 2 * depth);
		for (i = 0; i < depth; i++) {
			char want = strlen(key) > i ? key[i] : '_';

			REQUIRE(dir[2 * i] == want && dir[2 * i + 1] == '/');
		}
	}
}

static void check_short(const char *name, const struct qt_queue_id *id)
{
	char again[64];
	struct qt_queue_id id2;

	REQUIRE(id->seconds == -1 && id->usec <= 0xfffff);
	if (!id->has_inode)
		return;
	REQUIRE(strlen(name) > 5);
	qt_queue_id_make_short(again, sizeof again, id->usec, id->inode);
	/* shorter only by zeros, a prefix, or a part that is no number */
	REQUIRE(strlen(again) <= strlen(name));
	qt_queue_id_parse(&id2, again);
	REQUIRE(!id2.is_long && id2.has_inode);
	REQUIRE(id2.inode == id->inode && id2.usec == id->usec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[QT_QUEUE_ID_MAX + 10], key[QT_QUEUE_ID_MAX + 10];
	struct qt_queue_id id;
	size_t i;

	if (size >= sizeof name || memchr(data, 0, size) != NULL)
		return 0;
	memcpy(name, data, size);
	name[size] = '\0';
	if (!qt_queue_id_valid(name))
		return 0;
	REQUIRE(size >= 1 && size <= QT_QUEUE_ID_MAX);
	for (i = 0; i < size; i++)
		REQUIRE(name[i] != '/' && name[i] != '.');
	qt_queue_id_parse(&id, name);
	qt_queue_id_key(name, key, sizeof key);
	check_hash(name, key);
	REQUIRE(id.has_inode || id.inode == 0);
	if (id.is_long) {
		REQUIRE(size > 10 && id.usec < 52 * 52 * 52 * 52);
		REQUIRE(strtoul(key, NULL, 16) == id.usec);
		REQUIRE(id.seconds >= -1);
	} else {
		REQUIRE(strcmp(key, name) == 0);
		check_short(name, &id);
	}
	return 0;
}

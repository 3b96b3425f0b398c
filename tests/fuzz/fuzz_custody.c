/*
 * fuzz_custody.c - a line of custody taken apart: its texts lie in the room that
 * there is for them, and it has all of its members.
 */
#include "fuzz/input.h"
#include "qtool/custody.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t room_len = size + QT_CUSTODY_ROOM;
	char *room = malloc(room_len);
	struct qt_custody_event e;
	const char *texts[8];
	size_t i;

	if (room == NULL || size > FUZZ_MAX) {
		free(room);
		return 0;
	}
	if (qt_custody_read(&e, room, (const char *)data, size)) {
		memcpy(texts, (const char *[]){e.time, e.actor, e.host, e.event,
		    e.what, e.why, e.sha256, e.prev}, sizeof texts);
		for (i = 0; i < 8; i++)
			REQUIRE(texts[i] >= room && texts[i] < room + room_len &&
			    memchr(texts[i], 0, room_len -
				(size_t)(texts[i] - room)) != NULL);
		REQUIRE(memmem(data, size, "\"seq\"", 5) != NULL);
	}
	free(room);
	return 0;
}

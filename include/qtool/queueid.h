/*
 * queueid.h - Postfix queue IDs and queue directories' names.
 *
 * Source: Postfix src/global/mail_queue.h, mail_queue.c, file_id.c,
 * safe_ultostr.c; src/util/dir_forest.c.
 */
#ifndef QTOOL_QUEUEID_H
#define QTOOL_QUEUEID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QT_QUEUE_ID_MAX 255

struct qt_queue_id {
	bool is_long;	 /* enable_long_queue_ids form */
	int64_t seconds; /* of creation; -1 for a short ID, which has none */
	uint32_t usec;	 /* microseconds of creation */
	bool has_inode;	 /* the name carries one that could be decoded */
	uint64_t inode;
};

/* 1..255 ASCII letters, digits and underscores. */
bool qt_queue_id_valid(const char *name);
/* Decode a valid name; what does not decode leaves has_inode false. */
void qt_queue_id_parse(struct qt_queue_id *id, const char *name);
/* The hash key of a name: itself, or %05X of a long ID's microseconds. */
void qt_queue_id_key(const char *name, char *key, size_t size);
/*
 * Path of a name below its queue: "A/B/" for depth 2 and key AB..., "" for
 * depth 0; '_' where the key is too short.
 */
void qt_queue_id_hash(const char *name, unsigned depth, char *dir,
    size_t size);
/* Short form from microseconds and inode, as mail_queue_enter builds it. */
void qt_queue_id_make_short(char *name, size_t size, uint32_t usec,
    uint64_t inode);
/* Long form; seconds not negative, usec below 1,000,000. */
void qt_queue_id_make_long(char *name, size_t size, int64_t seconds,
    uint32_t usec, uint64_t inode);

#endif

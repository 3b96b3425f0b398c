/*
 * wire.h - what judge and hand say to each other.
 *
 * Over a socket that keeps messages apart (SOCK_SEQPACKET); each is a type and
 * a body of that type's one length, but for the bytes of a plan.  Both ends are
 * the same program on the same machine: structs are sent as they are, zeroed
 * before they are filled.
 *
 *	judge		hand
 *	OPEN		RESULT
 *	PLAN... RUN	(PROGRESS | REPORT | DECIDE)... RESULT
 *	DECIDED				in answer to DECIDE
 *	(DATA... DATA | DECIDED)	in answer to WANT, which is one of
 *				the above when an archive is restored; an empty
 *				DATA ends it, DECIDED says that it failed
 *	UNDO REDO PURGE	(PROGRESS | REPORT)... RESULT
 *	STOP				at any time: no answer
 *	CLOSE		RESULT
 */
#ifndef CHANGE_WIRE_H
#define CHANGE_WIRE_H

#include "qtool/change.h"

enum qt_wire_type {
	QT_WIRE_OPEN, QT_WIRE_PLAN, QT_WIRE_RUN, QT_WIRE_UNDO, QT_WIRE_REDO,
	QT_WIRE_PURGE, QT_WIRE_DECIDED, QT_WIRE_DATA, QT_WIRE_STOP,
	QT_WIRE_CLOSE,
	QT_WIRE_OF_JUDGE, /* below: the judge's */
	QT_WIRE_PROGRESS = QT_WIRE_OF_JUDGE, QT_WIRE_REPORT, QT_WIRE_DECIDE,
	QT_WIRE_WANT, QT_WIRE_RESULT,
	QT_WIRE_TYPES
};

#define QT_WIRE_CHUNK 32768u /* bytes of a plan or file in one message, at most */

/* struct qt_error, of fixed width. */
struct qt_wire_error {
	int32_t code, sys;
	int64_t offset;
	char where[160], text[400];
};

struct qt_wire_open {
	uint8_t no_wait, strict, in_place;
	uint8_t decide, progress; /* whether these are asked for */
	uint8_t again;
	uint32_t purge_rate, wait_s;
};

struct qt_wire_result {
	int32_t r;
	uint64_t recovered; /* of OPEN */
	uint64_t planned, done, gone, changed, doubtful, txid;
	uint8_t begun;
	struct qt_wire_error err;
};

struct qt_wire_message {
	uint32_t type; /* enum qt_wire_type */
	uint32_t size; /* bytes of the body in use */
	union {
		struct qt_wire_open open;
		uint64_t txid;	 /* UNDO, REDO, PURGE, DECIDE */
		uint64_t bytes;	 /* RUN: of the plan before it */
		struct {
			int32_t r;
			struct qt_wire_error err;
		} decided;
		struct {
			uint64_t done, total;
		} progress;
		struct {
			uint32_t fate;
			char queue[16], id[256];
		} report;
		struct {
			uint64_t seq;
			uint32_t log; /* enum qt_queue */
		} want;
		struct qt_wire_result result;
		char plan[QT_WIRE_CHUNK]; /* PLAN, DATA */
	} u;
};

/* A message of that type, its body zero. */
void qt_wire_init(struct qt_wire_message *m, enum qt_wire_type type);
/* 0, or -1 with errno: EPIPE when the other end is closed. */
int qt_wire_send(int fd, const struct qt_wire_message *m) QT_MUST_CHECK;
/*
 * The same, but the other end may read nothing: after a minute, or a second
 * once *stop is set, -1 with EAGAIN.
 */
int qt_wire_send_within(int fd, const struct qt_wire_message *m,
    const volatile sig_atomic_t *stop) QT_MUST_CHECK;
/*
 * 0; 1 the other end is closed; -1 with errno, EBADMSG when it is no message of
 * this protocol.  Strings in it end, whatever was sent.
 */
int qt_wire_receive(int fd, struct qt_wire_message *m) QT_MUST_CHECK;
/* The same; 1, too, when nothing has come for so long after *stop was set. */
int qt_wire_receive_within(int fd, struct qt_wire_message *m,
    const volatile sig_atomic_t *stop, unsigned seconds) QT_MUST_CHECK;

void qt_wire_put_error(struct qt_wire_error *to, const struct qt_error *err);
void qt_wire_get_error(struct qt_error *err, const struct qt_wire_error *from);

#endif

/*
 * wire.c - messages between judge and hand, checked on arrival.
 */
#include "change/wire.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD offsetof(struct qt_wire_message, u)
#define WAIT_MS 100
#define WAITS 600u	   /* of WAIT_MS: for a judge whose output nobody reads */
#define WAITS_STOPPED 10u /* for one that was to stop */

/* The one length of a type's body; of bytes the largest. */
static size_t body(uint32_t type)
{
	static const struct qt_wire_message *const m = NULL;

	switch ((enum qt_wire_type)type) {
	case QT_WIRE_OPEN:
		return sizeof(m->u.open);
	case QT_WIRE_PLAN:
	case QT_WIRE_DATA:
		return sizeof(m->u.plan);
	case QT_WIRE_RUN:
	case QT_WIRE_UNDO:
	case QT_WIRE_REDO:
	case QT_WIRE_PURGE:
	case QT_WIRE_DECIDE:
		return sizeof(m->u.txid);
	case QT_WIRE_DECIDED:
		return sizeof(m->u.decided);
	case QT_WIRE_PROGRESS:
		return sizeof(m->u.progress);
	case QT_WIRE_REPORT:
		return sizeof(m->u.report);
	case QT_WIRE_WANT:
		return sizeof(m->u.want);
	case QT_WIRE_RESULT:
		return sizeof(m->u.result);
	case QT_WIRE_STOP:
	case QT_WIRE_CLOSE:
	case QT_WIRE_TYPES:
		break;
	}
	return 0;
}

static bool is_bytes(uint32_t type)
{
	return type == QT_WIRE_PLAN || type == QT_WIRE_DATA;
}

void qt_wire_init(struct qt_wire_message *m, enum qt_wire_type type)
{
	const size_t size = body(type);

	m->type = type;
	m->size = (uint32_t)size;
	memset(&m->u, 0, size);
}

int qt_wire_send(int fd, const struct qt_wire_message *m)
{
	const size_t size = HEAD + m->size;
	ssize_t n;

	/* send(), no write(): who counts the calls that change files does not
	 * count this one; and an end that is gone is no signal */
	do
		n = send(fd, m, size, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)size ? 0 : -1;
}

int qt_wire_send_within(int fd, const struct qt_wire_message *m,
    const volatile sig_atomic_t *stop)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	const size_t size = HEAD + m->size;
	unsigned waits = 0;
	ssize_t n;

	for (;;) {
		n = send(fd, m, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			return n == (ssize_t)size ? 0 : -1;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return -1;
		/* counted, not timed: Ctrl-Z stops both ends */
		if (waits >= (*stop != 0 ? WAITS_STOPPED : WAITS))
			return -1;
		waits += poll(&p, 1, WAIT_MS) == 0;
	}
}

static void end(char *s, size_t size)
{
	s[size - 1] = '\0';
}

static void end_error(struct qt_wire_error *e)
{
	end(e->where, sizeof(e->where));
	end(e->text, sizeof(e->text));
}

static void end_strings(struct qt_wire_message *m)
{
	if (m->type == QT_WIRE_DECIDED)
		end_error(&m->u.decided.err);
	if (m->type == QT_WIRE_RESULT)
		end_error(&m->u.result.err);
	if (m->type == QT_WIRE_REPORT) {
		end(m->u.report.queue, sizeof(m->u.report.queue));
		end(m->u.report.id, sizeof(m->u.report.id));
	}
}

int qt_wire_receive(int fd, struct qt_wire_message *m)
{
	ssize_t n;

	/* MSG_TRUNC: the length it has, not what fits */
	do
		n = recv(fd, m, sizeof(*m), MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != ECONNRESET)
		return -1;
	if (n <= 0)
		return 1;
	if ((size_t)n < HEAD || m->type >= QT_WIRE_TYPES ||
	    (size_t)n != HEAD + (size_t)m->size ||
	    (is_bytes(m->type) ? m->size > body(m->type) :
				 m->size != body(m->type))) {
		errno = EBADMSG;
		return -1;
	}
	end_strings(m);
	return 0;
}

int qt_wire_receive_within(int fd, struct qt_wire_message *m,
    const volatile sig_atomic_t *stop, unsigned seconds)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	unsigned waits = 0;
	int r;

	while ((r = poll(&p, 1, WAIT_MS)) <= 0) {
		if (r < 0 && errno != EINTR)
			return -1;
		waits += r == 0 && *stop != 0;
		if (waits / (1000 / WAIT_MS) >= seconds && *stop != 0)
			return 1;
	}
	return qt_wire_receive(fd, m);
}

void qt_wire_put_error(struct qt_wire_error *to, const struct qt_error *err)
{
	*to = (struct qt_wire_error){.code = (int32_t)err->code,
	    .sys = err->sys, .offset = err->offset};
	(void)strlcpy(to->where, err->where, sizeof(to->where));
	(void)strlcpy(to->text, err->text, sizeof(to->text));
}

void qt_wire_get_error(struct qt_error *err, const struct qt_wire_error *from)
{
	enum qt_code code = QT_E_LIBRARY;

	if (err == NULL)
		return;
	if (from->code > QT_OK && from->code <= QT_E_INTERRUPTED)
		code = (enum qt_code)from->code;
	/* once more through the one place that makes texts printable */
	(void)qt_fail_at(err, code, from->where, from->offset, "%s",
	    from->text);
	err->sys = from->sys;
}

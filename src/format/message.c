/*
 * message.c - one queue file as qmgr, or for maildrop pickup, understands it.
 *
 * The order of the tests is qmgr's, because it decides which of two records
 * counts and which of two faults is found.  qmgr accepts the record types of
 * the envelope and of the extracted segment in both, skips the content, and
 * takes X only right behind the skip.  Values are cut at the first NUL, like
 * the C strings they are to Postfix.
 *
 * Maildrop files are judged by pickup(8) and by what cleanup(8) makes of its
 * copy: the three segments are read one after the other, each with its own
 * record types, and there is a limit on the length of a record
 * (line_length_limit, taken at its default).
 *
 * Source: Postfix src/qmgr/qmgr_message.c, src/global/rec_type.h,
 * src/global/dsn_mask.h, src/global/verp_sender.c; src/pickup/pickup.c,
 * src/cleanup/cleanup_envelope.c.
 */
#include "qtool/message.h"

#include <string.h>

#include "format/attr.h"
#include "format/cursor.h"
#include "format/text.h"
#include "format/walk.h"

#define RECORD_MAX_PICKUP 2048u		      /* line_length_limit */
#define SIZE_FLAGS 0x1f			      /* C field 4: what qmgr allows */
#define TRACE_FLAGS (256 | 512 | 1024 | 8192) /* DEL_REQ_TRACE_FLAGS_MASK */

enum {
	IN_ENVELOPE = 1 << QT_SEG_ENVELOPE,
	IN_CONTENT = 1 << QT_SEG_CONTENT,
	IN_EXTRACTED = 1 << QT_SEG_EXTRACTED
};
/* In which segments a type may be (REC_TYPE_ENVELOPE, _CONTENT, _EXTRACT). */
static const uint8_t allowed[256] = {
    ['M'] = IN_ENVELOPE,
    ['C'] = IN_ENVELOPE,
    ['T'] = IN_ENVELOPE,
    ['c'] = IN_ENVELOPE,
    ['S'] = IN_ENVELOPE,
    ['W'] = IN_ENVELOPE,
    ['V'] = IN_ENVELOPE,
    ['<'] = IN_ENVELOPE,
    ['i'] = IN_ENVELOPE,
    ['F'] = IN_ENVELOPE | IN_EXTRACTED,
    ['I'] = IN_ENVELOPE | IN_EXTRACTED,
    ['L'] = IN_ENVELOPE | IN_CONTENT | IN_EXTRACTED,
    ['D'] = IN_ENVELOPE | IN_EXTRACTED,
    ['R'] = IN_ENVELOPE | IN_EXTRACTED,
    ['O'] = IN_ENVELOPE | IN_EXTRACTED,
    ['/'] = IN_ENVELOPE | IN_EXTRACTED,
    ['A'] = IN_ENVELOPE | IN_EXTRACTED,
    ['>'] = IN_ENVELOPE | IN_EXTRACTED,
    ['K'] = IN_ENVELOPE | IN_EXTRACTED,
    ['o'] = IN_ENVELOPE | IN_EXTRACTED,
    ['n'] = IN_ENVELOPE | IN_EXTRACTED,
    ['N'] = IN_CONTENT,
    ['X'] = IN_CONTENT,
    ['P'] = IN_EXTRACTED,
    ['r'] = IN_EXTRACTED,
    ['e'] = IN_EXTRACTED,
    ['E'] = IN_EXTRACTED,
};

/* A payload as the C string that Postfix uses. */
struct str {
	const char *s;
	size_t len;
};

struct parser {
	struct qt_msg *msg;
	struct qt_walk walk;
	struct qt_record rec; /* the one being judged */
	struct qt_arena *arena;
	struct qt_error *err;
	bool keep_rcpts;
	bool maildrop;
	bool have_log;	  /* a log_ attribute was seen: no legacy names */
	bool have_warn;	  /* a W record was seen */
	bool have_time;	  /* a T record was seen before S */
	bool have_orig;	  /* an O record waits for its recipient */
	bool have_orcpt;  /* a DSN original recipient does */
	uint8_t notify;	  /* DSN NOTIFY flags that do */
	const char *orig; /* their values, with keep_rcpts */
	const char *orcpt;
	const char *showq_orig;
	size_t rcpt_cap;    /* of msg->rcpt */
	/* ahead(): the window and the part of it that was searched */
	const unsigned char *seen, *seen_from, *seen_end;
	uint64_t seen_start;
	const unsigned char *nul; /* the first NUL in that part */
	bool have_expected; /* the C record tells how many there are */
	int64_t expected;   /* that number */
};

static int reject(struct parser *p, const char *why)
{
	return qt_fail_at(
	    p->err, QT_E_CORRUPT, "", (int64_t)p->rec.offset, "%s", why);
}

/*
 * The arena gave nothing.  Its ceiling is reached by no message but a hostile
 * one, and that shall not stop the scan of all others.
 */
static int no_room(struct parser *p)
{
	if (p->arena->total > p->arena->max / 2)
		return reject(p, "envelope too large to be held in memory");
	return qt_fail_mem(p->err);
}

static int copy(struct parser *p, const char **to, struct str v)
{
	const char *s = qt_arena_dup(p->arena, v.s, v.len);

	if (s == NULL)
		return no_room(p);
	*to = s;
	return 0;
}

/* ---- recipients ---- */

static void drop_pending(struct parser *p)
{
	p->have_orig = p->have_orcpt = false;
	p->orig = p->orcpt = NULL;
	p->notify = 0;
}

static struct qt_rcpt *new_rcpt(struct parser *p)
{
	struct qt_msg *m = p->msg;
	struct qt_rcpt *v;
	size_t cap;

	if (m->nrcpt == p->rcpt_cap) {
		cap = p->rcpt_cap != 0 ? p->rcpt_cap * 2 : 4;
		/* the count in the C record, when it is not absurd */
		if (p->rcpt_cap == 0 && p->expected > 0 && p->expected <= 1024)
			cap = (size_t)p->expected;
		v = qt_arena_alloc(p->arena, cap * sizeof *v);
		if (v == NULL)
			return NULL;
		if (m->nrcpt != 0)
			memcpy(v, m->rcpt, m->nrcpt * sizeof *v);
		m->rcpt = v;
		p->rcpt_cap = cap;
	}
	return &m->rcpt[m->nrcpt];
}

static int keep_rcpt(struct parser *p, struct str v, enum qt_rcpt_state state)
{
	struct qt_rcpt *r = new_rcpt(p);

	if (r == NULL)
		return no_room(p);
	*r = (struct qt_rcpt){.offset = p->rec.offset, .state = (uint8_t)state};
	/* most recipients are what they were before rewriting */
	if (p->orig != NULL && strlen(p->orig) == v.len &&
	    memcmp(p->orig, v.s, v.len) == 0)
		r->address = p->orig;
	else if (copy(p, &r->address, v) != 0)
		return -1;
	if (state == QT_RCPT_TODO) {
		r->orig = p->orig;
		r->dsn_orcpt = p->orcpt;
		r->notify = p->notify;
		r->showq_orig = p->showq_orig;
		p->showq_orig = NULL;
	}
	return 0;
}

/* R, D and /: whatever was pending belongs to it, even if it is done. */
static int recipient(struct parser *p, struct str v, enum qt_rcpt_state state)
{
	struct qt_msg *m = p->msg;

	/* cleanup's rule, so that showq meets no recipient before a sender */
	if (p->maildrop && state == QT_RCPT_TODO && m->sender == NULL)
		return reject(p, "a recipient before the sender");
	if (p->keep_rcpts && keep_rcpt(p, v, state) != 0)
		return -1;
	m->nrcpt++;
	if (state == QT_RCPT_TODO)
		m->ntodo++;
	else if (state == QT_RCPT_DONE)
		m->ndone++;
	else
		m->ncancelled++;
	drop_pending(p);
	return 0;
}

static int original(struct parser *p, struct str v)
{
	if (p->have_orig)
		p->msg->odd |= QT_ODD_TAIL;
	p->have_orig = true;
	if (!p->keep_rcpts)
		return 0;
	if (copy(p, &p->orig, v) != 0)
		return -1;
	p->showq_orig = p->orig;
	return 0;
}

static int dsn_orcpt(struct parser *p, struct str v)
{
	if (p->have_orcpt)
		p->msg->odd |= QT_ODD_TAIL;
	p->have_orcpt = true;
	return p->keep_rcpts ? copy(p, &p->orcpt, v) : 0;
}

static void dsn_notify(struct parser *p, struct str v)
{
	const int some =
	    QT_NOTIFY_SUCCESS | QT_NOTIFY_FAILURE | QT_NOTIFY_DELAY;
	int n;

	if (p->notify != 0)
		p->msg->odd |= QT_ODD_TAIL;
	p->notify = 0;
	if (!qt_text_all_digits(v.s, v.len))
		return;
	n = qt_text_int(v.s, v.len);
	if (n == QT_NOTIFY_NEVER || (n != 0 && (n & ~some) == 0))
		p->notify = (uint8_t)n;
}

/* ---- everything else ---- */

/* The first C record counts; a second one only when no offset is known yet. */
static int size(struct parser *p, struct str v)
{
	struct qt_msg *m = p->msg;
	struct qt_size_fields f;
	int64_t end;

	if (m->have_size && (p->maildrop || p->walk.data_offset != 0))
		return 0;
	qt_text_size(&f, v.s, v.len);
	if (!m->have_size) {
		m->have_size = true;
		m->nsize = f.n;
		m->size_plain = f.plain;
		memcpy(m->size, f.v, sizeof m->size);
	}
	if (p->maildrop) /* preliminary, or from before a requeue */
		return 0;
	if (f.n == 0 || f.n == 2)
		return reject(p, "C record without the numbers it needs");
	if (f.n >= 3 && (f.v[0] <= 0 || f.v[1] <= 0))
		return reject(p, "C record with a size or offset of 0 or less");
	if (f.n >= 3 && __builtin_add_overflow(f.v[0], f.v[1], &end))
		return reject(p, "C record that leads past any file's end");
	if (f.n >= 4 && (f.v[3] & ~(int64_t)SIZE_FLAGS) != 0)
		return reject(p, "C record with unknown flags");
	if (f.n >= 5 && f.v[4] < 0)
		return reject(p, "C record with a negative content length");
	if (f.n >= 3) {
		p->have_expected = true;
		p->expected = f.v[2];
	}
	qt_walk_size(&p->walk, &f);
	return 0;
}

/* T: seconds, and from 2.3 on a blank and microseconds. */
static void arrival(struct parser *p, struct str v)
{
	struct qt_msg *m = p->msg;
	size_t i = 0;
	int64_t usec;

	if (m->sender == NULL)
		p->have_time = true;
	if (m->arrival_time != 0)
		return;
	m->arrival_time = qt_text_long(v.s, v.len);
	while (i < v.len && qt_is_digit((unsigned char)v.s[i]))
		i++;
	m->arrival_usec = -1;
	if (i < v.len) {
		usec = qt_text_long(v.s + i, v.len - i);
		if (usec >= 0 && usec < 1000000)
			m->arrival_usec = usec;
	}
	if (m->sender == NULL)
		m->showq_time = m->arrival_time;
}

static int sender(struct parser *p, struct str v)
{
	struct qt_msg *m = p->msg;

	if (m->sender != NULL) {
		if (p->maildrop) /* cleanup's rule */
			return reject(p, "a second sender");
		return 0;
	}
	m->sender_offset = p->rec.offset;
	return copy(p, &m->sender, v);
}

/* V: two of verp_delimiter_filter's characters, for a sender that has one. */
static int verp(struct parser *p, struct str v)
{
	struct qt_msg *m = p->msg;

	if (m->verp != NULL || m->sender == NULL || m->sender[0] == '\0' ||
	    v.len != 2 || memchr("-=+", v.s[0], 3) == NULL ||
	    memchr("-=+", v.s[1], 3) == NULL)
		return 0;
	return copy(p, &m->verp, v);
}

static void warn_time(struct parser *p, struct str v)
{
	if (p->have_warn)
		return;
	p->have_warn = true;
	p->msg->warn_time = qt_text_long(v.s, v.len);
}

static void create_time(struct parser *p, struct str v)
{
	if (p->msg->create_time == 0)
		p->msg->create_time = qt_text_long(v.s, v.len);
}

static void ret_flags(struct parser *p, struct str v)
{
	int n;

	if (!qt_text_all_digits(v.s, v.len))
		return;
	n = qt_text_int(v.s, v.len);
	if (n == 1 || n == 2) /* FULL or HDRS */
		p->msg->ret_flags = n;
}

static int keep_first(struct parser *p, uint16_t field, struct str v)
{
	const char **to = (const char **)(void *)((char *)p->msg + field);

	return *to != NULL ? 0 : copy(p, to, v);
}

static int keep_last(struct parser *p, uint16_t field, struct str v)
{
	return copy(p, (const char **)(void *)((char *)p->msg + field), v);
}

/* What becomes of the value of an attribute. */
static int value_of(struct parser *p, const struct qt_attr *a, struct str v)
{
	switch ((enum qt_attr_rule)a->rule) {
	case QT_ATTR_FIRST:
		return keep_first(p, a->field, v);
	case QT_ATTR_LAST:
		return keep_last(p, a->field, v);
	case QT_ATTR_LOG:
		p->have_log = true;
		return keep_last(p, a->field, v);
	case QT_ATTR_LEGACY:
		if (!p->have_log && keep_first(p, a->legacy, v) != 0)
			return -1;
		return keep_first(p, a->field, v);
	case QT_ATTR_CTIME:
		create_time(p, v);
		return 0;
	case QT_ATTR_RET:
		ret_flags(p, v);
		return 0;
	case QT_ATTR_NOTIFY:
		dsn_notify(p, v);
		return 0;
	case QT_ATTR_ORCPT:
		return dsn_orcpt(p, v);
	case QT_ATTR_TRACE:
		p->msg->trace_flags = qt_text_int(v.s, v.len) & TRACE_FLAGS;
		return 0;
	}
	return 0;
}

static int attribute(struct parser *p, struct str payload)
{
	const struct qt_attr *a = qt_attr_begins(payload.s, payload.len);
	struct qt_nameval nv;
	const char *why;
	struct str v;

	if (a != NULL) { /* what comes most needs no split */
		v = (struct str){payload.s + a->len + 1,
		    payload.len - a->len - 1};
		qt_text_trim(&v.s, &v.len);
		return value_of(p, a, v);
	}
	why = qt_text_nameval(&nv, payload.s, payload.len);
	if (why != NULL)
		return reject(p, why);
	a = qt_attr_find(nv.name, nv.name_len);
	return a != NULL ? value_of(p, a, (struct str){nv.value, nv.value_len})
			 : 0;
}

/* Use one record of the envelope or the extracted segment. */
static int use_record(struct parser *p)
{
	struct qt_msg *m = p->msg;
	struct str v = {(const char *)p->rec.data, qt_rec_strlen(&p->rec)};

	switch (p->rec.type) {
	case QT_REC_ATTR:
		return attribute(p, v);
	case QT_REC_RCPT:
		return recipient(p, v, QT_RCPT_TODO);
	case QT_REC_DONE:
		return recipient(p, v, QT_RCPT_DONE);
	case QT_REC_DRCP:
		return recipient(p, v, QT_RCPT_CANCELLED);
	case QT_REC_ORCP:
		return original(p, v);
	case QT_REC_DSN_ORCPT:
		return dsn_orcpt(p, v);
	case QT_REC_DSN_NOTIFY:
		dsn_notify(p, v);
		return 0;
	case QT_REC_SIZE:
		return size(p, v);
	case QT_REC_TIME:
		arrival(p, v);
		return 0;
	case QT_REC_CTIME:
		create_time(p, v);
		return 0;
	case QT_REC_FROM:
		return sender(p, v);
	case QT_REC_FILT:
		return copy(p, &m->filter, v);
	case QT_REC_INSP:
		return copy(p, &m->inspector, v);
	case QT_REC_RDR:
		return copy(p, &m->redirect, v);
	case QT_REC_FULL:
		return m->full_name != NULL ? 0 : copy(p, &m->full_name, v);
	case QT_REC_DSN_ENVID:
		return copy(p, &m->envelope_id, v);
	case QT_REC_DSN_RET:
		ret_flags(p, v);
		return 0;
	case QT_REC_WARN:
		warn_time(p, v);
		return 0;
	case QT_REC_VERP:
		return verp(p, v);
	default:
		return 0; /* K, M, X, E, P, r, e */
	}
}

/* ---- judgement ---- */

static int unexpected(struct parser *p)
{
	struct qt_type_text t = qt_record_type_text(p->rec.type);

	return qt_fail_at(p->err, QT_E_CORRUPT, "", (int64_t)p->rec.offset,
	    "unexpected record %s", t.s);
}

/* Whether qmgr, or pickup, takes the record at this place. */
static int check_record(struct parser *p, enum qt_segment before)
{
	const unsigned both = IN_ENVELOPE | IN_EXTRACTED;
	unsigned in = allowed[p->rec.type];

	if (!p->maildrop) {
		if ((in & both) == 0 &&
		    !(p->rec.type == QT_REC_XTRA && p->walk.expect_x))
			return unexpected(p);
		return 0;
	}
	/* by the segment that it ends, where it ends one (M, X) */
	if ((in & (1u << before)) == 0)
		return unexpected(p);
	if (p->rec.length > RECORD_MAX_PICKUP)
		return reject(p, "record longer than line_length_limit");
	return 0;
}

static int next_record(struct parser *p)
{
	enum qt_segment before = p->walk.next;
	int rc;

	rc = qt_walk_step(&p->walk, &p->rec, p->err);
	if (rc != 0)
		return rc;
	rc = check_record(p, before);
	if (rc != 0)
		return rc;
	if ((p->rec.flags & QT_RECORD_LEN5) != 0)
		p->msg->odd |= QT_ODD_LEN5;
	if (p->walk.seg == QT_SEG_CONTENT && p->maildrop)
		return 0;
	if ((p->rec.flags & QT_RECORD_NUL) != 0)
		p->msg->odd |= QT_ODD_NUL;
	return use_record(p);
}

/* ---- what nearly every record is, without the walk ---- */

/* Length of the record at s with a one-byte length; 0: not so, or not whole. */
static size_t short_record(const unsigned char *s, const unsigned char *end)
{
	if (end - s < 2 || s[1] >= 0x80 || end - s - 2 < s[1])
		return 0;
	return 2 + (size_t)s[1];
}

static const char orcpt_is[] = "dsn_orig_rcpt=";
#define ORCPT_IS (sizeof orcpt_is - 1)

/* The records that cleanup writes for an SMTP recipient, side by side. */
struct group {
	const unsigned char *orcpt; /* A dsn_orig_rcpt=... */
	const unsigned char *orig;  /* O */
	const unsigned char *rcpt;  /* R or D */
	size_t len;
};

/* The group at s; false: it is anything else. */
static bool plain_group(struct group *g, const unsigned char *s,
    const unsigned char *end)
{
	size_t a, o, r;

	a = short_record(s, end);
	if (a < 3 + ORCPT_IS || s[0] != QT_REC_ATTR ||
	    memcmp(s + 2, orcpt_is, ORCPT_IS) != 0)
		return false;
	o = short_record(s + a, end);
	if (o == 0 || s[a] != QT_REC_ORCP)
		return false;
	r = short_record(s + a + o, end);
	if (r == 0 || (s[a + o] != QT_REC_RCPT && s[a + o] != QT_REC_DONE))
		return false;
	*g = (struct group){
	    .orcpt = s, .orig = s + a, .rcpt = s + a + o, .len = a + o + r};
	return true;
}

/*
 * What lies ahead in the window before the content, and before the first NUL:
 * *end.  NULL where a record more or less would matter: a pointer, a loop of
 * them (which has to be found at the same record in any window), the skip of
 * the content.
 */
static const unsigned char *ahead(struct parser *p, const unsigned char **end)
{
	const struct qt_walk *w = &p->walk;
	const struct qt_cursor *c = &w->cur;
	const struct qt_input *in = c->in;
	uint64_t limit = in->start + in->len;
	const unsigned char *s;

	if (w->old_size || c->pointer != QT_NO_POINTER || c->back_jumps != 0 ||
	    (w->expect_x && w->seg != QT_SEG_EXTRACTED))
		return NULL;
	if (limit > in->size)
		limit = in->size;
	if ((uint64_t)w->data_offset >= c->pos &&
	    limit > (uint64_t)w->data_offset)
		limit = (uint64_t)w->data_offset;
	if (c->pos < in->start || c->pos >= limit)
		return NULL;
	s = in->data + (c->pos - in->start);
	*end = in->data + (limit - in->start);
	if (p->seen != in->data || p->seen_start != in->start ||
	    p->seen_end != *end || s < p->seen_from) {
		p->seen = in->data;
		p->seen_start = in->start;
		p->seen_end = *end;
		p->seen_from = s;
		p->nul = memchr(s, 0, (size_t)(*end - s));
	}
	if (p->nul != NULL)
		*end = p->nul;
	return s < *end ? s : NULL;
}

static void pass(struct parser *p, size_t bytes, unsigned steps)
{
	struct qt_walk *w = &p->walk;

	w->cur.pos += bytes;
	w->cur.bytes += bytes;
	w->cur.steps += steps;
	w->seg = w->next;
}

static struct str text_of(const unsigned char *record)
{
	return (struct str){(const char *)record + 2, record[1]};
}

/* What its records one after the other come to. */
static int keep_group(struct parser *p, const struct group *g)
{
	const uint64_t at = p->walk.cur.pos;
	struct str v = text_of(g->orcpt);
	int rc;

	p->rec.offset = at;
	v.s += ORCPT_IS;
	v.len -= ORCPT_IS;
	qt_text_trim(&v.s, &v.len);
	if ((rc = dsn_orcpt(p, v)) != 0)
		return rc;
	p->rec.offset = at + (uint64_t)(g->orig - g->orcpt);
	if ((rc = original(p, text_of(g->orig))) != 0)
		return rc;
	p->rec.offset = at + (uint64_t)(g->rcpt - g->orcpt);
	return recipient(p, text_of(g->rcpt),
	    g->rcpt[0] == QT_REC_RCPT ? QT_RCPT_TODO : QT_RCPT_DONE);
}

static int take_group(struct parser *p, const struct group *g)
{
	int rc = 0;

	if (p->keep_rcpts) {
		rc = keep_group(p, g);
	} else {
		p->msg->nrcpt++;
		if (g->rcpt[0] == QT_REC_RCPT)
			p->msg->ntodo++;
		else
			p->msg->ndone++;
	}
	pass(p, g->len, 3);
	return rc;
}

/*
 * Take the attributes and the plain groups that come next: most records there
 * are (measured: half of what parsing takes is saved).  It stops before
 * whatever is neither, for next_record() to judge, and takes no group while
 * something is pending.
 */
static int take_plain(struct parser *p)
{
	const unsigned char *end, *s = ahead(p, &end);
	struct group g;
	struct str v;
	size_t n;
	int rc;

	for (; s != NULL && s < end && s[0] == QT_REC_ATTR; s += n) {
		if (!p->have_orig && !p->have_orcpt && p->notify == 0 &&
		    plain_group(&g, s, end)) {
			n = g.len;
			if ((rc = take_group(p, &g)) != 0)
				return rc;
			continue;
		}
		n = short_record(s, end);
		if (n == 0)
			break;
		p->rec.offset = p->walk.cur.pos;
		pass(p, n, 1);
		v = (struct str){(const char *)s + 2, n - 2};
		if ((rc = attribute(p, v)) != 0)
			return rc;
	}
	return 0;
}

/* What has to be there once the walk is over. */
static int check_whole(struct parser *p)
{
	const struct qt_msg *m = p->msg;

	if (!p->walk.done) {
		p->rec.offset = p->walk.cur.pos;
		return reject(p, "the file ends without an E record");
	}
	if (m->sender == NULL)
		return reject(p, "no sender record");
	if (p->maildrop) {
		/* without any T pickup takes the file's time */
		if (m->arrival_time == 0 && p->have_time)
			return reject(p, "arrival time of 0");
		if (m->ntodo == 0)
			return reject(p, "no recipient left to deliver to");
		return 0;
	}
	if (m->arrival_time == 0)
		return reject(p, "no arrival time record");
	if (p->walk.data_offset == 0)
		return reject(p, "no usable C record");
	return 0;
}

int qt_msg_parse(struct qt_msg *msg, struct qt_input *in,
    enum qt_msg_origin origin, unsigned keep, struct qt_arena *arena,
    struct qt_error *err)
{
	struct parser p = {.msg = msg,
	    .arena = arena,
	    .err = err,
	    .keep_rcpts = (keep & QT_MSG_RCPTS) != 0,
	    .maildrop = origin == QT_MSG_MAILDROP};
	int rc;

	*msg = (struct qt_msg){.arrival_usec = -1};
	/* qmgr reads padding like any record; pickup passes over it */
	qt_walk_init(
	    &p.walk, in, !p.maildrop, p.maildrop ? 0 : QT_CURSOR_PADDING);
	do {
		rc = p.maildrop ? 0 : take_plain(&p);
		if (rc == 0)
			rc = next_record(&p);
	} while (rc == 0);
	if (p.have_orig || p.have_orcpt || p.notify != 0)
		msg->odd |= QT_ODD_TAIL;
	if (rc < 0)
		return rc;
	if (p.have_expected && p.expected != (int64_t)msg->nrcpt)
		msg->odd |= QT_ODD_COUNT;
	return check_whole(&p);
}

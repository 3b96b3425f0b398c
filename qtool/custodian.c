/*
 * custodian.c - a process that writes beside an archive.
 */
#include "custodian.h"

#include <string.h>

#include "qtool/timestamp.h"

/* What is to be done; bytes or texts follow, each with a NUL behind it. */
enum what { APPEND, ATTACH, DETACH };
struct order {
	enum what what;
	uint64_t events, events_bytes; /* of a qt_verify_result */
	bool have_custody;
	char chain[65];
};
#define TEXTS 4 /* event, what, why, sha256 */

/* ---- the process ---- */

/* The texts of an event, which are in the request. */
static bool take_texts(const char *text[TEXTS], const char *at, const char *end)
{
	int i;

	for (i = 0; i < TEXTS; i++, at += strlen(at) + 1) {
		if (at >= end)
			return false;
		text[i] = at;
	}
	return at == end;
}

static int append(const struct custodian *k, const struct order *o,
    const char *texts, const char *end, struct qt_buf *line,
    struct qt_error *err)
{
	struct qt_verify_result r = {.events = o->events,
	    .events_bytes = o->events_bytes, .have_custody = o->have_custody};
	const char *text[TEXTS];

	if (!take_texts(text, texts, end))
		return qt_fail(err, QT_E_LIBRARY, k->file, "no event");
	(void)strlcpy(r.chain, o->chain, sizeof(r.chain));
	return qt_custody_append(k->file, &r, &(struct qt_custody_event){
	    .event = text[0], .what = text[1], .why = text[2],
	    .sha256 = text[3]}, line, err);
}

static int obey(void *ctx, char *bytes, size_t len, struct qt_buf *answer,
    struct qt_error *err)
{
	struct custodian *k = ctx;
	struct order o;

	if (len < sizeof(o))
		return qt_fail(err, QT_E_LIBRARY, k->file, "no order");
	memcpy(&o, bytes, sizeof(o));
	o.chain[sizeof(o.chain) - 1] = '\0';
	if (o.what == ATTACH)
		return qt_timestamp_keep(k->file, bytes + sizeof(o),
		    len - sizeof(o), &k->kept, err);
	/* of what was not made here there is none of that identity */
	return o.what == DETACH ? qt_timestamp_drop(k->file, &k->kept, err) :
	    append(k, &o, bytes + sizeof(o), bytes + len, answer, err);
}

int custodian_start(struct custodian *k, const char *file, struct qt_error *err)
{
	k->file = file;
	return errand_start(&k->errand, "qtool-custody", obey, NULL, k, err);
}

/* ---- the judge's side ---- */

static int run(struct custodian *k, const struct order *o, struct qt_buf *rest,
    struct qt_buf *answer, struct qt_error *err)
{
	struct qt_buf b;
	int r;

	qt_buf_init(&b, ERRAND_MAX);
	qt_buf_add(&b, o, sizeof(*o));
	qt_buf_add(&b, qt_buf_str(rest), rest->len);
	r = qt_buf_check(rest, err) != 0 ? -1 : qt_buf_check(&b, err);
	if (r == 0)
		r = errand_run(&k->errand, b.data, b.len, answer, err);
	qt_buf_release(&b);
	return r;
}

static void put_text(struct qt_buf *b, const char *text)
{
	if (text != NULL)
		qt_buf_adds(b, text);
	qt_buf_add(b, "", 1);
}

int custodian_add(struct custodian *k, const struct qt_verify_result *r,
    const struct qt_custody_event *e, struct qt_buf *line, struct qt_error *err)
{
	struct qt_buf texts;
	struct order o;
	int bad;

	memset(&o, 0, sizeof(o));
	o.events = r->events;
	o.events_bytes = r->events_bytes;
	o.have_custody = r->have_custody;
	memcpy(o.chain, r->chain, sizeof(o.chain));
	qt_buf_init(&texts, ERRAND_MAX);
	put_text(&texts, e->event);
	put_text(&texts, e->what);
	put_text(&texts, e->why);
	put_text(&texts, e->sha256);
	bad = run(k, &o, &texts, line, err);
	qt_buf_release(&texts);
	return bad;
}

static int order_stamp(struct custodian *k, enum what what, const void *bytes,
    size_t len, struct qt_error *err)
{
	struct qt_buf b, none;
	struct order o;
	int r;

	memset(&o, 0, sizeof(o));
	o.what = what;
	qt_buf_init(&b, ERRAND_MAX);
	qt_buf_init(&none, 0);
	qt_buf_add(&b, bytes, len);
	r = run(k, &o, &b, &none, err);
	qt_buf_release(&b);
	qt_buf_release(&none);
	return r;
}

int custodian_attach(struct custodian *k, const void *bytes, size_t len,
    struct qt_error *err)
{
	return order_stamp(k, ATTACH, bytes, len, err);
}

int custodian_detach(struct custodian *k, struct qt_error *err)
{
	return order_stamp(k, DETACH, "", 0, err);
}

void custodian_release(struct custodian *k)
{
	errand_release(&k->errand);
}

/*
 * incident_world.h - an incident made by hand, and what both forms of its paper
 * say, which has to be the same.
 */
#ifndef QTOOL_TEST_INCIDENT_WORLD_H
#define QTOOL_TEST_INCIDENT_WORLD_H

#include "unit/paper_read.h"

#include <stdlib.h>

#include "evidence/incident.h"
#include "qtool/escape.h"

struct world {
	struct qt_incident x;
	struct qt_contact contact;
	struct qt_tx_list history;
	struct qt_error err;
};

#define T0 1795665731 /* 2026-11-26 04:02:11 UTC */

static inline void begin(struct world *w)
{
	struct qt_tally *t[] = {&w->x.accounts, &w->x.clients, &w->x.senders,
	    &w->x.subjects, &w->x.hours, &w->x.rcpt_domains, &w->x.places};
	size_t i;

	memset(w, 0, sizeof(*w));
	qt_arena_init(&w->x.arena, 0);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(qt_tally_init(t[i], &w->x.arena, &w->err), 0);
	w->x.now = T0 + 36000;
	w->x.from = "Abuse desk <abuse@provider.example>";
	w->contact = (struct qt_contact){.address = "noc@isp.example",
	    .asn = "AS64500"};
}

static inline void end(struct world *w)
{
	struct qt_tally *t[] = {&w->x.accounts, &w->x.clients, &w->x.senders,
	    &w->x.subjects, &w->x.hours, &w->x.rcpt_domains, &w->x.places};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		qt_tally_release(t[i]);
	hashset_release(&w->x.people);
	hashset_release(&w->x.reached);
	free(w->history.v);
	qt_arena_release(&w->x.arena);
}

static inline struct qt_counted *add(struct world *w, struct qt_tally *t,
    const char *key, const struct qt_tally_add *n)
{
	struct qt_counted *e;

	assert_int_equal(qt_tally_add(t, key, strlen(key), n, &e, NULL,
	    &w->err), 0);
	return e;
}

/* What an entry is of, if it is new. */
static inline void give(struct world *w, struct qt_counted *e, const void *more,
    size_t size)
{
	if (e->more != NULL)
		return;
	e->more = qt_arena_alloc(&w->x.arena, size);
	assert_non_null(e->more);
	memcpy(e->more, more, size);
}

static inline void add_account(struct world *w, const char *login,
    const struct qt_tally_add *n, const struct qt_account *a)
{
	give(w, add(w, &w->x.accounts, login, n), a, sizeof(*a));
}

static inline void add_client(struct world *w, const char *address,
    const struct qt_tally_add *n, const struct qt_client *c)
{
	give(w, add(w, &w->x.clients, address, n), c, sizeof(*c));
}

static inline void add_hour(struct world *w, int64_t hour, uint64_t recipients)
{
	char key[32];

	qt_incident_time(hour * 3600, key);
	key[10] = 'T';
	key[13] = '\0';
	(void)add(w, &w->x.hours, key, &(struct qt_tally_add){
	    .recipients = recipients, .time = hour * 3600 + 59});
}

/* As qt_incident_write() does before. */
static inline void sort(struct world *w)
{
	qt_tally_sort(&w->x.accounts, QT_TALLY_MESSAGES);
	qt_tally_sort(&w->x.clients, QT_TALLY_MESSAGES);
	qt_tally_sort(&w->x.senders, QT_TALLY_MESSAGES);
	qt_tally_sort(&w->x.subjects, QT_TALLY_MESSAGES);
	qt_tally_sort(&w->x.hours, QT_TALLY_KEY);
	qt_tally_sort(&w->x.rcpt_domains, QT_TALLY_RECIPIENTS);
	qt_tally_sort(&w->x.places, QT_TALLY_MESSAGES);
}

/* What both forms read; fails where they differ.  The caller releases it. */
static inline struct reading read_both(struct world *w)
{
	struct reading html = {.rows = 0}, text = {.rows = 0};
	struct qt_buf b;

	sort(w);
	qt_buf_init(&html.text, 0);
	qt_buf_init(&text.text, 0);
	qt_buf_init(&b, 0);
	assert_int_equal(qt_incident_paper(&w->x, true, &b, &w->err), 0);
	assert_true(qt_utf8_valid(b.data, b.len));
	assert_int_equal(strlen(b.data), b.len);
	read_html(&html, qt_buf_str(&b));
	qt_buf_clear(&b);
	assert_int_equal(qt_incident_paper(&w->x, false, &b, &w->err), 0);
	assert_true(qt_utf8_valid(b.data, b.len));
	assert_int_equal(strlen(b.data), b.len);
	read_markdown(&text, qt_buf_str(&b));
	assert_string_equal(qt_buf_str(&html.text), qt_buf_str(&text.text));
	assert_int_equal(html.rows, text.rows);
	qt_buf_release(&b);
	qt_buf_release(&text.text);
	return html;
}

/* The parts follow each other in this order; NULL ends them. */
static inline void in_order(const struct reading *r, const char *const *parts)
{
	const char *s = qt_buf_str(&r->text), *at;

	for (; *parts != NULL; parts++, s = at + 1) {
		at = strstr(s, *parts);
		if (at == NULL)
			fail_msg("missing after what is before it: %s\nin:\n%s",
			    *parts, s);
	}
}

#define IN_ORDER(r, ...) in_order(r, (const char *const[]){__VA_ARGS__, NULL})

static inline void has(const struct reading *r, const char *part, bool wanted)
{
	if ((strstr(qt_buf_str(&r->text), part) != NULL) != wanted)
		fail_msg("%s: %s\nin:\n%s", wanted ? "missing" : "unexpected",
		    part, qt_buf_str(&r->text));
}

/* 1,234 messages of joe and a few of others. */
static inline void fill(struct world *w)
{
	const struct qt_client isp = {.valid = true, .foreign = true,
	    .name = "dyn7.isp.example", .logins = 1234, .port_min = 1025,
	    .port_max = 60000, .contact = &w->contact};
	const struct qt_client unknown = {.valid = true, .foreign = true,
	    .port_min = 25, .port_max = 25, .logins = 3};
	const struct qt_client own = {.valid = true};
	const struct qt_tally_add one = {.recipients = 1, .todo = 1,
	    .time = T0 + 7200};
	struct qt_tally_add two = {.recipients = 2, .done = 1, .todo = 1};
	unsigned i;

	add_account(w, "", &one, &(struct qt_account){.senders = 1});
	add_client(w, "10.0.0.7", &one, &own);
	(void)add(w, &w->x.senders, "", &one);
	for (i = 0; i < 3; i++) {
		add_account(w, "ann@victim.example", &one,
		    &(struct qt_account){.senders = 1, .clients = 1});
		add_client(w, "2001:db8::7", &one, &unknown);
		(void)add(w, &w->x.senders, "ann@victim.example", &one);
		(void)add(w, &w->x.subjects, "Minutes", &one);
		(void)add(w, &w->x.places, "deferred", &one);
	}
	for (i = 0; i < 1234; i++) {
		two.time = T0 + i;
		add_account(w, "joe@victim.example", &two,
		    &(struct qt_account){.senders = 900, .clients = 1,
			.foreign = 1200});
		add_client(w, "203.0.113.7", &two, &isp);
		(void)add(w, &w->x.senders, "bank@forged.example", &two);
		(void)add(w, &w->x.subjects, "Your account", &two);
		(void)add(w, &w->x.places, i < 1000 ? "transaction 7" : "hold",
		    &two);
		(void)hashset_add(&w->x.people, i + 1);
		if (i < 700)
			(void)hashset_add(&w->x.reached, i + 1);
	}
	(void)add(w, &w->x.places, "deferred", &one);
	w->x.all = (struct qt_counted){.messages = 1238, .recipients = 2472,
	    .todo = 1238, .done = 1234, .first = T0, .last = T0 + 7200};
	add_hour(w, T0 / 3600, 2);
	add_hour(w, T0 / 3600 + 2, 1);
	(void)add(w, &w->x.rcpt_domains, "small.example",
	    &(struct qt_tally_add){.recipients = 5, .todo = 5});
	(void)add(w, &w->x.rcpt_domains, "big.example",
	    &(struct qt_tally_add){.recipients = 2467, .done = 1234,
		.todo = 1233});
}

/* n transactions, numbered from 1 and an hour apart. */
static inline void make_history(struct world *w, size_t n)
{
	size_t i;

	w->history.v = calloc(n, sizeof(w->history.v[0]));
	assert_non_null(w->history.v);
	w->history.n = n;
	for (i = 0; i < n; i++)
		w->history.v[i] = (struct qt_tx_info){.txid = i + 1,
		    .op = QT_OP_HOLD, .state = QT_TX_PLACED, .done = i,
		    .started = T0 + 3600 * (int64_t)i, .operator_name = "ops"};
	w->x.opts.history = &w->history;
}

#endif

/*
 * net_world.h - an incident made by hand with clients of one network, for the
 * tests of what that network is told.
 */
#ifndef QTOOL_TEST_NET_WORLD_H
#define QTOOL_TEST_NET_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <gmime/gmime.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/incident.h"
#include "qtool/escape.h"

#define DAY INT64_C(1795500000) /* 2026-11-24 06:00:00 UTC */
#define NOW (DAY + 86400)
#define CLIENTS 128

struct world {
	struct qt_incident *x;
	struct qt_counted *client[CLIENTS];
	struct qt_net net;
	struct qt_buf b; /* what was written */
	GMimeMessage *mail;
};

/* ---- an incident ---- */

static inline struct qt_incident_opts usual(void)
{
	return (struct qt_incident_opts){.case_id = "CASE-7",
	    .organization = "Example Hosting", .host = "mx.example.org",
	    .contact = "Abuse Team <abuse@example.org>",
	    .redact = QT_REDACT_RECIPIENTS, .now = NOW};
}

static inline void begin(struct world *w, const struct qt_incident_opts *opts)
{
	struct qt_error err;

	memset(w, 0, sizeof(*w));
	if (qt_incident_new(&w->x, opts, &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	qt_buf_init(&w->b, 0);
	w->net = (struct qt_net){.name = "203.0.113.7",
	    .to = "abuse@isp.example", .network = "203.0.113.0/24",
	    .client = w->client};
}

static inline void end(struct world *w)
{
	if (w->mail != NULL)
		g_object_unref(w->mail);
	qt_buf_release(&w->b);
	qt_incident_free(w->x);
}

static inline struct qt_client *add_client(struct world *w, const char *address)
{
	struct qt_client *c = qt_arena_alloc(&w->x->arena, sizeof(*c));
	const struct qt_tally_add none = {.time = 0};
	struct qt_counted *e;
	struct qt_error err;

	assert_non_null(c);
	assert_true(w->net.n < CLIENTS);
	*c = (struct qt_client){.valid = true, .foreign = true};
	assert_true(cidr_address(c->addr, address));
	assert_int_equal(qt_tally_add(&w->x->clients, address, strlen(address),
	    &none, &e, NULL, &err), 0);
	e->messages = 0;
	e->more = c;
	w->client[w->net.n++] = e;
	return c;
}

/* A message of that client to two recipients; port 0: unknown. */
static inline void add_message(struct world *w, const char *address, unsigned port,
    int64_t time, bool login)
{
	const struct qt_tally_add n = {.recipients = 2, .todo = 2, .time = time};
	struct qt_counted *e, *sum = &w->net.sum;
	struct qt_error err;
	char key[80];
	int len;

	assert_int_equal(qt_tally_add(&w->x->clients, address, strlen(address),
	    &n, &e, NULL, &err), 0);
	if (login)
		qt_client_of(e)->logins++;
	w->net.logins += login;
	sum->messages++;
	sum->recipients += 2;
	if (sum->first == 0 || time < sum->first)
		sum->first = time;
	if (time > sum->last)
		sum->last = time;
	if (port == 0)
		return;
	qt_client_of(e)->port_min = qt_client_of(e)->port_max = port;
	len = snprintf(key, sizeof(key), "%s%c%u", address, '\0', port);
	assert_int_equal(qt_tally_add(&w->x->connections, key, (size_t)len, &n,
	    NULL, NULL, &err), 0);
}

/* One whose envelope is what no test looks at. */
static inline struct qt_sample *add_sample(struct world *w, struct qt_client *c,
    const char *bytes, size_t len, bool whole)
{
	struct qt_sample *s = &c->sample[c->nsamples++];
	struct qt_error err;

	assert_true(c->nsamples <= QT_SAMPLES);
	*s = (struct qt_sample){.time = DAY, .port = 40000,
	    .sender = "ann@example.org", .whole = whole,
	    .at = qt_spill_size(&w->x->samples), .len = len};
	assert_int_equal(qt_spill_add(&w->x->samples, bytes, len, &err), 0);
	return s;
}

static inline struct qt_sample *add_text(struct world *w, struct qt_client *c,
    const char *text)
{
	return add_sample(w, c, text, strlen(text), false);
}

/* The usual: one client, one message with a login, one sample. */
static inline struct qt_sample *usual_world(struct world *w,
    const struct qt_incident_opts *opts)
{
	struct qt_sample *s;
	struct qt_client *c;

	begin(w, opts);
	c = add_client(w, "203.0.113.7");
	add_message(w, "203.0.113.7", 40000, DAY, true);
	s = add_text(w, c, "Subject: hello\nMessage-ID: <1@x.example>\n");
	s->login = "u-aaaaaaaaaaaaaaaa";
	s->method = "PLAIN";
	s->rcpt[s->nrcpt++] = "r-bbbbbbbbbbbbbbbb@example.net";
	s->rcpts = 2;
	return s;
}

#endif

/*
 * custody.c - who did what with the evidence.
 */
#include "evidence/custody.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "evidence/hash.h"
#include "qtool/escape.h"

struct chain {
	struct qt_buf *out;
	const struct qt_bag *bag;
	size_t last; /* where the last line begins */
	unsigned seq;
	char prev[QT_SHA256_HEX]; /* its sum; "" none yet */
};

struct event {
	const char *name, *what, *sha256; /* sha256 NULL none */
};

static void string(struct qt_buf *out, const char *name, const char *value)
{
	qt_buf_addf(out, ",\"%s\":", name);
	qt_json_string(out, value);
}

static int sum_line(struct chain *c, struct qt_error *err)
{
	unsigned char sum[QT_SHA256_SIZE];
	struct qt_digest d;
	int r;

	if (qt_buf_check(c->out, err) != 0 || qt_digest_init(&d, err) != 0)
		return -1;
	qt_digest_add(&d, c->out->data + c->last, c->out->len - c->last);
	r = qt_digest_final(&d, sum, err);
	qt_digest_release(&d);
	if (r == 0)
		qt_digest_hex(sum, c->prev);
	return r;
}

static int add(struct chain *c, const struct event *e, struct qt_error *err)
{
	const struct qt_bag *bag = c->bag;
	struct qt_buf actor;
	char when[32];

	c->last = c->out->len;
	qt_utc(bag->fixed_clock ? bag->started : (int64_t)time(NULL), when);
	qt_buf_init(&actor, 0);
	qt_bag_actor(&actor);
	qt_buf_addf(c->out, "{\"seq\":%u", ++c->seq);
	string(c->out, "time", when);
	string(c->out, "actor", qt_buf_str(&actor));
	string(c->out, "host", bag->host);
	string(c->out, "event", e->name);
	string(c->out, "what", e->what);
	string(c->out, "why", bag->reason);
	string(c->out, "sha256", e->sha256);
	string(c->out, "prev", c->seq > 1 ? c->prev : NULL);
	qt_buf_adds(c->out, "}\n");
	qt_buf_release(&actor);
	return sum_line(c, err);
}

int qt_custody_tell(struct qt_buf *out, const struct qt_bag *bag,
    const char *payload, struct qt_error *err)
{
	struct chain c = {.out = out, .bag = bag};
	char what[128];

	(void)snprintf(what, sizeof what, "%llu messages and %llu logs, %s",
	    (unsigned long long)bag->messages, (unsigned long long)bag->logs,
	    bag->moved ? "taken out of the queue" : "copied");
	if (add(&c, &(struct event){bag->moved ? "moved" : "collected", what,
		NULL}, err) != 0)
		return -1;
	if (bag->redact != QT_REDACT_NONE) {
		(void)snprintf(what, sizeof what, "names taken out, level %s",
		    qt_redact_name(bag->redact));
		if (add(&c, &(struct event){"redacted", what, NULL}, err) != 0)
			return -1;
	}
	if (add(&c, &(struct event){"hashed", "manifest-sha256.txt", payload},
		err) != 0)
		return -1;
	return bag->signer == NULL ? 0 :
	    add(&c, &(struct event){"signed", bag->signer, NULL}, err);
}

/*
 * incident_files.c - which files a report has.
 */
#include "evidence/incident.h"

#include <stdio.h>

#define FILE_MAX ((size_t)256 << 20) /* bytes of one file */
#define OWNERS 1000		     /* accounts that get a file */

struct putting {
	struct qt_incident *x;
	qt_incident_put *put;
	void *ctx;
	struct qt_buf b;
};

typedef int make_fn(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err);

static int put_made(struct putting *p, const char *name, struct qt_error *err)
{
	if (qt_buf_check(&p->b, err) != 0)
		return -1;
	p->x->files++;
	return p->put(p->ctx, name, qt_buf_str(&p->b), p->b.len, err);
}

static int put_file(struct putting *p, const char *name, make_fn *make,
    struct qt_error *err)
{
	qt_buf_clear(&p->b);
	return make(p->x, &p->b, err) != 0 ? -1 : put_made(p, name, err);
}

static int make_html(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err)
{
	return qt_incident_paper(x, true, b, err);
}

static int make_text(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err)
{
	return qt_incident_paper(x, false, b, err);
}

static int make_key(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err)
{
	qt_redact_key_text(&x->key, b);
	return qt_buf_check(b, err);
}

/* account-owner.txt, account-owner-2.txt: the most messages first. */
static int put_owners(struct putting *p, struct qt_error *err)
{
	const struct qt_tally *t = &p->x->accounts;
	char name[40];
	unsigned n = 0;
	size_t i;

	for (i = 0; i < t->n && n < OWNERS; i++) {
		if (t->v[i]->len == 0)
			continue;
		if (++n == 1)
			(void)strlcpy(name, "account-owner.txt", sizeof(name));
		else
			(void)snprintf(name, sizeof(name),
			    "account-owner-%u.txt", n);
		qt_buf_clear(&p->b);
		if (qt_incident_owner(p->x, t->v[i], &p->b, err) != 0 ||
		    put_made(p, name, err) != 0)
			return -1;
	}
	return 0;
}

static void sort_all(struct qt_incident *x)
{
	qt_tally_sort(&x->accounts, QT_TALLY_MESSAGES);
	qt_tally_sort(&x->clients, QT_TALLY_MESSAGES);
	qt_tally_sort(&x->account_clients, QT_TALLY_MESSAGES);
	qt_tally_sort(&x->senders, QT_TALLY_MESSAGES);
	qt_tally_sort(&x->subjects, QT_TALLY_MESSAGES);
	qt_tally_sort(&x->hours, QT_TALLY_KEY);
	qt_tally_sort(&x->rcpt_domains, QT_TALLY_RECIPIENTS);
	qt_tally_sort(&x->places, QT_TALLY_MESSAGES);
}

static int put_all(struct putting *p, struct qt_error *err)
{
	struct qt_incident *x = p->x;

	if (x->own_key && put_file(p, "redact.key", make_key, err) != 0)
		return -1;
	if (p->b.data != NULL) /* nowhere else */
		explicit_bzero(p->b.data, p->b.len);
	if (put_file(p, "incident.html", make_html, err) != 0 ||
	    put_file(p, "incident.md", make_text, err) != 0 ||
	    put_file(p, "summary.json", qt_incident_summary, err) != 0 ||
	    put_file(p, "gdpr-facts.json", qt_incident_persons, err) != 0 ||
	    put_file(p, "ioc.csv", qt_incident_ioc, err) != 0 ||
	    put_file(p, "delist.txt", qt_incident_delist, err) != 0 ||
	    put_owners(p, err) != 0)
		return -1;
	return qt_incident_nets(x, p->put, p->ctx, err) != 0 ? -1 :
	    put_file(p, "README.txt", qt_incident_readme, err);
}

int qt_incident_write(struct qt_incident *x, qt_incident_put *put, void *ctx,
    struct qt_incident_counts *n, struct qt_error *err)
{
	struct putting p = {.x = x, .put = put, .ctx = ctx};
	int r;

	x->networks = 0;
	x->files = 0;
	sort_all(x);
	qt_buf_init(&p.b, FILE_MAX);
	r = put_all(&p, err);
	qt_buf_release(&p.b);
	if (r == 0)
		qt_incident_count(x, n);
	return r;
}

/*
 * select.c - the values of the selection options, each checked and brought to
 * the form it is compared in when it is given.
 */
#include "query/select_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/cidr.h"
#include "query/derive.h"
#include "query/domain.h"
#include "query/glob.h"
#include "query/regexp.h"
#include "qtool/option.h"

/* More values than this in one selection are a mistake, but for IDs. */
#define TERMS_MAX 10000

const char *select_option_name(enum qt_sel opt)
{
	static const char *const names[QT_SEL_COUNT] = {
		[QT_SEL_SASL] = "--sasl", [QT_SEL_SENDER] = "--sender",
		[QT_SEL_SENDER_DOMAIN] = "--sender-domain",
		[QT_SEL_NULL_SENDER] = "--null-sender",
		[QT_SEL_RCPT] = "--rcpt", [QT_SEL_RCPT_DOMAIN] = "--rcpt-domain",
		[QT_SEL_EVERY_RCPT] = "--every-rcpt",
		[QT_SEL_CLIENT] = "--client", [QT_SEL_HELO] = "--helo",
		[QT_SEL_SUBJECT] = "--subject", [QT_SEL_HEADER] = "--header",
		[QT_SEL_BODY] = "--body", [QT_SEL_REASON] = "--reason",
		[QT_SEL_CLASS] = "--class", [QT_SEL_QUEUE] = "--queue",
		[QT_SEL_STATE] = "--state", [QT_SEL_OLDER] = "--older",
		[QT_SEL_NEWER] = "--newer", [QT_SEL_LARGER] = "--larger",
		[QT_SEL_SMALLER] = "--smaller", [QT_SEL_IDS] = "--ids",
		[QT_SEL_ID] = "queue ID", [QT_SEL_WHERE] = "--where",
		[QT_SEL_ALL] = "--all"};

	return names[opt];
}

int select_fail(struct qt_error *err, enum qt_sel opt, const char *fmt, ...)
{
	char text[sizeof err->text];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return qt_fail(err, QT_E_USAGE, select_option_name(opt), "%s", text);
}

int qt_select_new(struct qt_select **out, struct qt_error *err)
{
	struct qt_select *s = calloc(1, sizeof *s);

	if (s == NULL)
		return qt_fail_mem(err);
	qt_buf_init(&s->ids, (size_t)1 << 30);
	qt_buf_init(&s->ids_label, 0);
	qt_buf_init(&s->cut, 0);
	*out = s;
	return 0;
}

static void drop_built(struct qt_select *s)
{
	size_t i;

	select_clause_release(&s->whole);
	for (i = 0; i < s->nparts; i++)
		select_clause_release(&s->part[i]);
	s->nparts = 0;
	s->built = false;
}

static void term_release(struct term *t)
{
	free(t->text);
	free(t->text2);
	free(t->label);
}

void qt_select_free(struct qt_select *s)
{
	size_t i;

	if (s == NULL)
		return;
	drop_built(s);
	for (i = 0; i < s->n; i++)
		term_release(&s->v[i]);
	free(s->v);
	qt_buf_release(&s->ids);
	qt_buf_release(&s->ids_label);
	qt_buf_release(&s->cut);
	free(s);
}

/* ---- values ---- */

static int take_text(struct term *t, const char *value, struct qt_error *err)
{
	t->text = strdup(value);
	return t->text != NULL ? 0 : qt_fail_mem(err);
}

static int take_address(struct term *t, const char *value, struct qt_error *err)
{
	/* as logs and mail clients write it */
	if (strcmp(value, "<>") == 0)
		value = "";
	t->glob = glob_is_pattern(value);
	return take_text(t, value, err);
}

/* "example.org", ".example.org" (below it), or a pattern. */
static int take_domain(struct term *t, const char *value, struct qt_error *err)
{
	struct qt_arena a;
	const char *d;
	bool below = *value == '.';
	int r;

	if (strchr(value, '@') != NULL)
		return qt_fail(err, QT_E_USAGE, "", "%.80s is not a domain", value);
	if (glob_is_pattern(value)) {
		t->glob = true;
		return take_text(t, value, err);
	}
	qt_arena_init(&a, 0);
	d = domain_normal(&a, value + below, strlen(value + below));
	if (d == NULL || *d == '.') {
		qt_arena_release(&a);
		return qt_fail(err, QT_E_USAGE, "", "%.80s is not a domain", value);
	}
	t->glob = below;
	r = asprintf(&t->text, "%s%s", below ? "*." : "", d);
	qt_arena_release(&a);
	if (r >= 0)
		return 0;
	t->text = NULL;
	return qt_fail_mem(err);
}

static int take_network(struct term *t, const char *value, struct qt_error *err)
{
	struct cidr net;

	if (cidr_parse(&net, value, err) != 0)
		return -1;
	return take_text(t, value, err);
}

static int take_pattern(struct term *t, const char *value, struct qt_error *err)
{
	struct regexp *re;

	if (regexp_new(&re, value, strlen(value), err) != 0)
		return -1;
	regexp_free(re);
	return take_text(t, value, err);
}

static int take_header(struct term *t, const char *value, struct qt_error *err)
{
	const char *eq = strchr(value, '=');
	size_t len = eq != NULL ? (size_t)(eq - value) : 0;

	if (len > 0 && value[len - 1] == ':') /* "Subject:=..." */
		len--;
	if (len == 0 || strcspn(value, " \t:") < len || eq[1] == '\0')
		return qt_fail(err, QT_E_USAGE, "",
		    "write NAME=RE, such as X-Mailer=PHPMailer");
	t->text2 = strndup(value, len);
	if (t->text2 == NULL)
		return qt_fail_mem(err);
	return take_pattern(t, eq + 1, err);
}

static int take_list(struct term *t, const char *value,
    bool (*known)(const char *), const char *what, struct qt_error *err)
{
	char name[32];
	const char *p = value;
	size_t len;

	for (;; p += len + 1) {
		len = strcspn(p, ",");
		if (len < sizeof name) {
			memcpy(name, p, len);
			name[len] = '\0';
		}
		if (len == 0 || len >= sizeof name || !known(name))
			return qt_fail(err, QT_E_USAGE, "", "%.*s is no %s",
			    (int)(len < 60 ? len : 60), p, what);
		if (p[len] == '\0')
			return take_text(t, value, err);
	}
}

static bool known_class(const char *name)
{
	return class_by_name(name) != CLASS_COUNT;
}

static bool known_queue(const char *name)
{
	return qt_queue_by_name(name) < QT_Q_MESSAGES;
}

static bool known_state(const char *name)
{
	int i;

	for (i = 0; i <= QT_STATE_FOREIGN; i++)
		if (strcmp(qt_state_name((enum qt_state)i), name) == 0)
			return true;
	return false;
}

static int take_value(struct term *t, const char *value, struct qt_error *err)
{
	switch (t->opt) {
	case QT_SEL_SENDER:
	case QT_SEL_RCPT:
		return take_address(t, value, err);
	case QT_SEL_HELO:
		t->glob = glob_is_pattern(value);
		return take_text(t, value, err);
	case QT_SEL_SENDER_DOMAIN:
	case QT_SEL_RCPT_DOMAIN:
		return take_domain(t, value, err);
	case QT_SEL_CLIENT:
		return take_network(t, value, err);
	case QT_SEL_SUBJECT:
	case QT_SEL_BODY:
	case QT_SEL_REASON:
		return take_pattern(t, value, err);
	case QT_SEL_HEADER:
		return take_header(t, value, err);
	case QT_SEL_CLASS:
		return take_list(t, value, known_class, "class: they are "
		    "authenticated, forged, bounce, reinjected, local, relayed, "
		    "unknown", err);
	case QT_SEL_QUEUE:
		return take_list(t, value, known_queue, "queue: they are "
		    "maildrop, active, incoming, deferred, hold, corrupt, saved",
		    err);
	case QT_SEL_STATE:
		return take_list(t, value, known_state, "state: they are ok, "
		    "unfinished, corrupt, misplaced, foreign", err);
	case QT_SEL_OLDER:
	case QT_SEL_NEWER:
		return qt_parse_age(value, &t->number, err);
	case QT_SEL_LARGER:
	case QT_SEL_SMALLER:
		return qt_parse_size(value, &t->number, err);
	case QT_SEL_WHERE:
		if (select_check_where(value, err) != 0)
			return -1;
		return take_text(t, value, err);
	default: /* --sasl */
		return take_text(t, value, err);
	}
}

/* ---- adding ---- */

static struct term *new_term(struct qt_select *s, struct qt_error *err)
{
	size_t cap = s->cap != 0 ? s->cap * 2 : 16;
	struct term *v;

	if (s->n == TERMS_MAX) {
		(void)qt_fail(err, QT_E_USAGE, "",
		    "more than %d values: use --ids or --where", TERMS_MAX);
		return NULL;
	}
	if (s->n == s->cap) {
		v = reallocarray(s->v, cap, sizeof *v);
		if (v == NULL) {
			(void)qt_fail_mem(err);
			return NULL;
		}
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n] = (struct term){0};
	return &s->v[s->n];
}

static unsigned list_mask(const char *list)
{
	unsigned mask = 0;
	char name[32];
	size_t len;

	for (;; list += len + 1) {
		len = strcspn(list, ",");
		(void)snprintf(name, sizeof name, "%.*s", (int)len, list);
		mask |= QT_Q_BIT(qt_queue_by_name(name));
		if (list[len] == '\0')
			return mask;
	}
}

static int add_term(struct qt_select *s, enum qt_sel given, enum qt_sel opt,
    const char *value, struct qt_error *err)
{
	struct term *t = new_term(s, err);
	const char *v = value;

	if (t == NULL)
		return -1;
	t->opt = opt;
	if (*v == '!' && given != QT_SEL_NULL_SENDER) {
		t->negated = true;
		v++;
	}
	if (*v == '\0')
		return select_fail(err, given, "an empty value matches nothing");
	if (asprintf(&t->label, "%s%s%s", select_option_name(given),
		given == QT_SEL_NULL_SENDER ? "" : " ",
		given == QT_SEL_NULL_SENDER ? "" : value) < 0) {
		t->label = NULL;
		return qt_fail_mem(err);
	}
	if (take_value(t, v, err) != 0) {
		term_release(t);
		return -1;
	}
	if (opt == QT_SEL_QUEUE) {
		s->queue_given = true;
		if (t->negated)
			s->queues_neg |= list_mask(t->text);
		else
			s->queues_pos |= list_mask(t->text);
	}
	s->n++;
	return 0;
}

static int add(struct qt_select *s, enum qt_sel opt, const char *value,
    struct qt_error *err)
{
	switch (opt) {
	case QT_SEL_ALL:
		s->all = true;
		return 0;
	case QT_SEL_EVERY_RCPT:
		s->every = true;
		return 0;
	case QT_SEL_NULL_SENDER:
		return add_term(s, opt, QT_SEL_SENDER, "<>", err);
	case QT_SEL_IDS:
		if (value == NULL || *value == '\0')
			return select_fail(err, opt, "no file");
		return select_add_ids(s, value, err);
	case QT_SEL_ID:
		return select_add_id(s, value != NULL ? value : "", err);
	default:
		return add_term(s, opt, opt, value != NULL ? value : "", err);
	}
}

int qt_select_add(struct qt_select *s, enum qt_sel opt, const char *value,
    struct qt_error *err)
{
	struct qt_error e = {0};

	drop_built(s);
	if (add(s, opt, value, &e) == 0)
		return 0;
	/* a value's own checker does not know which option it was for */
	if (e.code == QT_E_USAGE)
		(void)snprintf(e.where, sizeof e.where, "%s",
		    select_option_name(opt));
	if (err != NULL)
		*err = e;
	return -1;
}

bool qt_select_any(const struct qt_select *s)
{
	size_t i;

	if (s->all || s->nids != 0)
		return true;
	for (i = 0; i < s->n; i++)
		if (s->v[i].opt != QT_SEL_QUEUE)
			return true;
	return false;
}

unsigned select_queue_mask(const struct qt_select *s)
{
	unsigned mask = s->queues_pos;

	if (!s->queue_given)
		return s->queues_default;
	if (mask == 0)
		mask = QT_Q_ALL_MESSAGES;
	return mask & ~s->queues_neg;
}

unsigned qt_select_queues(const struct qt_select *s)
{
	return s->queue_given ? select_queue_mask(s) : 0;
}

void qt_select_default_queues(struct qt_select *s, unsigned mask)
{
	drop_built(s);
	s->queues_default = mask;
}

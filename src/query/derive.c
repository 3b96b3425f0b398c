/*
 * derive.c - domains and the class of a message; the other derived columns are
 * in derive_rcpt.c, derive_header.c and report.c.
 */
#include "query/derive.h"

#include <string.h>
#include <strings.h>

#include "query/as_json.h"
#include "query/columns.h"
#include "query/domain.h"

static const char *const class_names[CLASS_COUNT] = {
	[CLASS_UNKNOWN] = "unknown",
	[CLASS_AUTHENTICATED] = "authenticated",
	[CLASS_FORGED] = "forged",
	[CLASS_BOUNCE] = "bounce",
	[CLASS_REINJECTED] = "reinjected",
	[CLASS_LOCAL] = "local",
	[CLASS_RELAYED] = "relayed"};

const char *class_name(enum msg_class c)
{
	return class_names[c];
}

enum msg_class class_by_name(const char *name)
{
	int i;

	for (i = 0; i < CLASS_COUNT; i++)
		if (strcmp(class_names[i], name) == 0)
			return (enum msg_class)i;
	return CLASS_COUNT;
}

static bool same_domain(const char *domain, const char *name)
{
	return name != NULL && strcasecmp(domain, name) == 0;
}

/*
 * Whether the sender is the login's own address.  A login with a domain owns
 * that domain; one without owns the instance's, or, where the configuration is
 * not known (a copied spool), the address whose local part it is.
 */
static bool is_own_sender(struct qt_row *row, const char *domain)
{
	const struct qt_spool *s = row->spool;
	const char *login = row->msg.sasl_username, *sender = row->msg.sender;
	size_t name = strcspn(login, "@"); /* without a domain */
	const char *at = strrchr(sender, '@'), *own;
	size_t local = at != NULL ? (size_t)(at - sender) : strlen(sender);

	if (login[name] == '@' && domain != NULL) {
		own = domain_of(&row->arena, login);
		return own != NULL && strcmp(own, domain) == 0;
	}
	if (domain != NULL && (s->mydomain != NULL || s->myorigin != NULL))
		return same_domain(domain, s->mydomain) ||
		    same_domain(domain, s->myorigin) ||
		    same_domain(domain, s->host);
	return name == local && strncasecmp(login, sender, local) == 0;
}

static bool is_loopback(const char *address)
{
	if (strncasecmp(address, "IPv6:", 5) == 0)
		address += 5;
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
	    strncasecmp(address, "::ffff:127.", 11) == 0;
}

/* Handed over by this machine: no peer at all (local(8)), or itself. */
static bool peer_is_here(const struct qt_msg *m)
{
	if (m->client_address == NULL || is_loopback(m->client_address))
		return true;
	return m->server_address != NULL &&
	    strcmp(m->client_address, m->server_address) == 0;
}

static enum msg_class classify(struct qt_row *row, const char *domain)
{
	const struct qt_msg *m = &row->msg;

	if (m->sender == NULL)
		return CLASS_UNKNOWN;
	if (m->sasl_username != NULL && *m->sasl_username != '\0') {
		if (*m->sender == '\0' || is_own_sender(row, domain))
			return CLASS_AUTHENTICATED;
		return CLASS_FORGED;
	}
	if (*m->sender == '\0')
		return CLASS_BOUNCE;
	if (m->log_ident != NULL && *m->log_ident != '\0' &&
	    strcmp(m->log_ident, row->id) != 0 && peer_is_here(m))
		return CLASS_REINJECTED;
	if (m->client_address == NULL && m->client_name == NULL &&
	    m->log_client_address == NULL && m->log_client_name == NULL)
		return CLASS_LOCAL;
	return CLASS_RELAYED;
}

static void derive_sender(struct qt_row *row, struct derived *d, unsigned need,
    struct qt_buf *b)
{
	const char *sender = row->msg.sender;

	if (sender == NULL)
		return;
	d->sender_domain = domain_of(&row->arena, sender);
	if (need & DV_SENDER_ORG)
		d->sender_org = domain_org(d->sender_domain);
	if (!(need & DV_SENDER_SHOWN))
		return;
	if (*sender == '\0') {
		d->sender_shown = "MAILER-DAEMON"; /* empty_address_recipient */
		return;
	}
	qt_buf_clear(b);
	qt_address_print(b, sender, row->spool->smtputf8);
	if (!b->failed)
		d->sender_shown = qt_arena_dup(&row->arena, qt_buf_str(b), b->len);
}

/* Where the caller's thread has to decode something, it is for that to do. */
static void derive_json(struct qt_row *row, struct derived *d, struct qt_buf *b)
{
	qt_buf_clear(b);
	if (as_json(b, row, NULL) && !b->failed)
		d->as_json = qt_arena_dup(&row->arena, qt_buf_str(b), b->len);
}

static void derive_line(struct qt_row *row, struct derived *d, struct qt_buf *b)
{
	qt_buf_clear(b);
	if (!as_line(b, row, NULL) || b->failed)
		return;
	d->line = qt_arena_dup(&row->arena, qt_buf_str(b), b->len);
	d->line_len = b->len;
}

int derive_row(struct qt_row *row, struct qt_finish_tmp *tmp, void *ctx)
{
	const struct derive *derive = ctx;
	unsigned need = derive->need;
	struct derived *d = qt_arena_alloc(&row->arena, sizeof *d);

	row->derived = d;
	if (d == NULL)
		return -1;
	*d = (struct derived){0};
	if (need & (DV_SENDER_DOMAIN | DV_SENDER_ORG | DV_SENDER_SHOWN | DV_CLASS))
		derive_sender(row, d, need, &tmp->out);
	if (need & DV_CLASS)
		d->class = classify(row, d->sender_domain);
	if (need & (DV_RCPT_DOMAINS | DV_RECIPIENTS | DV_TODO_RCPTS |
		DV_TODO_DOMAINS | DV_REASONS))
		derive_recipients(row, d, need, tmp);
	if (need & (DV_FROM | DV_FIELDS | DV_HEADERS_TEXT))
		derive_header(row, d, need);
	if ((need & DV_REPORT) && row->msg.sender != NULL &&
	    *row->msg.sender == '\0')
		derive_report(row, d, tmp->fd);
	if (need & DV_AS_JSON)
		derive_json(row, d, &tmp->out);
	if (need & DV_LINE)
		derive_line(row, d, &tmp->out);
	return 0;
}

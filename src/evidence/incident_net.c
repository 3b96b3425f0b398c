/*
 * incident_net.c - the files for the networks that an incident's mail came
 * from: one mail for who answers for several addresses, by the contacts that
 * the administrator knows; else one an address, or an IPv6 /64, which is
 * what one customer has.
 */
#include "evidence/incident.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

#define FILE_MAX ((size_t)16 << 20) /* bytes of one file */

/* A client on its way into a file. */
struct member {
	struct qt_counted *client;
	const char *to;	     /* by which they are together; "" by net */
	struct cidr net;
	unsigned line;	     /* of the contact; 0 none */
};

static bool is_v4(const uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

/* "192.0.2.0/24", "2001:db8::/64"; of all bits the address alone. */
static const char *net_text(const struct cidr *net, char out[80])
{
	const bool v4 = net->bits >= 96 && is_v4(net->addr);
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? net->addr + 12 : net->addr,
	    text, sizeof(text));
	if (net->bits == 128)
		(void)snprintf(out, 80, "%s", text);
	else
		(void)snprintf(out, 80, "%s/%u", text,
		    v4 ? net->bits - 96 : net->bits);
	return out;
}

/* The same as a file may be called anywhere. */
static void file_name(const char *text, char out[80])
{
	size_t i;

	for (i = 0; i < 79 && text[i] != '\0'; i++)
		out[i] = text[i] == ':' ? '_' : text[i] == '/' ? '-' : text[i];
	out[i] = '\0';
}

static struct member member_of(struct qt_counted *client)
{
	const struct qt_client *c = qt_client_of(client);
	struct member m = {.client = client, .to = ""};

	if (c->contact != NULL) {
		m.to = c->contact->address;
		m.net = c->contact->net;
		m.line = c->contact->line;
		return m;
	}
	memcpy(m.net.addr, c->addr, sizeof(m.net.addr));
	m.net.bits = 128;
	if (!is_v4(m.net.addr)) {
		memset(m.net.addr + 8, 0, 8);
		m.net.bits = 64;
	}
	return m;
}

/* Who has no contact is told apart by network, who has one is not. */
static int same_file(const struct member *a, const struct member *b)
{
	const int r = strcasecmp(a->to, b->to);

	if (r != 0 || a->to[0] != '\0')
		return r;
	return memcmp(a->net.addr, b->net.addr, sizeof(a->net.addr));
}

static int by_file(const void *va, const void *vb)
{
	const struct member *a = va, *b = vb;
	const int r = same_file(a, b);

	if (r != 0)
		return r;
	if (a->client->messages != b->client->messages)
		return a->client->messages < b->client->messages ? 1 : -1;
	return strcmp(a->client->key, b->client->key);
}

static void sum_up(struct qt_net *net, const struct qt_counted *c)
{
	struct qt_counted *s = &net->sum;

	s->messages += c->messages;
	s->recipients += c->recipients;
	s->todo += c->todo;
	s->done += c->done;
	s->bytes += c->bytes;
	if (c->first != 0 && (s->first == 0 || c->first < s->first))
		s->first = c->first;
	if (c->last > s->last)
		s->last = c->last;
	net->logins += qt_client_of((struct qt_counted *)(uintptr_t)c)->logins;
}

/* ---- files ---- */

static int put_file(struct qt_incident *x, const char *name, const char *suffix,
    const struct qt_buf *b, qt_incident_put *put, void *ctx,
    struct qt_error *err)
{
	char path[128];

	if (qt_buf_check(b, err) != 0)
		return -1;
	(void)snprintf(path, sizeof(path), "net/%s%s", name, suffix);
	x->files++;
	return put(ctx, path, qt_buf_str(b), b->len, err);
}

static int put_client(struct qt_incident *x, const struct qt_counted *client,
    struct qt_buf *b, qt_incident_put *put, void *ctx, struct qt_error *err)
{
	char name[80];
	int r;

	file_name(client->key, name);
	qt_buf_clear(b);
	r = qt_incident_xarf_spam(x, client, b, err);
	if (r == 0)
		r = put_file(x, name, ".spam.xarf.json", b, put, ctx, err);
	if (r < 0)
		return -1;
	qt_buf_clear(b);
	r = qt_incident_xarf_login(x, client, b, err);
	if (r == 0)
		r = put_file(x, name, ".login.xarf.json", b, put, ctx, err);
	return r < 0 ? -1 : 0;
}

static bool told_to_stop(const struct qt_incident *x, struct qt_error *err)
{
	if (x->opts.stop == NULL || *x->opts.stop == 0)
		return false;
	(void)qt_fail(err, QT_E_INTERRUPTED, "", "interrupted");
	return true;
}

static int put_net(struct qt_incident *x, const struct qt_net *net,
    struct qt_buf *b, qt_incident_put *put, void *ctx, struct qt_error *err)
{
	size_t i;

	if (told_to_stop(x, err))
		return -1;
	qt_buf_clear(b);
	if (qt_incident_arf(x, net, b, err) != 0 ||
	    put_file(x, net->name, ".eml", b, put, ctx, err) != 0)
		return -1;
	x->networks++;
	for (i = 0; i < net->n; i++)
		if (put_client(x, net->client[i], b, put, ctx, err) != 0)
			return -1;
	return 0;
}

/* Members v[0, n) are of one file; room has n places. */
static int put_members(struct qt_incident *x, const struct member *v, size_t n,
    struct qt_counted **room, struct qt_buf *b, qt_incident_put *put, void *ctx,
    struct qt_error *err)
{
	struct qt_net net = {.client = room, .n = n};
	const struct member *named = v;
	char name[80], text[80];
	size_t i;

	for (i = 0; i < n; i++) {
		room[i] = v[i].client;
		sum_up(&net, room[i]);
		if (v[i].line < named->line)
			named = &v[i];
	}
	net.to = v->to[0] != '\0' ? v->to : NULL;
	net.network = net_text(&named->net, text);
	/* of an IPv6 network that had one client, that one is meant */
	if (net.to == NULL && n == 1)
		net.network = room[0]->key;
	file_name(text, name);
	net.name = name;
	return put_net(x, &net, b, put, ctx, err);
}

static int put_all(struct qt_incident *x, const struct member *v, size_t n,
    qt_incident_put *put, void *ctx, struct qt_error *err)
{
	struct qt_counted **room = calloc(n, sizeof(struct qt_counted *));
	struct qt_buf b;
	size_t from, to;
	int r = 0;

	if (room == NULL)
		return qt_fail_mem(err);
	qt_buf_init(&b, FILE_MAX);
	for (from = 0; from < n && r == 0; from = to) {
		for (to = from + 1; to < n && same_file(&v[from], &v[to]) == 0;)
			to++;
		r = put_members(x, v + from, to - from, room, &b, put, ctx, err);
	}
	qt_buf_release(&b);
	free(room);
	return r;
}

int qt_incident_nets(struct qt_incident *x, qt_incident_put *put, void *ctx,
    struct qt_error *err)
{
	struct member *v = calloc(x->clients.n + 1, sizeof(*v));
	size_t i, n = 0;
	int r = 0;

	if (v == NULL)
		return qt_fail_mem(err);
	for (i = 0; i < x->clients.n; i++)
		if (qt_client_of(x->clients.v[i])->foreign)
			v[n++] = member_of(x->clients.v[i]);
	if (n != 0) {
		qsort(v, n, sizeof(*v), by_file);
		r = put_all(x, v, n, put, ctx, err);
	}
	free(v);
	return r;
}

/*
 * contacts.c - who answers for a network, out of a file.
 */
#include "evidence/contacts.h"

#include <stdlib.h>

#include "qtool/escape.h"

#define FILE_MAX ((size_t)16 << 20) /* bytes */

void qt_contacts_init(struct qt_contacts *c)
{
	*c = (struct qt_contacts){.n = 0};
	qt_buf_init(&c->text, FILE_MAX);
}

void qt_contacts_release(struct qt_contacts *c)
{
	if (c == NULL)
		return;
	free(c->v);
	qt_buf_release(&c->text);
	*c = (struct qt_contacts){.n = 0};
}

static int wrong(struct qt_error *err, const char *where, unsigned line,
    const char *why)
{
	return qt_fail(err, QT_E_USAGE, where, "line %u: %s", line, why);
}

/* One address that a mail's header can have as it is: ASCII, no blanks. */
static bool is_mail(const char *s)
{
	const char *at = strrchr(s, '@'), *p;

	if (at == NULL || at == s || at[1] == '\0')
		return false;
	for (p = s; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || strchr("<>()[],;:\\\"", *p) != NULL)
			return false;
	return memchr(s, '@', (size_t)(at - s)) == NULL;
}

static bool is_text(const char *s)
{
	uint32_t cp;
	size_t n, len = strlen(s);

	for (; len != 0; s += n, len -= n)
		if ((n = qt_utf8_next(s, len, &cp)) == 0 || qt_codepoint_hidden(cp))
			return false;
	return true;
}

/* The next field of a line, NULL: there is none; its blanks are cut off. */
static char *field(char **rest)
{
	char *s = strsep(rest, "\t"), *end;

	if (s == NULL)
		return NULL;
	s += strspn(s, " ");
	end = s + strlen(s);
	while (end > s && (end[-1] == ' ' || end[-1] == '\r'))
		*--end = '\0';
	return s;
}

static int take_line(struct qt_contacts *c, char *text, unsigned line,
    const char *where, struct qt_error *err)
{
	struct qt_contact k = {.line = line, .asn = ""};
	struct qt_error why;
	struct qt_contact *v;

	k.text = field(&text);
	if (k.text == NULL || k.text[0] == '\0' || k.text[0] == '#')
		return 0;
	if (cidr_parse(&k.net, k.text, &why) != 0)
		return wrong(err, where, line, why.text);
	k.address = field(&text);
	if (k.address == NULL)
		return wrong(err, where, line,
		    "no tab behind the network, and an address behind that");
	if (!is_mail(k.address))
		return wrong(err, where, line, "not an address of mail");
	if (text != NULL)
		k.asn = field(&text);
	if (!is_text(k.asn))
		return wrong(err, where, line, "has signs that are not seen");
	if (c->n == QT_CONTACTS_MAX)
		return wrong(err, where, line, "too many lines");
	v = reallocarray(c->v, c->n + 1, sizeof(*v));
	if (v == NULL)
		return qt_fail_mem(err);
	v[c->n++] = k;
	c->v = v;
	return 0;
}

static int parse(struct qt_contacts *c, const char *where, struct qt_error *err)
{
	char *rest = c->text.data, *text;
	unsigned line = 0;

	if (memchr(qt_buf_str(&c->text), '\0', c->text.len) != NULL)
		return qt_fail(err, QT_E_USAGE, where, "has a NUL in it: no text");
	while ((text = strsep(&rest, "\n")) != NULL)
		if (take_line(c, text, ++line, where, err) != 0)
			return -1;
	return 0;
}

int qt_contacts_parse(struct qt_contacts *c, const char *text, size_t len,
    const char *where, struct qt_error *err)
{
	qt_buf_add(&c->text, text, len);
	if (qt_buf_check(&c->text, err) != 0)
		return -1;
	return parse(c, where, err);
}

const struct qt_contact *qt_contacts_find(const struct qt_contacts *c,
    const uint8_t addr[16])
{
	const struct qt_contact *best = NULL;
	size_t i;

	for (i = 0; i < c->n; i++)
		if (cidr_contains(&c->v[i].net, addr) &&
		    (best == NULL || c->v[i].net.bits > best->net.bits))
			best = &c->v[i];
	return best;
}

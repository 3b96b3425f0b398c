/*
 * idset.c - an open hash table of positions in a copy of the text.
 */
#include "query/idset.h"

#include <stdlib.h>
#include <string.h>

#include "query/siphash.h"

struct idset {
	uint64_t key[2];
	char *text;	 /* owned copy: the list */
	size_t len;
	uint32_t *slot;	 /* place in text plus 1; 0 empty */
	size_t mask;	 /* slots, a power of two, less one */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static size_t id_len(const char *s, const char *end)
{
	const char *p = s;

	while (p < end && !is_space(*p))
		p++;
	return (size_t)(p - s);
}

static uint32_t *find(const struct idset *s, const char *id, size_t len)
{
	size_t i = siphash(s->key, id, len) & s->mask;
	const char *at;

	while (s->slot[i] != 0) {
		at = s->text + s->slot[i] - 1;
		if (id_len(at, s->text + s->len) == len &&
		    memcmp(at, id, len) == 0)
			break;
		i = (i + 1) & s->mask;
	}
	return &s->slot[i];
}

/* The IDs one by one: from p, the next one's start; NULL none. */
static const char *next_id(const struct idset *s, const char *p, size_t *len)
{
	const char *end = s->text + s->len;

	while (p < end && is_space(*p))
		p++;
	if (p == end)
		return NULL;
	*len = id_len(p, end);
	return p;
}

static int fill(struct idset *s, struct qt_error *err)
{
	size_t len = 0, n = 0, slots = 16;
	const char *p;

	for (p = next_id(s, s->text, &len); p != NULL;
	     p = next_id(s, p + len, &len))
		n++;
	while (slots < n * 2)
		slots *= 2;
	s->slot = calloc(slots, sizeof *s->slot);
	if (s->slot == NULL)
		return qt_fail_mem(err);
	s->mask = slots - 1;
	for (p = next_id(s, s->text, &len); p != NULL;
	     p = next_id(s, p + len, &len))
		*find(s, p, len) = (uint32_t)(p - s->text) + 1;
	return 0;
}

int idset_new(struct idset **out, const char *text, size_t len,
    const uint64_t key[2], struct qt_error *err)
{
	struct idset *s;

	if (len >= UINT32_MAX)
		return qt_fail(err, QT_E_USAGE, "", "the list of IDs is too long");
	s = calloc(1, sizeof *s);
	if (s == NULL)
		return qt_fail_mem(err);
	s->key[0] = key[0];
	s->key[1] = key[1];
	s->len = len;
	s->text = malloc(len + 1);
	if (s->text == NULL) {
		idset_free(s);
		return qt_fail_mem(err);
	}
	memcpy(s->text, text, len);
	if (fill(s, err) != 0) {
		idset_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void idset_free(struct idset *s)
{
	if (s == NULL)
		return;
	free(s->slot);
	free(s->text);
	free(s);
}

bool idset_has(const struct idset *s, const char *id, size_t len)
{
	return *find(s, id, len) != 0;
}

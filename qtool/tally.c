/*
 * tally.c - how often each value occurs.
 */
#include "tally.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct tally {
	void *root; /* tsearch: a balanced tree of struct tally_value */
	struct tally_value **v; /* by number - 1 */
	size_t n, cap, max;
};

int tally_new(struct tally **out, size_t max, struct qt_error *err)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return qt_fail_mem(err);
	t->max = max;
	*out = t;
	return 0;
}

static void free_value(void *value)
{
	struct tally_value *v = value;

	free(v->text);
	free(v);
}

void tally_free(struct tally *t)
{
	if (t == NULL)
		return;
	tdestroy(t->root, free_value);
	free(t->v);
	free(t);
}

static int compare(const void *a, const void *b)
{
	const struct tally_value *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int r = memcmp(x->text, y->text, len);

	return r != 0 ? r : x->len < y->len ? -1 : x->len > y->len;
}

static int room(struct tally *t, struct qt_error *err)
{
	size_t cap = t->cap == 0 ? 64 : 2 * t->cap;
	struct tally_value **v;

	if (t->n < t->cap)
		return 0;
	if ((v = reallocarray(t->v, cap, sizeof(*v))) == NULL)
		return qt_fail_mem(err);
	t->v = v;
	t->cap = cap;
	return 0;
}

static int add_new(struct tally *t, const char *text, size_t len,
    struct qt_error *err)
{
	struct tally_value *v;

	if (room(t, err) != 0)
		return -1;
	v = calloc(1, sizeof(*v));
	if (v == NULL || (v->text = malloc(len + 1)) == NULL) {
		free(v);
		return qt_fail_mem(err);
	}
	memcpy(v->text, text, len);
	v->text[len] = '\0';
	v->len = len;
	v->count = 1;
	v->number = (uint32_t)t->n + 1;
	if (tsearch(v, &t->root, compare) == NULL) {
		free_value(v);
		return qt_fail_mem(err);
	}
	t->v[t->n++] = v;
	return 0;
}

int tally_add(struct tally *t, const char *text, size_t len, uint32_t *number,
    struct qt_error *err)
{
	struct tally_value key = {.text = (char *)(uintptr_t)text, .len = len};
	struct tally_value *const *found = tfind(&key, &t->root, compare);

	if (found != NULL) {
		(*found)->count++;
		*number = (*found)->number;
		return 0;
	}
	*number = TALLY_OTHER;
	if (t->n >= t->max)
		return 0;
	if (add_new(t, text, len, err) != 0)
		return -1;
	*number = (uint32_t)t->n;
	return 0;
}

size_t tally_size(const struct tally *t)
{
	return t->n;
}

const struct tally_value *tally_value(const struct tally *t, uint32_t number)
{
	return number >= 1 && number <= t->n ? t->v[number - 1] : NULL;
}

size_t tally_top(const struct tally *t, const struct tally_value **top, size_t n)
{
	size_t i, j, have = 0;

	for (i = 0; i < t->n; i++) {
		for (j = have; j > 0 && top[j - 1]->count < t->v[i]->count; j--)
			if (j < n)
				top[j] = top[j - 1];
		if (j < n) {
			top[j] = t->v[i];
			have += have < n;
		}
	}
	return have;
}

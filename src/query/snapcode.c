/*
 * snapcode.c - texts by their number, and by what they are the same as.
 *
 * The texts that came lately are kept in a table of fixed size, two places for
 * each hash: the one seen last stays.  A text that was lost from it gets a
 * second row in texts, which costs its bytes and is no error.
 */
#include "query/snapcode.h"

#include <stdlib.h>
#include <string.h>

#include "query/strhash.h"

#define SETS 8192u	 /* of two slots; a power of two */
#define WORD_MIN 3	 /* bytes; a number takes no less than those below */
#define WORD_MAX 1000	 /* bytes; longer ones are seldom there twice */

struct snaptext {
	uint64_t hash;
	int64_t id; /* 0: free */
	char *text; /* owned, cap bytes */
	uint32_t len, cap;
};

int snaptexts_init(struct snaptexts *t, struct qt_error *err)
{
	t->slot = calloc((size_t)SETS * 2, sizeof *t->slot);
	pagerow_init(&t->row);
	return t->slot != NULL ? 0 : qt_fail_mem(err);
}

void snaptexts_release(struct snaptexts *t)
{
	size_t i;

	for (i = 0; t->slot != NULL && i < (size_t)SETS * 2; i++)
		free(t->slot[i].text);
	free(t->slot);
	t->slot = NULL;
	pagetable_release(&t->pages);
	pagerow_release(&t->row);
}

static bool is(const struct snaptext *s, uint64_t hash, const char *text,
    size_t len)
{
	return s->id != 0 && s->hash == hash && s->len == len &&
	    memcmp(s->text, text, len) == 0;
}

static int keep(struct snaptext *s, uint64_t hash, const char *text,
    size_t len, struct qt_error *err)
{
	char *room;

	if (s->cap < len) {
		room = realloc(s->text, len);
		if (room == NULL)
			return qt_fail_mem(err);
		s->text = room;
		s->cap = (uint32_t)len;
	}
	memcpy(s->text, text, len);
	s->hash = hash;
	s->len = (uint32_t)len;
	return 0;
}

/* The number of the text, which is given a row when it has none. */
static int number(struct snaptexts *t, const char *text, size_t len,
    int64_t *id, struct qt_error *err)
{
	const uint64_t hash = strhash(text, len);
	struct snaptext *s = &t->slot[(hash & (SETS - 1)) * 2], older;

	if (is(s, hash, text, len)) {
		*id = s->id;
		return 0;
	}
	older = s[1];
	s[1] = s[0];
	s[0] = older;
	if (!is(s, hash, text, len)) {
		s->id = 0;
		if (keep(s, hash, text, len, err) != 0)
			return -1;
		pagerow_clear(&t->row);
		pagerow_null(&t->row);
		pagerow_text(&t->row, text, len);
		if (pagetable_add(&t->pages, t->n + 1, &t->row, err) != 0)
			return -1;
		s->id = ++t->n;
	}
	*id = s->id;
	return 0;
}

/* ---- what another column says ---- */

static bool is_string(const struct cell *v)
{
	return v->type == CELL_TEXT || v->type == CELL_CONST;
}

/* Whether the text goes on with that; then it is behind it. */
static bool skip(const char **text, size_t *len, const char *with)
{
	const size_t n = strlen(with);

	if (n > *len || memcmp(*text, with, n) != 0)
		return false;
	*text += n;
	*len -= n;
	return true;
}

/* The text is valid UTF-8: then what it equals is, and is stored as it is. */
static bool is_same(const struct snapsame *s, const struct cell *v,
    const char *text, size_t len)
{
	return is_string(&v[s->a]) && (s->b < 0 || is_string(&v[s->b])) &&
	    skip(&text, &len, s->before) && skip(&text, &len, v[s->a].s) &&
	    skip(&text, &len, s->between) &&
	    (s->b < 0 || skip(&text, &len, v[s->b].s)) &&
	    skip(&text, &len, s->after) && len == 0;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/*
 * Where in base, from 1, the text begins that is its end; 0: it is not.  Bytes
 * are characters: only of ASCII.
 */
static size_t tail_of(const struct cell *base, const char *text, size_t len)
{
	size_t n, i;

	if (!is_string(base))
		return 0;
	n = strlen(base->s);
	if (len > n || len == 0)
		return 0;
	for (i = 0; i < n - len; i++)
		if ((unsigned char)base->s[i] >= 0x80)
			return 0;
	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x80 ||
		    lower(base->s[n - len + i]) != text[i])
			return 0;
	return n - len + 1;
}

/* ---- a value ---- */

static int add_word(struct snaptexts *t, struct pagerow *out,
    const struct snapform *f, const struct cell *v, const char *text,
    size_t len, struct qt_error *err)
{
	int64_t id;

	if (f->same != NULL && is_same(f->same, v, text, len)) {
		pagerow_int(out, 0);
		return 0;
	}
	if (len < WORD_MIN || len > (f->max != 0 ? f->max : WORD_MAX)) {
		pagerow_text(out, text, len);
		return 0;
	}
	if (number(t, text, len, &id, err) != 0)
		return -1;
	pagerow_int(out, id);
	return 0;
}

static void add_tail(struct pagerow *out, const struct cell *base,
    const char *text, size_t len)
{
	const size_t at = tail_of(base, text, len);

	if (at != 0)
		pagerow_int(out, (int64_t)at);
	else
		pagerow_text(out, text, len);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f'    ? c - 'a' + 10 : -1;
}

static void add_hex(struct pagerow *out, const char *text, size_t len)
{
	unsigned char bytes[32];
	int high, low;
	size_t i;

	for (i = 0; len == sizeof bytes * 2 && i < sizeof bytes; i++) {
		high = digit(text[2 * i]);
		low = digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			break;
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	if (len == sizeof bytes * 2 && i == sizeof bytes)
		pagerow_blob(out, bytes, sizeof bytes);
	else
		pagerow_text(out, text, len);
}

static void add_state(struct pagerow *out, const char *text, size_t len)
{
	static const char *const names[] = {[QT_RCPT_TODO] = "todo",
	    [QT_RCPT_DONE] = "done", [QT_RCPT_CANCELLED] = "cancelled"};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0) {
			pagerow_int(out, (int64_t)i);
			return;
		}
	pagerow_text(out, text, len);
}

static int add_text(struct snaptexts *t, struct pagerow *out,
    const struct snapform *f, const struct cell *v, const char *text,
    size_t len, struct qt_error *err)
{
	switch (f->kind) {
	case SNAP_WORD:
		return add_word(t, out, f, v, text, len, err);
	case SNAP_TAIL:
		add_tail(out, &v[f->base], text, len);
		break;
	case SNAP_HEX:
		add_hex(out, text, len);
		break;
	case SNAP_STATE:
		add_state(out, text, len);
		break;
	case SNAP_PLAIN:
	case SNAP_MADE:
	case SNAP_OF_MESSAGE:
	case SNAP_LIST:
		pagerow_text(out, text, len);
		break;
	}
	return 0;
}

int snapcode_add(struct snaptexts *t, struct pagerow *out, struct qt_db *db,
    const struct snapform *f, int i, const struct cell *v,
    struct qt_error *err)
{
	const char *text;
	size_t len;

	switch (v[i].type) {
	case CELL_NULL:
		pagerow_null(out);
		break;
	case CELL_INT:
		pagerow_int(out, v[i].i);
		break;
	case CELL_BLOB:
		pagerow_blob(out, v[i].s, v[i].len);
		break;
	case CELL_TOOBIG:
		out->values.failed = true;
		break;
	case CELL_TEXT:
	case CELL_CONST:
	case CELL_JSON:
	case CELL_WORDS:
	case CELL_BYTES:
		if (cell_text(db, &v[i], &text, &len))
			return add_text(t, out, f, v, text, len, err);
		out->values.failed = true;
		break;
	}
	return 0;
}

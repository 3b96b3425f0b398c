/*
 * pagefile.c - leaves of rows, filled one after the other; what stands above
 * them is made of their list in the end.
 *
 * A page is a header, an array of offsets (of the cells, by row ID), a gap, and
 * the cells, the first at the end of the page.  A row that is too long for a
 * page goes on in a chain of pages of its own.
 */
#include "query/pagefile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define PAGE PAGEFILE_PAGE
#define LEAF 0x0d
#define INTERIOR 0x05
#define LEAF_HEADER 8u
#define INTERIOR_HEADER 12u
#define VARINT_MAX 9u
/* of a leaf's cell: the most that is kept on the page, and the least when more
 * than that has to go elsewhere */
#define LOCAL_MAX (PAGE - 35)
#define LOCAL_MIN ((PAGE - 12) * 32 / 255 - 23)
#define CHAIN (PAGE - 4) /* bytes of a row on each further page */
/* child, row ID and offset */
#define INTERIOR_CELL (4 + VARINT_MAX + 2)
#define CHILDREN ((PAGE - INTERIOR_HEADER) / INTERIOR_CELL)
#define LOCK_PAGE (0x40000000u / PAGE + 1) /* has no content, ever */
#define HEADER_PAGES 28 /* where the header has the file's pages */

static void put2(unsigned char *p, unsigned v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

static void put4(unsigned char *p, uint32_t v)
{
	put2(p, v >> 16);
	put2(p + 2, v & 0xffff);
}

/* Big-endian groups of seven bits; the ninth byte has eight. */
static unsigned put_varint(unsigned char *p, uint64_t v)
{
	unsigned char groups[VARINT_MAX];
	unsigned n = 0, i;

	if (v >> 56 != 0) {
		for (i = VARINT_MAX - 1, p[i] = (unsigned char)v, v >>= 8;
		     i-- > 0; v >>= 7)
			p[i] = (unsigned char)(v | 0x80);
		return VARINT_MAX;
	}
	do
		groups[n++] = v & 0x7f;
	while ((v >>= 7) != 0);
	for (i = 0; i < n; i++)
		p[i] = groups[n - 1 - i] | (i + 1 < n ? 0x80 : 0);
	return n;
}

static unsigned varint_len(uint64_t v)
{
	unsigned n = 1;

	while ((v >>= 7) != 0 && n < VARINT_MAX)
		n++;
	return n;
}

/* ---- a row ---- */

void pagerow_init(struct pagerow *r)
{
	r->ntypes = 0;
	qt_buf_init(&r->values, 0);
}

void pagerow_release(struct pagerow *r)
{
	qt_buf_release(&r->values);
}

void pagerow_clear(struct pagerow *r)
{
	r->ntypes = 0;
	qt_buf_clear(&r->values);
}

static void add_type(struct pagerow *r, uint64_t type)
{
	if (PAGEROW_TYPES - r->ntypes < VARINT_MAX)
		r->values.failed = true;
	else if (type < 0x80) /* most are */
		r->types[r->ntypes++] = (unsigned char)type;
	else
		r->ntypes += put_varint(r->types + r->ntypes, type);
}

void pagerow_null(struct pagerow *r)
{
	add_type(r, 0);
}

/* In as few bytes as it takes of 0, 1, 2, 3, 4, 6 or 8. */
void pagerow_int(struct pagerow *r, int64_t v)
{
	static const unsigned sizes[] = {0, 1, 2, 3, 4, 6, 8};
	/* bits beside the sign's */
	const uint64_t bits = v < 0 ? ~(uint64_t)v : (uint64_t)v;
	unsigned char bytes[8];
	unsigned type = 1, i;

	if (v == 0 || v == 1) {
		add_type(r, v == 0 ? 8 : 9);
		return;
	}
	while (type < 6 && bits >> (sizes[type] * 8 - 1) != 0)
		type++;
	for (i = 0; i < sizes[type]; i++)
		bytes[i] = (unsigned char)((uint64_t)v >>
		    (sizes[type] - 1 - i) * 8);
	add_type(r, type);
	qt_buf_add(&r->values, bytes, sizes[type]);
}

void pagerow_text(struct pagerow *r, const void *bytes, size_t len)
{
	add_type(r, 13 + (uint64_t)len * 2);
	qt_buf_add(&r->values, bytes, len);
}

void pagerow_blob(struct pagerow *r, const void *bytes, size_t len)
{
	add_type(r, 12 + (uint64_t)len * 2);
	qt_buf_add(&r->values, bytes, len);
}

/* ---- pages ---- */

void pagefile_init(struct pagefile *f, int fd, uint32_t pages)
{
	*f = (struct pagefile){.fd = fd, .pages = pages};
}

static uint32_t next_page(struct pagefile *f)
{
	f->pages += f->pages + 1 == LOCK_PAGE ? 2 : 1;
	return f->pages;
}

static int write_at(struct pagefile *f, uint64_t offset, const void *bytes,
    size_t len, struct qt_error *err)
{
	if (qt_pwrite_all(f->fd, bytes, len, (off_t)offset) == 0)
		return 0;
	f->sys = errno;
	(void)qt_fail(err, QT_E_SYS, "snapshot", "write: %s", strerror(f->sys));
	if (err != NULL)
		err->sys = f->sys;
	return -1;
}

static int write_page(struct pagefile *f, uint32_t number, const void *page,
    struct qt_error *err)
{
	return write_at(f, (uint64_t)(number - 1) * PAGE, page, PAGE, err);
}

int pagefile_finish(struct pagefile *f, struct qt_error *err)
{
	unsigned char count[4];

	put4(count, f->pages);
	return write_at(f, HEADER_PAGES, count, sizeof count, err);
}

/* ---- leaves ---- */

static void begin_page(struct pagetable *t)
{
	memset(t->page, 0, PAGE);
	t->cells = 0;
	t->content = PAGE;
}

int pagetable_init(struct pagetable *t, struct pagefile *f, uint32_t root,
    struct qt_error *err)
{
	*t = (struct pagetable){.file = f, .root = root,
	    .page = malloc(PAGE), .last = INT64_MIN};
	if (t->page == NULL)
		return qt_fail_mem(err);
	begin_page(t);
	return 0;
}

void pagetable_release(struct pagetable *t)
{
	free(t->page);
	free(t->child);
	*t = (struct pagetable){.root = 0};
}

/* The header of a page with so many cells. */
static void close_page(unsigned char *page, int kind, unsigned cells,
    unsigned content)
{
	page[0] = (unsigned char)kind;
	put2(page + 3, cells);
	put2(page + 5, content);
}

static int add_child(struct pagetable *t, uint32_t page, int64_t last,
    struct qt_error *err)
{
	const size_t cap = t->childcap != 0 ? t->childcap * 2 : 64;
	struct pagechild *v;

	if (t->nchild == t->childcap) {
		v = reallocarray(t->child, cap, sizeof *v);
		if (v == NULL)
			return qt_fail_mem(err);
		t->child = v;
		t->childcap = cap;
	}
	t->child[t->nchild++] = (struct pagechild){page, last};
	return 0;
}

static int write_leaf(struct pagetable *t, struct qt_error *err)
{
	const uint32_t number = next_page(t->file);

	close_page(t->page, LEAF, t->cells, t->content);
	if (write_page(t->file, number, t->page, err) != 0 ||
	    add_child(t, number, t->last, err) != 0)
		return -1;
	begin_page(t);
	return 0;
}

/* A row's bytes: the header's length, types, values. */
struct payload {
	struct {
		const unsigned char *bytes;
		size_t len;
	} part[3];
	unsigned char head[VARINT_MAX];
	size_t len;
};

/* The header's length counts itself. */
static void make_payload(struct payload *p, const struct pagerow *r)
{
	const size_t types = r->ntypes;
	unsigned n = varint_len(types + 1);

	if (varint_len(types + n) != n)
		n++;
	(void)put_varint(p->head, types + n);
	p->part[0].bytes = p->head;
	p->part[0].len = n;
	p->part[1].bytes = r->types;
	p->part[1].len = types;
	p->part[2].bytes = (const unsigned char *)r->values.data;
	p->part[2].len = r->values.len;
	p->len = n + types + r->values.len;
}

/* The next len bytes of it. */
static void take(struct payload *p, unsigned char *to, size_t len)
{
	size_t i, n;

	for (i = 0; i < 3; i++) {
		n = len < p->part[i].len ? len : p->part[i].len;
		if (n == 0)
			continue;
		memcpy(to, p->part[i].bytes, n);
		p->part[i].bytes += n;
		p->part[i].len -= n;
		to += n;
		len -= n;
	}
}

/* What is left of it, on pages of its own. */
static int write_chain(struct pagefile *f, struct payload *p, size_t left,
    uint32_t *first, struct qt_error *err)
{
	unsigned char *page = malloc(PAGE);
	uint32_t number = next_page(f), next;
	size_t n;
	int r = 0;

	if (page == NULL)
		return qt_fail_mem(err);
	*first = number;
	for (; left != 0 && r == 0; left -= n, number = next) {
		n = left < CHAIN ? left : CHAIN;
		next = left > n ? next_page(f) : 0;
		memset(page, 0, PAGE);
		put4(page, next);
		take(p, page + 4, n);
		r = write_page(f, number, page, err);
	}
	free(page);
	return r;
}

/* How many bytes of a row stay on its leaf. */
static size_t local_len(size_t len)
{
	size_t n;

	if (len <= LOCAL_MAX)
		return len;
	n = LOCAL_MIN + (len - LOCAL_MIN) % CHAIN;
	return n <= LOCAL_MAX ? n : LOCAL_MIN;
}

int pagetable_add(struct pagetable *t, int64_t rowid, const struct pagerow *r,
    struct qt_error *err)
{
	unsigned char head[2 * VARINT_MAX];
	struct payload p;
	size_t local, cell;
	uint32_t chain = 0;
	unsigned n;

	if (qt_buf_check(&r->values, err) != 0)
		return -1;
	make_payload(&p, r);
	local = local_len(p.len);
	n = put_varint(head, p.len);
	n += put_varint(head + n, (uint64_t)rowid);
	cell = n + local + (local < p.len ? 4 : 0);
	if (t->content - LEAF_HEADER - t->cells * 2 < cell + 2 &&
	    write_leaf(t, err) != 0)
		return -1;
	t->content -= (unsigned)cell;
	memcpy(t->page + t->content, head, n);
	take(&p, t->page + t->content + n, local);
	if (local < p.len) {
		if (write_chain(t->file, &p, p.len - local, &chain, err) != 0)
			return -1;
		put4(t->page + t->content + n + local, chain);
	}
	put2(t->page + LEAF_HEADER + t->cells++ * 2, t->content);
	t->last = rowid;
	return 0;
}

/* ---- above them ---- */

/* The page over these, of which the last has no cell of its own. */
static void fill_interior(unsigned char *page, const struct pagechild *v,
    size_t n)
{
	unsigned content = PAGE, len;
	unsigned char cell[INTERIOR_CELL];
	size_t i;

	memset(page, 0, PAGE);
	for (i = 0; i + 1 < n; i++) {
		put4(cell, v[i].page);
		len = 4 + put_varint(cell + 4, (uint64_t)v[i].last);
		content -= len;
		memcpy(page + content, cell, len);
		put2(page + INTERIOR_HEADER + i * 2, content);
	}
	close_page(page, INTERIOR, (unsigned)n - 1, content);
	put4(page + 8, v[n - 1].page);
}

/* One level: their parents take their place in the list. */
static int build_level(struct pagetable *t, struct qt_error *err)
{
	/* evenly, so that none is left with a single child */
	const size_t parents = (t->nchild + CHILDREN - 1) / CHILDREN;
	size_t i, from = 0, to;
	uint32_t number;

	for (i = 0; i < parents; i++, from = to) {
		to = t->nchild * (i + 1) / parents;
		number = parents == 1 ? t->root : next_page(t->file);
		fill_interior(t->page, t->child + from, to - from);
		if (write_page(t->file, number, t->page, err) != 0)
			return -1;
		t->child[i] = (struct pagechild){number, t->child[to - 1].last};
	}
	t->nchild = parents;
	return 0;
}

int pagetable_finish(struct pagetable *t, struct qt_error *err)
{
	if (t->nchild == 0) { /* all rows are on one page, or there is none */
		close_page(t->page, LEAF, t->cells, t->content);
		return write_page(t->file, t->root, t->page, err);
	}
	if (t->cells != 0 && write_leaf(t, err) != 0)
		return -1;
	/* a leaf is written when there is a row for the next: never one alone */
	while (t->nchild > 1)
		if (build_level(t, err) != 0)
			return -1;
	return 0;
}

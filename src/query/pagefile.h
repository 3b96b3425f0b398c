/*
 * pagefile.h - tables of a SQLite database written page by page, rows in the
 * order of their row IDs.
 *
 * SQLite makes the schema before, and everything else afterwards: this fills
 * its empty tables.  By INSERT that costs several times as much (measured with
 * 20,000 messages and their 400,000 recipients and header fields: 0.6 s of CPU
 * against 0.1 s, of 3 s that a whole archive takes), as every row goes through
 * SQLite's machine and down a tree that it can only be put at the end of.
 *
 * Source: sqlite.org/fileformat2.html, sections 1.3 and 1.6 to 2.1.
 */
#ifndef QUERY_PAGEFILE_H
#define QUERY_PAGEFILE_H

#include "qtool/buf.h"

#define PAGEFILE_PAGE 32768u /* bytes of a page */

struct pagefile {
	int fd;		/* borrowed */
	uint32_t pages; /* in it, and the number of the last one */
	int sys;	/* errno of a write that failed; 0 none */
};

/* A page of a table, and the row ID that is its last. */
struct pagechild {
	uint32_t page;
	int64_t last;
};

struct pagetable {
	struct pagefile *file;
	uint32_t root;	     /* its page, by the schema */
	unsigned char *page; /* the leaf being filled; owned */
	unsigned cells;	     /* on it */
	unsigned content;    /* where their bytes begin; they grow downwards */
	int64_t last;	     /* row ID of the last row */
	struct pagechild *child; /* full leaves; owned, nchild of them */
	size_t nchild, childcap;
};

/* A row being put together: values in the order of the table's columns. */
#define PAGEROW_TYPES 640 /* bytes of their types: seventy columns of any */
struct pagerow {
	unsigned char types[PAGEROW_TYPES];
	size_t ntypes;
	struct qt_buf values; /* failed: what is too much is */
};
void pagerow_init(struct pagerow *r);
void pagerow_release(struct pagerow *r);
void pagerow_clear(struct pagerow *r);
void pagerow_null(struct pagerow *r);
void pagerow_int(struct pagerow *r, int64_t v);
/* Valid UTF-8 without NUL, or a BLOB. */
void pagerow_text(struct pagerow *r, const void *bytes, size_t len);
void pagerow_blob(struct pagerow *r, const void *bytes, size_t len);

/* The file as SQLite has left it, closed, of so many pages. */
void pagefile_init(struct pagefile *f, int fd, uint32_t pages);
/* The file has that size from now on, for who opens it with SQLite again. */
int pagefile_finish(struct pagefile *f, struct qt_error *err) QT_MUST_CHECK;

int pagetable_init(struct pagetable *t, struct pagefile *f, uint32_t root,
    struct qt_error *err) QT_MUST_CHECK;
void pagetable_release(struct pagetable *t);
/* rowid: larger than that of the row before. */
int pagetable_add(struct pagetable *t, int64_t rowid, const struct pagerow *r,
    struct qt_error *err) QT_MUST_CHECK;
int pagetable_finish(struct pagetable *t, struct qt_error *err) QT_MUST_CHECK;

#endif

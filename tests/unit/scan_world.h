/*
 * scan_world.h - a spool in a sandbox, scanned, and the result as text.
 */
#ifndef TESTS_SCAN_WORLD_H
#define TESTS_SCAN_WORLD_H

#include "unit/spool_help.h"

/* A sandbox with its list of spools and what a scan of it gave. */
struct world {
	struct sandbox box;
	struct qt_spools spools;
};

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	if (w == NULL)
		return -1;
	box_open(&w->box);
	qt_spools_init(&w->spools);
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	qt_spools_release(&w->spools);
	box_close(&w->box);
	free(w);
	return 0;
}

static inline void add_spool(struct world *w)
{
	struct qt_error err;

	assert_int_equal(qt_spools_add_dir(&w->spools, w->box.dir, &err), 0);
}

/* ---- a scan's result, as text ---- */

struct result {
	struct qt_buf text; /* "path state error|..." a row, in order */
	struct qt_scan_stats stats;
};

static inline void note(struct result *r, const struct qt_row *row)
{
	qt_buf_addf(&r->text, "%s %s\n", row->path, qt_state_name(row->state));
}

static inline void scan_into(struct world *w, const struct qt_scan_opts *o,
    struct result *r, void (*look)(struct result *, const struct qt_row *))
{
	struct qt_scan *s;
	struct qt_row *row;
	struct qt_error err = {.code = QT_OK};
	int rc;

	qt_buf_init(&r->text, 0);
	assert_int_equal(qt_scan_open(&s, &w->spools, o, &err), 0);
	while ((rc = qt_scan_next(s, &row, &err)) == 0) {
		look(r, row);
		qt_scan_recycle(s, row);
	}
	if (rc < 0)
		fail_msg("%s: %s", err.where, err.text);
	assert_int_equal(qt_scan_next(s, &row, &err), 1);
	r->stats = *qt_scan_stats(s);
	qt_scan_close(s);
}

static inline void expect_scan(struct world *w, const struct qt_scan_opts *o,
    const char *text)
{
	struct result r;

	scan_into(w, o, &r, note);
	assert_string_equal(qt_buf_str(&r.text), text);
	qt_buf_release(&r.text);
}

static inline const struct qt_row *only_row(struct world *w,
    const struct qt_scan_opts *o, struct qt_scan **s)
{
	struct qt_row *row;
	struct qt_error err;

	assert_int_equal(qt_scan_open(s, &w->spools, o, &err), 0);
	assert_int_equal(qt_scan_next(*s, &row, &err), 0);
	return row;
}

static inline void fill_many(struct world *w, unsigned n)
{
	static const char *const queues[] = {"deferred", "hold", "active"};
	char rel[64], id[32];

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(id, sizeof id, "%05X%u", i * 7919 % 0xFFFFF, i);
		if (i % 3 == 0) {
			(void)snprintf(rel, sizeof rel, "deferred/%c", id[0]);
			box_mkdir(&w->box, rel);
			(void)snprintf(rel, sizeof rel, "deferred/%c/%s", id[0],
			    id);
		} else {
			(void)snprintf(rel, sizeof rel, "%s/%s", queues[i % 3],
			    id);
		}
		if (i % 17 == 0)
			box_file(&w->box, rel, "junk", 4, 0700);
		else
			box_msg(&w->box, rel,
			    &(struct box_msg){.sasl = i % 2 != 0 ? "joe" : "Eve",
				.nrcpt = i % 5 + 1});
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif

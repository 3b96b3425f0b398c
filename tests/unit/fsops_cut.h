/*
 * fsops_cut.h - the power goes, and recovery runs: what the tests do that cut
 * operations short on the spool of fsops_world.h.
 */
#ifndef TESTS_FSOPS_CUT_H
#define TESTS_FSOPS_CUT_H

#include "unit/fsops_world.h"

/*
 * The kernel's word that an inode is no more: for what lies in the pit, where
 * the model keeps what was unlinked.
 */
int open_by_handle_at(int mount, struct file_handle *h, int flags)
{
	char link[64], path[PATH_MAX];
	int fd = (int)syscall(SYS_open_by_handle_at, mount, h, flags);
	ssize_t n;

	if (fd < 0)
		return -1;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	if (strstr(path, PIT "/") == NULL)
		return fd;
	(void)close(fd);
	errno = ESTALE;
	return -1;
}

/* ---- one case ---- */

static inline void use_state_dir(const struct world *w, struct run *r)
{
	if (w->s->second)
		r->opts.state_dir = w->second;
}

static inline void world_make(struct world *w)
{
	struct run r;
	size_t i;

	fill(&w->t);
	(void)snprintf(w->pit_path, sizeof(w->pit_path), "%s" PIT, w->t.dir);
	(void)snprintf(w->second, sizeof(w->second), "%s" SECOND, w->t.dir);
	assert_int_equal(mkdir(w->pit_path, 0700), 0);
	assert_int_equal(mkdir(w->second, 0700), 0);
	w->pit = open(w->pit_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->pit >= 0);
	list_all(&w->t, &w->before);
	for (i = 0; i < STEPS - 1 && w->s->acts[i + 1] != NULL; i++) {
		run_init(&r);
		use_state_dir(w, &r);
		if (w->s->acts[i](&w->t, &r) != 0)
			wrong(w, "cannot be prepared: %s: %s", r.err.where,
			    r.err.text);
	}
	w->act = w->s->acts[i];
}

static inline void world_release(struct world *w)
{
	(void)close(w->pit);
	assert_int_equal(nftw(w->pit_path, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(nftw(w->second, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&w->t);
}

/* Recovery, cut short by chance as often as chance wants. */
static inline void recover_badly(struct world *w, unsigned times, bool weak)
{
	struct qt_change *c;
	struct run r;
	struct fm m;

	while (times-- > 0) {
		fm_init(&m, w->pit, w->second);
		m.weak = weak;
		m.last = fm_random(&w->seed) % 40;
		run_init(&r);
		r.fs = fm_table(&m);
		use_state_dir(w, &r);
		c = open_change(&w->t, &r);
		qt_change_close(c);
		fm_choose(&m, fm_random(&w->seed) % fm_sets(&m, 20), &w->seed);
		fm_crash(&m);
		fm_release(&m);
	}
}

static inline void check_settled(const struct world *w)
{
	struct qt_error err = {0};
	struct qt_tx_list l;
	size_t i;

	if (qt_tx_list_read(&l, w->t.spool, w->s->second ? w->second : NULL,
		&err) != 0)
		wrong(w, "%s: %s", err.where, err.text);
	for (i = 0; i < l.n; i++)
		switch (l.v[i].state) {
		case QT_TX_UNDOING:
			if (w->taken)
				break;
			/* fallthrough */
		case QT_TX_PREPARED:
		case QT_TX_ABORTING:
		case QT_TX_PURGING:
		case QT_TX_REDOING:
		case QT_TX_DAMAGED:
			wrong(w, "transaction %llu is %s",
			    (unsigned long long)l.v[i].txid,
			    qt_tx_state_name(l.v[i].state));
		default:
			break;
		}
	qt_tx_list_release(&l);
}

/* Recovery as it is: it works, and the second time it has nothing to do. */
static inline void recover_well(struct world *w)
{
	struct qt_change *c;
	char *once = NULL, *twice;
	struct run r;
	int i;

	for (i = 0; i < 2; i++) {
		run_init(&r);
		if ((c = open_change(&w->t, &r)) == NULL)
			wrong(w, "recovery %d: %s: %s", i + 1, r.err.where,
			    r.err.text);
		qt_change_close(c);
		check_settled(w);
		if (i == 0)
			once = ts_snapshot(&w->t);
	}
	twice = ts_snapshot(&w->t);
	if (r.recovered != 0 || strcmp(once, twice) != 0)
		wrong(w, "recovering again did something");
	free(once);
	free(twice);
}

static inline uint64_t first_seed(void)
{
	const char *s = getenv("QTOOL_SEED");

	return s != NULL ? strtoull(s, NULL, 10) : 20170612;
}

static inline bool full(void)
{
	const char *s = getenv("QTOOL_FULL");

	return s != NULL && *s != '\0';
}

#endif

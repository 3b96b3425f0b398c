/*
 * scan_packed.c - the scanner's rows out of an archive.
 *
 * The thread that walks reads their bytes too, in the archive's order, as they
 * can be had in one order only; workers parse them.  How much rows hold is
 * bounded: the walk waits while they hold enough.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "source/packed.h"
#include "source/scan_priv.h"

/* The view of an archive for this scan. */
static int view_of(struct qt_scan *s, const struct qt_packed *p,
    struct qt_tarview **v, struct qt_error *err)
{
	size_t i = 0;

	while (s->spools->v[i]->packed != p)
		i++;
	if (s->view[i] == NULL &&
	    qt_packed_view(s->spools->v[i]->packed, s->stop, &s->view[i],
		err) != 0)
		return -1;
	*v = s->view[i];
	return 0;
}

void qt_packed_views_close(struct qt_scan *s)
{
	for (size_t i = 0; s->view != NULL && i < s->spools->n; i++)
		if (s->view[i] != NULL)
			qt_packed_view_done(s->spools->v[i]->packed,
			    s->view[i]);
	free(s->view);
}

void qt_packed_row_done(struct qt_scan *s, struct qt_scan_row *r)
{
	s->packed_bytes -= r->packed_charge;
	r->packed_charge = 0;
	qt_held_clear(&r->held);
}

int qt_packed_row(struct qt_scan *s, struct qt_scan_row *r,
    const struct qt_tree_entry *e, struct qt_error *err)
{
	const struct qt_packed_item *it = &e->packed->item[e->item];
	const unsigned want = s->plan.want;
	struct qt_tarview *v = NULL;
	int rc = 0;

	r->dir = NULL;
	r->packed = it;
	r->packed_charge = 0;
	r->row.spool = e->packed->spool;
	r->row.queue = e->queue;
	r->row.path = qt_packed_name(e->packed, it->path);
	r->row.id = r->name = e->name;
	r->row.d_ino = e->ino;
	if (e->foreign != NULL) {
		r->row.state = QT_STATE_FOREIGN;
		r->row.error = e->foreign;
		/* no message, but a file that can be archived */
		if ((want & QT_WANT_KEPT) == 0)
			return 0;
	}
	if (want == 0)
		return 0;
	rc = view_of(s, e->packed, &v, err);
	if (rc == 0)
		rc = qt_held_read(&r->held, e->packed, v, e->item,
		    (want & QT_WANT_KEPT) != 0 ? QT_HELD_MEMORY :
		    qt_load_reads(want) ? QT_HELD_ROW : QT_HELD_NOT,
		    qt_load_logs_of(want, r->row.spool),
		    err);
	r->packed_charge = r->held.cap +
	    (r->held.fd >= 0 ? QT_SCAN_PACKED_MAX : 0);
	s->packed_bytes += r->packed_charge;
	return rc;
}

int qt_packed_row_open(const struct qt_row *row, int *fd, struct qt_error *err)
{
	const struct qt_scan_row *r = (const struct qt_scan_row *)(const void *)
	    row;
	const struct qt_held *h = &r->held;
	int f;

	if (!h->have)
		return qt_fail(err, QT_E_DENIED, row->path, "%s",
		    h->sys != 0 ? h->why : "its bytes were not read");
	f = h->fd >= 0 ? fcntl(h->fd, F_DUPFD_CLOEXEC, 3) :
	    memfd_create("qtool", MFD_CLOEXEC);
	if (f < 0)
		return qt_fail_sys(err, "memfd_create", row->path);
	if (h->fd < 0 && qt_pwrite_all(f, h->bytes, h->len, 0) != 0) {
		(void)qt_fail_sys(err, "write", row->path);
		qt_close_quiet(&f);
		return -1;
	}
	*fd = f;
	return 0;
}


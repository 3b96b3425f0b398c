/*
 * places.h - plans and logs outside the spool (--state-dir), and what is kept
 * in reserve for the day when the disk is full.
 *
 * Whoever recovers may not know of a --state-dir that was used: so its path is
 * written to SPOOL/qtool/state-dirs before a transaction begins there.  That
 * file is made with all its blocks while there is room and overwritten in
 * place, which needs none: sealed lines (field.h) "D path", the rest line
 * feeds.
 */
#ifndef CHANGE_PLACES_H
#define CHANGE_PLACES_H

#include "change/state.h"

#define QT_STATE_SPARE "spare"

/* Read state-dirs and open what it names; without the file there is none. */
int qt_places_load(struct qt_change *c, struct qt_error *err) QT_MUST_CHECK;
/* opts.state_dir: make it, remember it, point c->place at it. */
int qt_places_use(struct qt_change *c, struct qt_error *err) QT_MUST_CHECK;
/* The same for reading: nothing is written. */
int qt_places_look(struct qt_change *c, struct qt_error *err) QT_MUST_CHECK;
/*
 * Make what is missing of the reserve: the spare directory, state-dirs, and
 * blocks (room.h).  No room for it is no failure.
 */
void qt_places_reserve(struct qt_change *c);
/* An error that says "no space" says what has to be freed, too. */
void qt_places_need(const struct qt_change *c, struct qt_error *err);
void qt_places_release(struct qt_state_dirs *p);

/*
 * A new directory SPOOL/qtool/tx/NAME with m/0000 and x/0000 in it; the spare
 * one, where there is no room for one and plan and log are elsewhere.  1: the
 * name is taken.
 */
int qt_places_new_tx(struct qt_change *c, const char *name,
    struct qt_error *err) QT_MUST_CHECK;
bool qt_places_has_spare(const struct qt_change *c);
/*
 * The directory of a transaction that is none, which has m/0000 and x/0000 and
 * nothing else in it, durably, becomes the spare one.  False: it could not, as
 * there is one already.
 */
bool qt_places_give_back(struct qt_change *c, const char *name);

/* ---- state.c ---- */

/* Open a directory of ours, made 0700 where it is missing, and check it. */
int qt_state_make_dir(const struct qt_fsops *fs, int parent, const char *name,
    const char *where, int *fd, struct qt_error *err) QT_MUST_CHECK;

#endif

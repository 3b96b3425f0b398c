/*
 * room.h - blocks that are kept for the day when the disk is full.
 *
 * Staged messages get names in qtool's directories, and a directory grows with
 * its names: on a full disk a rename into it fails, and with it a transaction
 * that would have freed the disk.  So SPOOL/qtool/room is a file without
 * content whose blocks are given up, a piece at a time, where a rename finds no
 * room.  Blocks that ext4 directories were grown with beforehand would do for
 * ext4 alone, as xfs takes back what a directory does not use.
 */
#ifndef CHANGE_ROOM_H
#define CHANGE_ROOM_H

#include "change/state.h"

/*
 * Make or fill the file, with a quarter of what is free at most, or with what
 * this run has given up.  No room for it is no failure.
 */
void qt_room_keep(struct qt_change *c);

/* c->fs.rename(), after which there is room for one more name if can be. */
int qt_room_rename(struct qt_change *c, int fromdir, const char *from,
    int todir, const char *to);
/* It failed: qt_fsops_fail(), and what one can do where no room is left. */
int qt_room_fail(struct qt_error *err, const char *path);

/* Whether errno says that a disk or a quota is full. */
bool qt_room_none(int sys);
/* One more half-sentence for such an error; others stay as they are. */
void qt_room_hint(struct qt_error *err, const char *hint);

#endif

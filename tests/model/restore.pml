/*
 * restore.pml - a restore out of a deletion, and the deletion's own recovery,
 * undo, redo and purge (src/change/restore.c, settle.c, commit.c) for spin.
 *
 * The deletion has message 0 in staging.  TWO: message 1 was gone when it
 * committed; that qmgr removed it may not have reached the disk, so that a power
 * cut may bring it back, and recovery takes it.  The restore is about message 0.  What
 * is not staged others move, try and deliver at any moment.  The user restores,
 * undoes and redoes either, purges, OPS times in all; qtool may be killed and
 * the power may go between any two steps, MAXC times, recovery included.
 * Recovery settles the deletion first, as it is the older one.
 *
 * Names and logs on disk are those of tx.pml, with the weak barrier: it covers
 * what qtool renames.  The two logs are synced by themselves.
 *
 * The environment says TWO, OPS, MAXC, LEFTOUT (a part of the protocol that is left
 * out) and KNOWN (below).
 *
 * K_ALIVE	they call a message gone that only moved while they looked
 */
#define DEF 0
#define ACT 1
#define HOLD 2
#define STG 3
#define GONE 4
#define NONE 5
#define BIT(x) (1 << (x))

/* The last record of each log.  NOTHING: no restore yet. */
#define NOTHING 0
#define COMMIT 1
#define PLACED 2
#define UNDO 3
#define UNDONE 4
#define REDO 5
#define PURGE 6
#define PURGED 7

#define M_NOMARK (leftout == 1)		/* of what was restored */
#define M_EARLY (leftout == 2)		/* the restore has no COMMIT */
#define M_NOBARRIER (leftout == 3)	/* none before PLACED */
#define M_NOBACKBARRIER (leftout == 4)	/* none before UNDONE of the restore */
#define M_ABORTS (leftout == 5)		/* a restore that is committed */
#define M_NOREDORECORD (leftout == 6)	/* of the deletion */
#define M_NOREDOBARRIER (leftout == 7)	/* none before its COMMIT */
#define M_NOCHECK (leftout == 8)	/* recovery keeps what is staged */
#define M_NOUNDO (leftout == 9)		/* no record of the restore's undo */
#define M_NOSYNC (leftout == 10)	/* of what recovery reads */
#define M_KEEPS (leftout == 11)		/* the undo of a restore does */

#define K_ALIVE (known == 2)

c_decl {
	\#include <stdlib.h>

	static unsigned char parameter(const char *name)
	{
		const char *s = getenv(name);

		return s != NULL ? (unsigned char)strtol(s, NULL, 0) : 0;
	}
}
byte two, maxc, ops, leftout, known;

byte loc[2], dur[2]; /* now, and what a power cut may leave */
bit tried[2];	     /* no longer as judged */
byte tdur[2];
byte aloc = NONE, adur = BIT(NONE); /* another message with the name of 0 */
byte del = COMMIT, res = NOTHING;   /* the two logs */
short ddur = BIT(COMMIT), rdur = BIT(NOTHING);
bit some;	/* not all of it was staged when it committed */
byte left;	/* the deletion's list of what is left alone */
byte told;	/* of a run: gone or changed, by name */
bit purged[2];
bit restored;	/* exit 0 of restore, and not undone since */
bit taken;	/* exit 0 of its undo, or of the deletion's redo */
byte nc;	/* crashes so far */

inline move(i, to) { loc[i] = to; dur[i] = dur[i] | BIT(to) }
inline amove(to) { aloc = to; adur = adur | BIT(to) }
inline wdel(r) { del = r; ddur = ddur | BIT(r) }
inline wres(r) { res = r; rdur = rdur | BIT(r) }

#define RESTORE_STANDS (res == COMMIT || res == PLACED || res == REDO || \
    res == UNDO)
#define STAGED(i) (loc[i] == STG || ((i) == 0 && aloc == STG))
#define MARKED(i) ((i) == 0 && RESTORE_STANDS && !M_NOMARK)

bit ours0, ours1; /* renamed by qtool since the last barrier */
inline barrier()
{
	if
	:: ours0 || loc[0] == STG || loc[0] == HOLD -> dur[0] = BIT(loc[0])
	:: else
	fi;
	if
	:: ours1 || loc[1] == STG || loc[1] == HOLD -> dur[1] = BIT(loc[1])
	:: else
	fi;
	dur[0] = (loc[0] != STG -> dur[0] & ~BIT(STG) : dur[0]);
	ours0 = 0; ours1 = 0;
	tdur[0] = BIT(tried[0]); tdur[1] = BIT(tried[1]);
	adur = BIT(aloc)
}

inline cut1(i)
{
	if
	:: dur[i] & BIT(DEF) -> loc[i] = DEF
	:: dur[i] & BIT(ACT) -> loc[i] = ACT
	:: dur[i] & BIT(HOLD) -> loc[i] = HOLD
	:: dur[i] & BIT(STG) -> loc[i] = STG
	:: dur[i] & BIT(GONE) -> loc[i] = GONE
	fi;
	dur[i] = BIT(loc[i]);
	if
	:: tdur[i] & 1 -> tried[i] = 0
	:: tdur[i] & 2 -> tried[i] = 1
	fi;
	tdur[i] = BIT(tried[i]);
	purged[i] = purged[i] && loc[i] == GONE
}

inline cutlog(log, d)
{
	if
	:: d & BIT(NOTHING) -> log = NOTHING
	:: d & BIT(COMMIT) -> log = COMMIT
	:: d & BIT(PLACED) -> log = PLACED
	:: d & BIT(UNDO) -> log = UNDO
	:: d & BIT(UNDONE) -> log = UNDONE
	:: d & BIT(REDO) -> log = REDO
	:: d & BIT(PURGE) -> log = PURGE
	:: d & BIT(PURGED) -> log = PURGED
	fi;
	d = BIT(log)
}

inline cut()
{
	cut1(0); cut1(1);
	if /* its inode is that of message 0 */
	:: loc[0] != GONE -> aloc = NONE
	:: loc[0] == GONE && (adur & BIT(NONE)) -> aloc = NONE
	:: loc[0] == GONE && (adur & BIT(DEF)) -> aloc = DEF
	:: loc[0] == GONE && (adur & BIT(STG)) -> aloc = STG
	:: loc[0] == GONE && (adur & BIT(HOLD)) -> aloc = HOLD
	fi;
	adur = BIT(aloc); ours0 = 0; ours1 = 0;
	cutlog(del, ddur); cutlog(res, rdur)
}

#define CRASH \
	:: atomic { nc < maxc -> nc++; goto killed } \
	:: atomic { nc < maxc -> nc++; cut(); goto killed }

inline check1(i)
{
	assert(loc[i] == STG || loc[i] == GONE || tried[i] || del != COMMIT ||
	    (told & BIT(i)) || (left & BIT(i)) || ((i) == 0 && res == PLACED));
	assert(!(loc[i] == STG && del != COMMIT));
	assert(!(purged[i] && del != PURGED))
}

/* What holds whenever nobody is in the middle of something. */
inline check()
{
	assert(del == COMMIT || del == UNDONE || del == PURGED);
	assert(res == NOTHING || res == PLACED || res == UNDONE);
	assert(aloc != STG);
	check1(0); check1(1);
	assert(!(res == PLACED && del == COMMIT && loc[0] == STG && !(told & 1)));
	assert(!restored || (res == PLACED && loc[0] != STG && !purged[0]));
	assert(!(taken && del == COMMIT && res == UNDONE && loc[0] != STG &&
	    loc[0] != GONE && !tried[0] && !(told & 1)))
}

proctype others()
{
	do
	:: atomic { loc[0] == HOLD -> move(0, DEF) }
	:: atomic { loc[0] == DEF -> move(0, ACT) }
	:: atomic { loc[0] == ACT -> move(0, DEF); tried[0] = 1;
		tdur[0] = tdur[0] | 2 }
	:: atomic { loc[0] == ACT -> move(0, GONE) }
	:: atomic { loc[1] == HOLD -> move(1, DEF) }
	:: atomic { loc[1] == DEF -> move(1, GONE) }
	:: atomic { loc[0] == GONE && !purged[0] && aloc == NONE -> amove(DEF) }
	od
}

/* After the rename, and by recovery of the deletion once more. */
#define COMPARED (by != BY_RESTORE -> !M_NOCHECK : !M_KEEPS)

/* Who takes: the deletion's recovery, its redo, the restore's undo. */
#define BY_RECOVERY 0
#define BY_REDO 1
#define BY_RESTORE 2

proctype qtool()
{
	byte i, p, by, n;
	bit recovery;

idle:
	atomic { check(); i = 0; p = 0; by = 0; recovery = 0;
		if
		:: ops == 0 -> goto end
		:: else -> ops--
		fi };
	if
	:: atomic { del == COMMIT && res == NOTHING && loc[0] == STG -> told = 0 };
		goto restore
	:: atomic { del == COMMIT && res == PLACED ->
		restored = 0; told = told & 2 };
		goto unrestore
	:: atomic { del == COMMIT && res == UNDONE && loc[0] == STG ->
		taken = 0; told = told & 2; wres(REDO) };
		if
		:: atomic { rdur = BIT(res); goto out }
		CRASH
		fi
	:: atomic { del == COMMIT -> taken = 0; told = told & 1 }; goto undelete
	:: atomic { del == UNDONE -> told = 0 }; goto redelete
	:: atomic { del == COMMIT -> taken = 0 }; goto purge
	:: goto end
	CRASH
	fi;

	/* ---- restore ---- */
restore:
	if
	:: M_EARLY
	:: atomic { !M_EARLY -> wres(COMMIT) }
	CRASH
	fi;
	if
	:: atomic { rdur = BIT(res) }
	CRASH
	fi;
out:
	if
	:: atomic {
		if
		:: loc[0] == STG -> move(0, HOLD); ours0 = 1
		:: loc[0] != STG && loc[0] != HOLD -> told = told | 1
		:: loc[0] == HOLD
		fi }
	CRASH
	fi;
	if
	:: M_NOBARRIER
	:: atomic { !M_NOBARRIER -> barrier() }
	CRASH
	fi;
	if
	:: atomic { wres(PLACED) }
	CRASH
	fi;
	if
	:: atomic { rdur = BIT(res); restored = 1; goto idle }
	CRASH
	fi;
unrestore:
	if
	:: M_NOUNDO
	:: atomic { !M_NOUNDO -> wres(UNDO) }
	CRASH
	fi;
	if
	:: atomic { rdur = BIT(res) }
	CRASH
	fi;
in:
	atomic { by = BY_RESTORE; i = 0; goto each };
unrestored:
	if
	:: M_NOBACKBARRIER
	:: atomic { !M_NOBACKBARRIER -> barrier() }
	CRASH
	fi;
	if
	:: atomic { wres(UNDONE) }
	CRASH
	fi;
	if
	:: atomic { rdur = BIT(res); taken = 1; goto idle }
	CRASH
	fi;

	/* ---- take what is as it was judged ---- */
each:
	atomic { p = HOLD;
		if
		:: i == 1 + two || (i == 1 && by == BY_RESTORE) -> goto all
		:: else
		fi;
		if
		:: i == 0 && aloc == STG && COMPARED -> goto give
		:: i == 0 && aloc == STG && !COMPARED -> i++; goto each
		:: aloc != STG || i != 0
		fi;
		if
		:: STAGED(i) -> i++; goto each
		:: !STAGED(i) && by != BY_RESTORE && (MARKED(i) ||
		    (by == BY_RECOVERY && (left & BIT(i)))) ->
			if
			:: by == BY_REDO -> n = n | BIT(i)
			:: else
			fi;
			i++; goto each
		:: else
		fi };
look:
	atomic {
		if
		:: loc[i] == p && tried[i] -> told = told | BIT(i);
			n = n | BIT(i); i++; goto each
		:: loc[i] == p && !tried[i]
		:: loc[i] != p && p == HOLD -> p = DEF; goto look
		:: loc[i] != p && p == DEF -> p = ACT; goto look
		:: loc[i] != p && p == ACT -> /* gone, it says */
			assert(!K_ALIVE || loc[i] == GONE);
			told = told | BIT(i); i++; goto each
		fi };
	if
	:: atomic {
		if
		:: loc[i] == p && i == 0 -> move(0, STG); ours0 = 1; i++; goto each
		:: loc[i] == p && i == 1 -> move(1, STG); ours1 = 1; i++; goto each
		:: loc[i] != p && i == 0 && aloc == p -> amove(STG)
		:: loc[i] != p && !(i == 0 && aloc == p) -> goto look
		fi }
	CRASH
	fi;
give: /* what was taken is another message */
	if
	:: atomic { amove(DEF); goto each }
	CRASH
	fi;
all:
	atomic {
		if
		:: by == BY_RESTORE -> goto unrestored
		:: by == BY_REDO -> goto redeleted
		:: by == BY_RECOVERY
		fi };
	if
	:: atomic { barrier(); some = !STAGED(0) || (two && !STAGED(1));
		if
		:: del == PURGE -> goto unlink
		:: else -> goto second
		fi }
	CRASH
	fi;

	/* ---- the deletion ---- */
undelete:
	if
	:: atomic { wdel(UNDO) }
	CRASH
	fi;
	if
	:: atomic { ddur = BIT(del) }
	CRASH
	fi;
back:
	if
	:: atomic {
		if
		:: loc[0] == STG -> move(0, HOLD); ours0 = 1
		:: loc[0] != STG && aloc == STG -> amove(HOLD)
		:: else
		fi }
	CRASH
	fi;
	if
	:: atomic {
		if
		:: loc[1] == STG -> move(1, HOLD); ours1 = 1
		:: else
		fi }
	CRASH
	fi;
	if
	:: atomic { barrier() }
	CRASH
	fi;
	if
	:: atomic { wdel(UNDONE) }
	CRASH
	fi;
	if
	:: atomic { ddur = BIT(del) }
	CRASH
	fi;
	atomic {
		if
		:: recovery -> goto second
		:: else -> goto idle
		fi };
redelete:
	if
	:: M_NOREDORECORD
	:: atomic { !M_NOREDORECORD -> wdel(REDO) }
	CRASH
	fi;
	if
	:: atomic { ddur = BIT(del) }
	CRASH
	fi;
again:
	atomic { by = BY_REDO; i = 0; n = 0; goto each };
redeleted:
	if
	:: !STAGED(0) && !STAGED(1) -> n = 0; goto undelete /* the undo stands */
	:: STAGED(0) || STAGED(1)
	fi;
	if
	:: M_NOREDOBARRIER
	:: atomic { !M_NOREDOBARRIER -> barrier() }
	CRASH
	fi;
	if /* the list is durable before it */
	:: atomic { left = n; wdel(COMMIT); n = 0;
		some = !STAGED(0) || (two && !STAGED(1)) }
	CRASH
	fi;
	if
	:: atomic { ddur = BIT(del); taken = 1 }
	CRASH
	fi;
	atomic {
		if
		:: recovery -> goto second
		:: else -> goto idle
		fi };
purge:
	if
	:: atomic { wdel(PURGE) }
	CRASH
	fi;
	if
	:: atomic { ddur = BIT(del) }
	CRASH
	fi;
unlink:
	if
	:: atomic {
		assert(aloc != STG);
		if
		:: loc[0] == STG -> assert(!restored); move(0, GONE);
			purged[0] = 1; ours0 = 1
		:: loc[0] != STG && aloc == STG -> amove(GONE)
		:: else
		fi }
	CRASH
	fi;
	if
	:: atomic {
		if
		:: loc[1] == STG -> move(1, GONE); purged[1] = 1; ours1 = 1
		:: else
		fi }
	CRASH
	fi;
	if
	:: atomic { barrier() }
	CRASH
	fi;
	if
	:: atomic { wdel(PURGED) }
	CRASH
	fi;
	if
	:: atomic { ddur = BIT(del) }
	CRASH
	fi;
	atomic {
		if
		:: recovery -> goto second
		:: else -> goto idle
		fi };

	/* ---- recovery ---- */
killed:
	atomic { i = 0; p = 0; by = 0; n = 0; recovery = 1 };
	if
	:: atomic {
		if
		:: M_NOSYNC
		:: else -> ddur = BIT(del); rdur = BIT(res)
		fi;
		if
		:: (del == COMMIT || del == PURGE) && some ->
			by = BY_RECOVERY; goto each
		:: del == COMMIT && !some
		:: del == PURGE && !some -> goto unlink
		:: del == UNDO -> goto back
		:: del == REDO -> goto again
		:: else
		fi }
	CRASH
	fi;
second:
	atomic { i = 0; p = 0; by = 0; n = 0;
		if
		:: (res == COMMIT || res == REDO) && M_ABORTS -> wres(UNDONE);
			goto idle
		:: (res == COMMIT || res == REDO) && !M_ABORTS -> goto out
		:: res == UNDO -> goto in
		:: else -> goto idle
		fi };
end:
	if
	:: atomic { nc < maxc -> nc++; cut(); goto killed }
	:: true
	fi
}

init {
	atomic {
		c_code {
			now.maxc = parameter("MAXC"); now.two = parameter("TWO");
			now.ops = parameter("OPS");
			now.leftout = parameter("LEFTOUT");
			now.known = parameter("KNOWN");
		};
		loc[0] = STG; dur[0] = BIT(STG); tdur[0] = 1;
		loc[1] = GONE; dur[1] = BIT(GONE); tdur[1] = 1;
		if
		:: two -> dur[1] = BIT(DEF) | BIT(GONE); some = 1
		:: else
		fi;
		run others();
		run qtool()
	}
}

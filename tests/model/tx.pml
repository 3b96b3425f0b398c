/*
 * tx.pml - the transaction protocol of src/change/tx.c for spin.
 *
 * qtool plans N messages, stages, commits, undoes or purges them; qmgr moves and
 * delivers them at any moment; qtool may be killed, and the power may go, between
 * any two steps, MAXC times in all, recovery included.
 *
 * What a name is on disk is a set: of all it has been since it was last synced a
 * power cut leaves any, for each message by itself.  The log is on a file system
 * of its own, so that no barrier syncs it by chance.  WEAK: the barrier covers
 * the renames and unlinks of qtool alone, not those of qmgr.
 *
 * ONENAME: no other message gets the name of one that is gone.
 *
 * Each M_... leaves out a part of the protocol; a claim has to notice.
 * incoming is one with deferred here; the logs of messages are left out, and so
 * are failures other than "not there" (the fault sweeps are about those).
 */
#ifndef N
#define N 2
#endif
#ifndef MAXC
#define MAXC 2
#endif

/* Where a message is.  ASIDE: maildrop or corrupt; NONE: not made yet. */
#define DEF 0
#define ACT 1
#define HOLD 2
#define STG 3
#define GONE 4
#define ASIDE 5
#define NONE 6
#define BIT(x) (1 << (x))

/* The last record of the log; PREP: a plan, with a record or without. */
#define NOPLAN 0
#define PREP 1
#define ABORT 2
#define ABORTED 3
#define COMMIT 4
#define UNDO 5
#define UNDONE 6
#define PURGE 7
#define PURGED 8

byte loc[N], dur[N]; /* now, and what a power cut may leave */
bit mark[N];	     /* an agent has written to the file: no longer as judged */
byte mdur[N];
byte fly[N];	/* 1: an agent delivers it, 2: it has marked it */
bit moved[N];	/* its change time is another than the plan's */
bit purged[N];	/* unlinked by qtool */
byte aloc = NONE, adur = BIT(NONE); /* another message with the name of 0 */

byte log = NOPLAN;
short ldur = BIT(NOPLAN);
bit some;		 /* COMMIT says gone + changed > 0 */
byte chg, lfile;	 /* the left ones as COMMIT counts and as the file says */
bit lfd;		 /* the file is durable */

bit up = 1;	/* qmgr runs */
byte nc;	/* crashes so far */
bit staging;	/* the plan's change times are being compared */
/* What the user was told. */
bit acked, undone, gone_for_good; /* exit 0 of delete, undo, purge */
bit settled;			  /* recovery ended with COMMIT */
byte told;			  /* reported as changed and left alone */
bit got[N];			  /* staged when COMMIT was acknowledged */

inline move(i, to) { loc[i] = to; dur[i] = dur[i] | BIT(to) }
inline amove(to) { aloc = to; adur = adur | BIT(to) }
inline write(r) { log = r; ldur = ldur | BIT(r) }
inline sync() { ldur = BIT(log) }

inline barrier()
{
	k = 0;
	do
	:: k < N ->
#ifdef WEAK
		if
		:: loc[k] == STG || purged[k] -> dur[k] = BIT(loc[k])
		:: else -> dur[k] = dur[k] & ~BIT(STG)
		fi;
#else
		dur[k] = BIT(loc[k]);
		mdur[k] = BIT(mark[k]);
#endif
		k++
	:: else -> break
	od;
	adur = BIT(aloc);
	k = 0
}

inline cut()
{
	k = 0;
	do
	:: k < N ->
		if
		:: dur[k] & BIT(DEF) -> loc[k] = DEF
		:: dur[k] & BIT(ACT) -> loc[k] = ACT
		:: dur[k] & BIT(HOLD) -> loc[k] = HOLD
		:: dur[k] & BIT(STG) -> loc[k] = STG
		:: dur[k] & BIT(GONE) -> loc[k] = GONE
		:: dur[k] & BIT(ASIDE) -> loc[k] = ASIDE
		fi;
		dur[k] = BIT(loc[k]);
		if
		:: mdur[k] & 1 -> mark[k] = 0
		:: mdur[k] & 2 -> mark[k] = 1
		fi;
		mdur[k] = BIT(mark[k]);
		fly[k] = 0;
		purged[k] = purged[k] && loc[k] == GONE;
		k++
	:: else -> break
	od;
	k = 0;
	if /* its inode is that of message 0 */
	:: loc[0] != GONE -> aloc = NONE
	:: loc[0] == GONE && (adur & BIT(NONE)) -> aloc = NONE
	:: loc[0] == GONE && (adur & BIT(DEF)) -> aloc = DEF
	:: loc[0] == GONE && (adur & BIT(ACT)) -> aloc = ACT
	:: loc[0] == GONE && (adur & BIT(STG)) -> aloc = STG
	:: loc[0] == GONE && (adur & BIT(GONE)) -> aloc = GONE
	fi;
	adur = BIT(aloc);
	if
	:: ldur & BIT(NOPLAN) -> log = NOPLAN
	:: ldur & BIT(PREP) -> log = PREP
	:: ldur & BIT(ABORT) -> log = ABORT
	:: ldur & BIT(ABORTED) -> log = ABORTED
	:: ldur & BIT(COMMIT) -> log = COMMIT
	:: ldur & BIT(UNDO) -> log = UNDO
	:: ldur & BIT(UNDONE) -> log = UNDONE
	:: ldur & BIT(PURGE) -> log = PURGE
	:: ldur & BIT(PURGED) -> log = PURGED
	fi;
	ldur = BIT(log);
	if
	:: !lfd -> lfile = 0
	:: true
	fi;
#ifndef M_EARLYQMGR
	up = 0
#endif
}

#define CRASH \
	:: atomic { nc < MAXC -> nc++; goto killed } \
	:: atomic { nc < MAXC -> nc++; cut(); goto killed }

/* What holds whenever nobody is in the middle of something. */
inline check()
{
	k = 0;
	do
	:: k < N ->
		assert(!(log == COMMIT && loc[k] != STG && loc[k] != GONE &&
		    !mark[k] && !(told & BIT(k))));
		assert(!(acked && (told & BIT(k)) && loc[k] == STG));
		assert(!((log == NOPLAN || log == ABORTED || log == UNDONE ||
		    log == PURGED) && loc[k] == STG));
		assert(!(purged[k] && log != PURGED));
		assert(!(undone && got[k] && purged[k]));
		assert(!(gone_for_good && got[k] && loc[k] != GONE));
		k++
	:: else -> break
	od;
	k = 0;
	assert(aloc != STG);
	assert(!acked || log == COMMIT || log == PURGED);
	assert(!undone || log == UNDONE);
	assert(!gone_for_good || log == PURGED)
}

proctype qmgr()
{
	byte m;

	do
	:: atomic { m = 0;
		do
		:: m < N - 1 -> m++
		:: break
		od;
		if
		:: up && loc[m] == DEF ->
			move(m, ACT); moved[m] = staging
		:: up && loc[m] == ACT && fly[m] == 0 -> /* a delivery begins */
#ifdef WEAK /* after PURGED nobody looks for what others unlinked before */
			assert(!(acked && log != PURGED &&
			    !(told & BIT(m)) && !mark[m]));
#else
			assert(!(acked && !(told & BIT(m)) && !mark[m]));
#endif
			assert(!((acked || gone_for_good) && got[m]));
			fly[m] = 1
		:: up && loc[m] == ACT && fly[m] == 0 ->
			move(m, DEF); moved[m] = staging
		:: fly[m] == 1 -> /* the agent has it open, wherever it is */
			fly[m] = 2; mark[m] = 1; mdur[m] = mdur[m] | 2
		:: fly[m] == 2 && loc[m] == ACT -> move(m, GONE); fly[m] = 0
		:: fly[m] == 2 && loc[m] == ACT ->
			move(m, DEF); fly[m] = 0; moved[m] = staging
		:: fly[m] == 2 && loc[m] != ACT -> fly[m] = 0
		:: up && loc[m] == DEF && staging -> move(m, ASIDE)
		:: up && loc[m] == ASIDE && acked -> move(m, DEF) /* an admin */
#ifndef ONENAME
		:: up && loc[0] == GONE && !purged[0] && aloc == NONE ->
			amove(DEF)
#endif
		:: up && aloc == DEF -> amove(ACT)
		:: up && aloc == ACT -> amove(DEF)
		:: up && aloc == ACT -> amove(GONE)
		:: else
		fi;
		m = 0 }
	od
}

proctype qtool()
{
	byte i, p, k;
	byte left, gone;  /* of the run that stages */
	bit redo, second; /* recovery, and once more */
	byte to;

	/* ---- the plan ---- */
	if
	:: atomic { write(PREP) }
	CRASH
	fi;
#ifndef M_NOPLANSYNC
	if
	:: atomic { sync(); barrier() }
	CRASH
	fi;
#endif
	staging = 1;
#ifdef M_EARLYCOMMIT
	goto commit;
#endif

	/* ---- staging, and taking again ---- */
take:
	i = 0;
next:
	atomic { p = DEF;
	if
	:: i == N -> i = 0; goto taken
	:: i < N && redo && i == 0 && aloc == STG
	:: i < N && redo && !(i == 0 && aloc == STG) &&
	    (loc[i] == STG || (lfile & BIT(i))) -> i++; goto next
	:: else -> goto look
	fi };
	if
	:: atomic { assert(!second); amove(DEF); goto next }
	CRASH
	fi;
look:
	if
	:: atomic {
		if
		:: loc[i] == p && (mark[i] || (p == DEF && !redo && moved[i])) ->
			goto touched
		:: loc[i] == p && !(mark[i] || (p == DEF && !redo && moved[i]))
		:: loc[i] != p && p < HOLD -> p++; goto look
		:: loc[i] != p && p == HOLD -> goto miss
		fi }
	:: atomic { !redo -> goto stopped }
	CRASH
	fi;
	if
	:: atomic { assert(!second);
		if
		:: loc[i] == p -> move(i, STG)
		:: loc[i] != p && i == 0 && aloc == p -> amove(STG)
		:: loc[i] != p && !(i == 0 && aloc == p) ->
			if
			:: p < HOLD -> p++; goto look
			:: p == HOLD -> goto miss
			fi
		fi }
	CRASH
	fi;
#ifdef M_NOCOMPARE
	i++; goto next;
#endif
	if
	:: atomic {
		if
		:: loc[i] == STG && !mark[i] -> i++; goto next
		:: else
		fi }
	CRASH
	fi;
	if /* it was tried, or replaced, between the look and the rename */
	:: atomic {
		if
		:: loc[i] == STG -> move(i, DEF); goto touched
		:: loc[i] != STG -> amove(DEF); goto miss
		fi }
	CRASH
	fi;
touched:
	atomic {
		if
		:: !redo -> told = told | BIT(i); left = left | BIT(i)
		:: redo
		fi;
		i++; goto next };
miss:
	atomic {
		if
		:: loc[i] == GONE || redo -> gone = gone | BIT(i); i++; goto next
		:: loc[i] == ASIDE && !redo ->
#ifdef M_ASIDE
			told = told | BIT(i); gone = gone | BIT(i); i++; goto next
#else
			goto touched
#endif
		:: else -> p = DEF; goto look
		fi };
stopped: /* Ctrl-C, a fault, nothing to take */
	i = 0; p = 0; staging = 0;
	goto recover;

taken:
	if
	:: redo -> goto redone
	:: !redo && (left | gone) == BIT(N) - 1 -> goto stopped
	:: else
	fi;
#ifdef M_EARLYCOMMIT
	goto acknowledge;
#endif
	if
#ifndef M_NOBARRIER
	:: atomic { barrier() }
	CRASH
#else
	:: true
#endif
	fi;
#ifdef M_NOLEFT
	atomic { gone = gone | left; left = 0 };
#endif
	if
	:: left != 0 ->
		if
		:: atomic { lfile = left }
		CRASH
		fi;
		if
		:: atomic { lfd = 1 }
		CRASH
		fi
	:: else
	fi;
commit:
	if
	:: atomic { write(COMMIT); some = (left | gone) != 0; chg = left }
	CRASH
	fi;
	if
	:: atomic { sync() }
	CRASH
	fi;
#ifdef M_EARLYCOMMIT
	goto take;
acknowledge:
#endif
	atomic { acked = 1; left = 0; gone = 0; i = 0; p = 0; staging = 0;
		k = 0;
		do
		:: k < N -> got[k] = loc[k] == STG; k++
		:: else -> break
		od;
		k = 0;
		check() };
	goto idle;

	/* ---- recovery ---- */
killed:
	atomic { i = 0; p = 0; to = 0; left = 0; gone = 0; redo = 0; second = 0;
		staging = 0; k = 0;
		do
		:: k < N -> moved[k] = 0; k++
		:: else -> break
		od;
		k = 0 };
recover:
	left = 0; gone = 0;
	if
	:: atomic {
#ifndef M_NOSYNC
		sync();
#endif
		/* a list that COMMIT says to be there is there */
		assert(!(log == COMMIT && lfile != chg));
		if
		:: log == NOPLAN || log == ABORTED || log == UNDONE ||
		    log == PURGED -> goto settle
		:: log == PREP || log == ABORT -> assert(!acked && !settled);
			goto abort
		:: log == COMMIT ->
#ifndef M_NOREDO
			if
			:: some -> redo = 1; goto take
			:: else
			fi;
#endif
			goto settle
		:: log == UNDO -> to = HOLD; goto back
		:: log == PURGE ->
#ifndef M_NOREDO
			if
			:: some -> redo = 1; goto take
			:: else
			fi;
#endif
			goto purge
		fi }
	CRASH
	fi;
redone:
	if
	:: atomic { barrier(); redo = 0; gone = 0;
		if
		:: log == PURGE -> goto purge
		:: else
		fi;
		k = 0; to = 0;
		do
		:: k < N -> to = to + (loc[k] == STG); k++
		:: else -> break
		od;
		k = 0;
		if /* all are there: it need not be looked at again */
		:: to == N -> some = 0
		:: else
		fi;
		to = 0; sync(); goto settle }
	CRASH
	fi;
settle:
	atomic { check(); settled = settled || log == COMMIT };
	if
	:: atomic { !second -> second = 1; goto recover }
	:: atomic { second = 0; up = 1 }
	CRASH
	fi;
idle:
	if
	:: atomic { log == COMMIT -> acked = 0; settled = 0 }; goto undo
	:: log == COMMIT -> goto mustpurge
	:: nc < MAXC || true -> goto end
	CRASH
	fi;

	/* ---- all back ---- */
abort:
	to = DEF;
	if
	:: log == ABORT -> goto back
	:: else
	fi;
	if
	:: atomic { assert(!second); assert(log == PREP); write(ABORT) }
	CRASH
	fi;
	if
	:: atomic { sync(); goto back }
	CRASH
	fi;
undo:
	to = HOLD;
#ifndef M_NOUNDO
	if
	:: atomic { write(UNDO) }
	CRASH
	fi;
	if
	:: atomic { sync() }
	CRASH
	fi;
#endif
back:
	do
	:: i < N ->
		if
		:: atomic { assert(!second || loc[i] != STG);
			if
			:: loc[i] == STG -> move(i, to)
			:: loc[i] != STG && i == 0 && aloc == STG -> amove(to)
			:: else
			fi;
			i++ }
		CRASH
		fi
	:: i == N -> break
	od;
	if
	:: atomic { i = 0; barrier() }
	CRASH
	fi;
	if
	:: atomic {
		if
		:: to == DEF -> write(ABORTED)
		:: to == HOLD -> write(UNDONE)
		fi }
	CRASH
	fi;
	if
	:: atomic { sync(); undone = to == HOLD; to = 0; goto settle }
	CRASH
	fi;

	/* ---- purging ---- */
mustpurge:
#ifndef M_NOPURGE
	if
	:: atomic { write(PURGE) }
	CRASH
	fi;
	if
	:: atomic { sync() }
	CRASH
	fi;
#endif
purge:
	do
	:: i < N ->
		if
		:: atomic {
			if
			:: loc[i] == STG -> assert(ldur == BIT(PURGE));
				assert(!second); assert(!(told & BIT(i)));
				move(i, GONE); purged[i] = 1
			:: else
			fi;
			i++ }
		CRASH
		fi
	:: i == N -> break
	od;
	if
	:: atomic { i = 0; barrier() }
	CRASH
	fi;
	if
	:: atomic { write(PURGED) }
	CRASH
	fi;
	if
	:: atomic { sync(); gone_for_good = 1; goto settle }
	CRASH
	fi;
end:
	/* a power cut long after */
	if
	:: atomic { nc < MAXC -> nc++; cut(); goto killed }
	:: true
	fi
}

init {
	byte j;

	atomic {
		do
		:: j < N -> dur[j] = BIT(DEF); mdur[j] = 1; j++
		:: else -> break
		od;
		run qmgr();
		run qtool()
	}
}

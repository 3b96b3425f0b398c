/*
 * place.pml - hold, release and requeue (src/change/place.c) for spin.
 *
 * qtool moves N messages from queue to queue, as the log says, and back again;
 * qmgr, its agents and pickup take and deliver them at any moment.  A call of
 * qtool may fail; it may be killed, and the power may go, between any two steps,
 * MAXC times in all, recovery included.
 *
 * All searches are made by one program; it reads from the environment: N, MAXC,
 * OP (0 hold, 1 release, 2 requeue), FROM (where each message was judged, four
 * bits each), LEFTOUT (a part of the protocol that is left out), KNOWN (below),
 * OPENS (pickup takes steps: it looks at a name, opens it, unlinks it, and
 * somebody else may have it open), OTHERS (who hold messages, too: 1 at any time,
 * 2 between a crash and recovery, while an earlier message lies untouched).
 *
 * What a name is on disk is a set: of all it has been since the last barrier a
 * power cut leaves any, for each message by itself; the same holds for what an
 * agent or qtool wrote to its inode.  The log is on a file system of its own.
 *
 * A delivery or a requeued copy that a power cut takes back is made again by
 * Postfix, without qtool: "twice" is without that, and without a copy of which a
 * power cut has taken the trace that pickup has read the message.
 *
 * Each M_... leaves out a part of the protocol; a claim has to notice.  What is
 * known not to hold is searched for as well, so that it is seen when it changes:
 *
 * K_AGENT	requeue, while an agent has a message open that lies in hold:
 *		pickup looks at no lock
 * K_COPY	a requeue gives back what was tried meanwhile, while pickup has
 *		it open.  (What an undo finds open, or read since it was marked,
 *		is named: it may be new mail, too.)
 * K_CORE	qmgr has read a message before it was taken out of active, and
 *		reads it once more when it comes back
 * K_OTHERS	qtool is killed, and no message that lies untouched tells how far
 *		it came: what others hold then its undo moves
 * K_DOUBTFUL	what an undo in place left in hold, as pickup may have had it, a
 *		failed redo puts back in place
 *
 * incoming is one with deferred here; a name that is given to another message
 * is left out (an ID made of inode and time is, within the same microsecond); and
 * pickup does not sleep between two of its steps from one command to the next.
 */
#define NMAX 2
#define HOLDS 0
#define RELEASES 1
#define REQUEUES 2

#define M_EARLY (leftout == 1)		/* messages move before COMMIT */
#define M_NOCOMMITSYNC (leftout == 2)	/* before COMMIT is durable */
#define M_NOBARRIER (leftout == 3)	/* none before PLACED */
#define M_NOBACKBARRIER (leftout == 4)	/* none before UNDONE */
#define M_NOCOMPARE (leftout == 5)	/* after the rename */
#define M_NOUNDO (leftout == 6)		/* no record of it */
#define M_ABORTS (leftout == 7)		/* recovery of COMMIT */
#define M_FORTH (leftout == 8)		/* recovery of UNDO */
#define M_NOSYNC (leftout == 9)		/* of what recovery reads */
#define M_HALFWAY (leftout == 10)	/* a call failed: the rest is left */
#define M_LOOKONCE (leftout == 11)	/* recovery looks at the origin only */
#define M_NOTOPEN (leftout == 12)	/* no look whether pickup has it open */
#define M_GIVESBACK (leftout == 13)	/* what is open, to pickup */
#define M_ANYBODYS (leftout == 14)	/* what others moved counts as ours */
#define M_FORGETS (leftout == 15)	/* a fault: the record does not say whose */
#define M_ASJUDGED (leftout == 16)	/* a failed redo goes where they were
					 * judged, not where they were */
#define M_NOTREAD (leftout == 17)	/* no look whether pickup has read it */
#define M_MARKSLATE (leftout == 18)	/* the mark that tells, in maildrop only */

#define K_AGENT (known == 1)
#define K_COPY (known == 2)
#define K_CORE (known == 3)
#define K_OTHERS (known == 4)
#define K_DOUBTFUL (known == 5)

c_decl {
	\#include <stdlib.h>

	static unsigned char parameter(const char *name)
	{
		const char *s = getenv(name);

		return s != NULL ? (unsigned char)strtol(s, NULL, 0) : 0;
	}
}
byte n, maxc, op, from, leftout, known, others;
bit opens;  /* pickup takes two steps */
bit atonce; /* a delivery is one step: for searches with more messages */

/* Where a message is.  GONE: sent and removed, or taken by pickup. */
#define DEF 0
#define ACT 1
#define HOLD 2
#define DROP 3
#define GONE 4
#define BIT(x) (1 << (x))
#define JUDGED(i) ((from >> ((i) * 4)) & 15)
#define TARGET (op == HOLDS -> HOLD : (op == RELEASES -> DEF : DROP))

/* Its inode: as judged, with qtool's time, with another; sent, too. */
#define SAME 0
#define STAMPED 1
#define TRIED 2
#define SENT 3
#define SENT_STAMPED 4
#define SENT_SAME 5 /* an agent's mark, and its time put back */
#define IS_SENT(x) ((x) >= SENT)
#define AS_JUDGED(x) ((x) == SAME || (x) == SENT_SAME)
/* Recovery holds what was tried since, too. */
#define FITS(x) (AS_JUDGED(x) || (op == HOLDS && late))

/* The last record of the log.  UNDO_H to hold, UNDO_O to the origin. */
#define PREP 0
#define ABORTED 1
#define COMMIT 2
#define PLACED 3
#define UNDO_H 4
#define UNDO_O 5
#define UNDONE 6
#define REDO 7

byte loc[NMAX], dur[NMAX]; /* now, and what a power cut may leave */
byte ino[NMAX], idur[NMAX];
bit fly[NMAX];	/* an agent has it open, and locked */
byte copy[NMAX]; /* pickup has it open; 2: and has read it */
bit away[NMAX];	/* taken from pickup, and not yet looked at */
bit handed[NMAX];	/* given back while pickup has it open */
bit been[NMAX];	/* read since it was marked: its access time */
bit made[NMAX];	/* pickup has made new mail of it, and it is still here */
bit seen[NMAX];	/* pickup has looked at its name */
bit missed[NMAX]; /* and found none when it opened it: it will unlink it */
byte doubt;	/* was open when it was taken from pickup, and was named */
byte core[NMAX];	/* how often qmgr has it in memory */
byte sent[NMAX];	/* as the recipients see it */

byte log = PREP;
short ldur = BIT(PREP);
byte nc;	/* crashes so far */
bit failed;	/* the one fault has been */

byte told;	/* left alone, gone or changed: of the last run, by name */
byte wrong;	/* moved though it was not as judged */
byte ours;	/* moved at all */
byte held;	/* in hold before this way began */
byte theirs;	/* put into hold by others */
byte stirred;	/* renamed since it was judged, by anybody */
byte mine;	/* moved by qtool, as the process knows it */
byte given;	/* moved and given back, without a barrier since */
byte kept;	/* the same, as the last record says that has it */
bit sure;	/* what has arrived was put there by others */
byte at;	/* the message that a call failed at: counts as moved, as does
		 * what is given */
bit down;	/* killed, and not yet recovered */
bit booted;	/* the power has gone: nothing is known of a run before */
bit acked, undone; /* exit 0 of the operation, and of its undo */
bit must;	/* an UNDO is durable: all has to go back */
bit rolled;	/* a call failed: not the user's undo */
bit redone;	/* a redo has begun */
bit tohold;	/* the last undo put them into hold */
bit late;	/* this is recovery */
bit whole;	/* nobody was killed since the run began */

hidden byte dest; /* within a step */
inline move(i, to) {
	loc[i] = to; dur[i] = dur[i] | BIT(to); stirred = stirred | BIT(i)
}
inline touch(i, x) { ino[i] = x; idur[i] = idur[i] | BIT(x) }
inline write(r) { log = r; ldur = ldur | BIT(r) }
inline sync()
{
	ldur = BIT(log);
	must = (must || log == UNDO_H || log == UNDO_O) && log != UNDONE
}

inline barrier()
{
	k = 0;
	do
	:: k < n -> dur[k] = BIT(loc[k]); idur[k] = BIT(ino[k]); k++
	:: else -> break
	od;
	k = 0
}

inline note() /* what is in hold now */
{
	k = 0; held = 0;
	do
	:: k < n ->
		if
		:: loc[k] == HOLD -> held = held | BIT(k)
		:: else
		fi;
		k++
	:: else -> break
	od;
	k = 0
}

inline cut()
{
	k = 0;
	do
	:: k < n ->
		if
		:: dur[k] & BIT(DEF) -> loc[k] = DEF
		:: dur[k] & BIT(ACT) -> loc[k] = ACT
		:: dur[k] & BIT(HOLD) -> loc[k] = HOLD
		:: dur[k] & BIT(DROP) -> loc[k] = DROP
		:: dur[k] & BIT(GONE) -> loc[k] = GONE
		fi;
		dur[k] = BIT(loc[k]);
		if
		:: idur[k] & BIT(SAME) -> ino[k] = SAME
		:: idur[k] & BIT(STAMPED) -> ino[k] = STAMPED
		:: idur[k] & BIT(TRIED) -> ino[k] = TRIED
		:: idur[k] & BIT(SENT) -> ino[k] = SENT
		:: idur[k] & BIT(SENT_STAMPED) -> ino[k] = SENT_STAMPED
		:: idur[k] & BIT(SENT_SAME) -> ino[k] = SENT_SAME
		fi;
		idur[k] = BIT(ino[k]);
		fly[k] = 0; copy[k] = 0; away[k] = 0; core[k] = 0;
		handed[k] = 0; been[k] = 0; made[k] = 0;
		seen[k] = 0; missed[k] = 0;
		if
		:: loc[k] == GONE
		:: loc[k] != GONE -> sent[k] = IS_SENT(ino[k])
		fi;
		k++
	:: else -> break
	od;
	k = 0;
	if
	:: ldur & BIT(PREP) -> log = PREP
	:: ldur & BIT(ABORTED) -> log = ABORTED
	:: ldur & BIT(COMMIT) -> log = COMMIT
	:: ldur & BIT(PLACED) -> log = PLACED
	:: ldur & BIT(UNDO_H) -> log = UNDO_H
	:: ldur & BIT(UNDO_O) -> log = UNDO_O
	:: ldur & BIT(UNDONE) -> log = UNDONE
	:: ldur & BIT(REDO) -> log = REDO
	fi;
	ldur = BIT(log); booted = 1
}

#define CRASH \
	:: atomic { nc < maxc -> nc++; whole = 0; down = 1; goto killed } \
	:: atomic { nc < maxc && others != 2 -> \
		nc++; whole = 0; down = 1; cut(); goto killed }
/* A call says EIO: on the way forth all goes back, else it stays as it is. */
#define FAULT \
	:: atomic { !failed && (log == COMMIT || log == REDO) -> \
		failed = 1; rolled = 1; at = i; goto rollback }
/* What others may hold now. */
#define HELD_BY_OTHERS(m) (op == HOLDS && loc[m] == DEF && \
    !(given & BIT(m)) && (others == 1 || \
    (others == 2 && down && m == 1 && !(stirred & 1))))

/* Where they are when all are on the side that the log says. */
#define FORTH(x) (op == HOLDS -> (x) == HOLD : (op == RELEASES -> \
    (x) != HOLD && (x) != DROP : (x) == DROP || (x) == GONE))
#define BACK(x) (op == RELEASES -> (x) == HOLD : (op == HOLDS -> \
    (x) != HOLD && (x) != DROP : (x) != DROP))

/* What holds whenever nobody is in the middle of something. */
inline check()
{
	assert(log == PLACED || log == UNDONE || log == ABORTED);
	assert(!acked || log == PLACED);
	assert(!undone || log == UNDONE);
	assert(!must || log == UNDONE);
	assert(log != ABORTED || ours == 0);
	k = 0;
	do
	:: k < n ->
		if
		:: told & BIT(k) -> /* and truly so */
			assert(op != HOLDS || log != PLACED || loc[k] != HOLD ||
			    (theirs & BIT(k)))
		:: else ->
			assert(log != PLACED || FORTH(loc[k]));
			assert(log != UNDONE || BACK(loc[k]) ||
			    (theirs & BIT(k)));
			assert(!(rolled && log == UNDONE && (held & BIT(k)) &&
			    loc[k] != HOLD &&
			    (!redone || tohold || K_DOUBTFUL) &&
			    !((theirs & BIT(k)) && k == at)))
		fi;
		assert(!(theirs & BIT(k)) || loc[k] == HOLD ||
		    (failed && k == at));
		k++
	:: else -> break
	od;
	k = 0
}

inline deliver(i) { sent[i]++; assert(sent[i] <= 1) }

proctype postfix()
{
	byte m;

again:
	do
	:: atomic { m = 0;
		do
		:: m < n - 1 -> m++
		:: break
		od;
		if
		:: others == 2 && down -> /* the rest waits */
			if
			:: HELD_BY_OTHERS(m) ->
				move(m, HOLD); theirs = theirs | BIT(m)
			:: else
			fi; m = 0; goto again
		:: else
		fi;
		if
		:: loc[m] == DEF && fly[m] == 0 -> /* else parked: it is locked */
			move(m, ACT);
			core[m] = core[m] + (K_CORE && !IS_SENT(ino[m]))
		:: loc[m] == ACT && fly[m] == 0 && !IS_SENT(ino[m]) && atonce ->
			deliver(m); move(m, GONE)
		:: loc[m] == ACT && fly[m] == 0 && !IS_SENT(ino[m]) &&
		    !atonce && !K_CORE -> fly[m] = 1
		:: loc[m] == ACT && fly[m] == 0 && core[m] > 0 ->
			fly[m] = 1; core[m]-- /* it read that it is not sent */
		:: loc[m] != ACT && core[m] > 0 -> core[m]-- /* refused */
		:: loc[m] == ACT && fly[m] == 0 && core[m] == 0 &&
		    IS_SENT(ino[m]) -> move(m, GONE)
		:: fly[m] == 1 -> /* wherever it is now */
			deliver(m); touch(m, SENT); fly[m] = 0
		:: fly[m] == 1 -> fly[m] = 0 /* the other side says 4xx */
		:: loc[m] == ACT && fly[m] == 0 && !IS_SENT(ino[m]) ->
			touch(m, TRIED); move(m, DEF)
		:: loc[m] == DROP && !opens ->
			if
			:: !IS_SENT(ino[m]) -> deliver(m)
			:: else
			fi;
			move(m, GONE)
		:: loc[m] == DROP && opens && copy[m] == 0 && !seen[m] &&
		    !missed[m] -> seen[m] = 1
		:: seen[m] -> seen[m] = 0;
			if
			:: loc[m] == DROP -> copy[m] = 1
			:: else -> missed[m] = 1
			fi
		:: copy[m] == 1 -> copy[m] = 2; been[m] = 1
		:: copy[m] == 2 -> copy[m] = 0; /* and removes it by its name */
			if
			:: loc[m] == DROP -> move(m, GONE)
			:: else -> made[m] = !(doubt & BIT(m)) && !handed[m];
				assert(!made[m] || away[m])
			fi;
			handed[m] = 0
		:: missed[m] -> missed[m] = 0;
			assert(loc[m] != DROP) /* unlinked, and never read */
		:: HELD_BY_OTHERS(m) ->
			move(m, HOLD); theirs = theirs | BIT(m)
		:: else
		fi;
		m = 0 }
	od
}

/* The next place of the search; GONE: it was in none. */
inline next()
{
	if
	:: op == HOLDS ->
		p = (p == JUDGED(i) -> (p == DEF -> ACT : DEF) :
		    (p == HOLD -> GONE : HOLD))
	:: op == RELEASES ->
		p = (p == HOLD -> DEF : (p == DEF -> ACT : GONE))
	:: op == REQUEUES && JUDGED(i) == HOLD ->
		p = (p == HOLD -> DEF : (p == DROP -> GONE : (p == ACT ->
		    DROP : ACT)))
	:: op == REQUEUES && JUDGED(i) != HOLD ->
		p = (p == DROP -> GONE : p + 1)
	fi
}

/* The same on the way back. */
#define FIRST_BACK (op == HOLDS -> HOLD : (op == RELEASES -> DEF : DROP))
inline next_back()
{
	if
	:: p == FIRST_BACK -> p = (op == RELEASES -> ACT : DEF)
	:: p == DEF && p != FIRST_BACK -> p = ACT
	:: p == ACT -> p = (op == HOLDS -> GONE : HOLD)
	:: p == HOLD && p != FIRST_BACK -> p = GONE
	fi
}

#define IS_SOURCE(i) (op == HOLDS -> p == DEF || (p == ACT && \
    JUDGED(i) == ACT) : (op == RELEASES -> p == HOLD : p == DEF || p == HOLD))
#define IS_BACK_SOURCE (op == RELEASES -> p == DEF || p == ACT : \
    p == FIRST_BACK)
#define BACK_TO(i) (op == HOLDS -> DEF : (op == RELEASES -> HOLD : \
    (log == UNDO_O -> JUDGED(i) : HOLD)))
/* In active, where it was not judged. */
#define IS_QMGRS(i) (op != RELEASES && p == ACT && JUDGED(i) != ACT)
#define TELL(i) told = told | BIT(i)
#define NOT_MINE(i) mine = mine & ~BIT(i)

proctype qtool()
{
	byte i, p, k;

	/* the plan is durable, and the record PREPARED */
	atomic { note(); whole = 1; sure = 1;
		if
		:: M_EARLY -> goto forth
		:: else
		fi };
decide:
	if
	:: atomic { write(COMMIT) }
	CRASH
	fi;
	if
	:: M_NOCOMMITSYNC
	:: atomic { !M_NOCOMMITSYNC -> sync() }
	CRASH
	fi;
	if
	:: M_EARLY -> goto decided
	:: else
	fi;

	/* ---- forth: each message found, looked at, renamed, looked at ---- */
forth:
	atomic { i = 0; told = 0; wrong = 0; mine = (sure -> 0 : 3);
		given = 0 };
each:
	atomic {
		if
		:: i == n -> i = 0; p = 0; goto placed
		:: else -> p = JUDGED(i);
			if /* nobody has been there */
			:: !sure && !booted && !(stirred & BIT(i)) ->
				sure = 1; mine = mine & (BIT(i) - 1)
			:: else
			fi;
			down = 0
		fi };
look:
	atomic {
		if
		:: p == GONE || (M_LOOKONCE && !whole && p != JUDGED(i)) ->
			goto miss
		:: else
		fi;
		if
		:: loc[i] != p -> next(); goto look
		:: loc[i] == p && IS_SOURCE(i) && FITS(ino[i]) -> goto rename
		:: loc[i] == p && IS_SOURCE(i) && !FITS(ino[i]) ->
			TELL(i); NOT_MINE(i)
		:: loc[i] == p && !IS_SOURCE(i) && IS_QMGRS(i) ->
			TELL(i); NOT_MINE(i)
		:: loc[i] == p && p == DROP && FITS(ino[i]) -> goto stamp
		:: else /* it is there */
			if
			:: M_ANYBODYS -> mine = mine | BIT(i)
			:: sure && !M_ANYBODYS -> TELL(i)
			:: else
			fi
		fi;
		i++; goto each };
miss:
	atomic {
		if
		:: loc[i] == GONE -> TELL(i); NOT_MINE(i); i++; goto each
		:: loc[i] != GONE -> /* many rounds */
			TELL(i); NOT_MINE(i); i++; goto each
		:: loc[i] != GONE && !M_LOOKONCE -> p = JUDGED(i); goto look
		fi };
rename:
	if
	:: atomic {
		if
		:: loc[i] != p -> next(); goto look
		:: else ->
			mine = mine | BIT(i); been[i] = been[i] && M_MARKSLATE;
			dest = TARGET; move(i, dest); ours = ours | BIT(i)
		fi;
		if
		:: !FITS(ino[i]) -> wrong = wrong | BIT(i)
		:: else
		fi }
	CRASH
	FAULT
	fi;
	if
	:: atomic {
		if
		:: M_NOCOMPARE -> goto stamp
		:: !M_NOCOMPARE && loc[i] == TARGET && !FITS(ino[i])
		:: else -> /* others have moved it on: nobody can tell */
			wrong = wrong & ~BIT(i); goto stamp
		fi }
	FAULT
	fi;
	if /* it was tried between the look and the rename */
	:: atomic {
		if
		:: loc[i] == TARGET -> move(i, p); handed[i] = copy[i] != 0 && !K_COPY
		:: else
		fi;
		wrong = wrong & ~BIT(i); TELL(i); NOT_MINE(i);
		given = given | BIT(i); i++; goto each }
	CRASH
	FAULT
	fi;
stamp:
	if
	:: atomic { op == REQUEUES && loc[i] == DROP ->
		been[i] = been[i] && !M_MARKSLATE;
		dest = (IS_SENT(ino[i]) -> SENT_STAMPED : STAMPED); touch(i, dest) }
	:: op != REQUEUES || loc[i] != DROP /* pickup is quick */
	CRASH
	FAULT
	fi;
	atomic { i++; goto each };
placed:
	if
	:: log == PREP -> goto decide
	:: else
	fi;
decided:
	if
	:: M_NOBARRIER
	:: atomic { !M_NOBARRIER -> barrier(); given = 0 }
	CRASH
	FAULT
	fi;
	if
	:: atomic { write(PLACED); kept = mine }
	CRASH
	FAULT
	fi;
	if
	:: atomic { sync(); acked = 1; assert(!whole || wrong == 0); wrong = 0;
		goto settle }
	CRASH
	fi;

	/* ---- all back ---- */
rollback:
	if
	:: M_HALFWAY -> rolled = 0; goto decided
	:: atomic { !M_HALFWAY ->
		if /* a redo began where the undo before it had put them */
		:: redone && tohold && !M_ASJUDGED -> write(UNDO_H)
		:: else -> write(UNDO_O)
		fi;
		if /* the message that it failed at may have been moved */
		:: M_FORGETS -> kept = 3
		:: else -> kept = given | (i < n -> mine | BIT(i) : mine)
		fi }
	CRASH
	fi;
	if
	:: atomic { sync(); goto back }
	CRASH
	fi;
undo:
	if
	:: M_NOUNDO -> goto back
	:: atomic { !M_NOUNDO -> write(UNDO_H) }
	:: atomic { op == REQUEUES && !M_NOUNDO -> write(UNDO_O) }
	CRASH
	fi;
	if
	:: atomic { sync() }
	CRASH
	fi;
back:
	atomic { i = 0; told = 0; wrong = 0 };
each_back:
	atomic {
		if
		:: i == n -> i = 0; p = 0; goto all_back
		:: i < n && !(kept & BIT(i)) -> TELL(i); i++; goto each_back
		:: else -> p = FIRST_BACK
		fi };
look_back:
	atomic {
		if
		:: p == GONE -> goto miss_back
		:: p != GONE && loc[i] != p -> next_back(); goto look_back
		:: p != GONE && loc[i] == p && op == REQUEUES && p == HOLD ->
			goto taken
		:: p != GONE && loc[i] == p && IS_BACK_SOURCE
		:: p != GONE && loc[i] == p && !IS_BACK_SOURCE &&
		    !(op == REQUEUES && p == HOLD) -> i++; goto each_back
		fi };
	if
	:: atomic { op == REQUEUES && loc[i] == p ->
		dest = (IS_SENT(ino[i]) -> SENT_SAME : SAME); touch(i, dest) }
	:: op != REQUEUES || loc[i] != p
	CRASH
	fi;
	if
	:: atomic {
		if
		:: loc[i] != p -> next_back(); goto look_back
		:: else -> away[i] = op == REQUEUES;
			dest = (op == REQUEUES -> HOLD : BACK_TO(i)); move(i, dest)
		fi }
	CRASH
	fi;
taken: /* from pickup, into hold */
	if
	:: atomic { loc[i] != HOLD || op != REQUEUES -> away[i] = 0; i++;
		goto each_back } /* others are quick */
	:: atomic { loc[i] == HOLD && op == REQUEUES && !M_NOTOPEN &&
	    (copy[i] != 0 || (been[i] && !M_NOTREAD) || opens) ->
		/* somebody has it open, or has read it */
		if
		:: M_GIVESBACK -> move(i, DROP)
		:: else -> doubt = doubt | BIT(i)
		fi;
		away[i] = 0; made[i] = 0; TELL(i); i++; goto each_back }
	:: atomic { loc[i] == HOLD && op == REQUEUES &&
	    (M_NOTOPEN || copy[i] == 0) && (M_NOTREAD || !been[i]) ->
		assert(!made[i]); away[i] = 0 }
	CRASH
	fi;
	if
	:: atomic {
		if
		:: loc[i] == HOLD && BACK_TO(i) != HOLD ->
			dest = BACK_TO(i); move(i, dest)
		:: else
		fi;
		i++; goto each_back }
	CRASH
	fi;
miss_back:
	atomic {
		if
		:: loc[i] == GONE -> TELL(i); i++; goto each_back
		:: loc[i] != GONE -> TELL(i); i++; goto each_back
		:: loc[i] != GONE -> p = FIRST_BACK; goto look_back
		fi };
all_back:
	if
	:: M_NOBACKBARRIER
	:: atomic { !M_NOBACKBARRIER -> barrier() }
	CRASH
	fi;
	if
	:: atomic { tohold = (rolled -> tohold : log == UNDO_H); write(UNDONE) }
	CRASH
	fi;
	if
	:: atomic { sync(); undone = !rolled; goto settle }
	CRASH
	fi;

	/* ---- recovery ---- */
killed:
	atomic { i = 0; p = 0; wrong = 0; k = 0; rolled = 0; sure = 0;
		late = 1 };
	if
	:: atomic {
		if
		:: M_NOSYNC
		:: else -> sync()
		fi;
		down = log == COMMIT || log == REDO;
		if
		:: log == PREP -> goto abort
		:: (log == COMMIT || log == REDO) && M_ABORTS -> goto abort
		:: (log == COMMIT || log == REDO) && !M_ABORTS -> goto forth
		:: (log == UNDO_H || log == UNDO_O) && M_FORTH -> goto forth
		:: (log == UNDO_H || log == UNDO_O) && !M_FORTH -> goto back
		:: else -> goto settle
		fi }
	CRASH
	fi;
abort: /* nothing has moved */
	if
	:: atomic { write(ABORTED) }
	CRASH
	fi;
	if
	:: atomic { sync(); goto settle }
	CRASH
	fi;
settle:
	atomic { check(); whole = 1; rolled = 0; late = 0 };
	if
	:: atomic { log == PLACED -> acked = 0; note() };
		goto undo
	:: atomic { log == UNDONE && !redone -> undone = 0; note() };
		if
		:: atomic { missed[0] + missed[1] + seen[0] + seen[1] == 0 ->
			write(REDO); redone = 1; sure = 1 }
		CRASH
		fi;
		if
		:: atomic { sync(); goto forth }
		CRASH
		fi
	:: goto end
	CRASH
	fi;
end:
	/* a power cut long after */
	if
	:: atomic { nc < maxc -> nc++; whole = 0; cut(); goto killed }
	:: true
	fi
}

init {
	byte j;

	atomic {
		c_code {
			now.n = parameter("N"); now.maxc = parameter("MAXC");
			now.op = parameter("OP"); now.from = parameter("FROM");
			now.leftout = parameter("LEFTOUT");
			now.known = parameter("KNOWN");
			now.atonce = parameter("ATONCE");
			now.opens = parameter("OPENS");
			now.others = parameter("OTHERS");
		};
		do
		:: j < n ->
			loc[j] = JUDGED(j); dur[j] = BIT(loc[j]);
			idur[j] = BIT(SAME);
			if
			:: K_AGENT -> fly[j] = 1
			:: true
			fi;
			j++
		:: else -> break
		od;
		j = 0;
		run postfix();
		run qtool()
	}
}

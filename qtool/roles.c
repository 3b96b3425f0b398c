/*
 * roles.c - judge and hand.
 *
 * The process that the user started is the judge: it has the terminal, its exit
 * status counts, and Ctrl-C reaches it first.  The hand is its child, forked
 * before any mail is read, of the same process group, so that what the terminal
 * sends reaches both; it has no terminal, no output, and ends when the judge
 * does, however that is.
 *
 *	judge		as the queue's owner when root started it, without
 *			capabilities but that of reading (SPOOL/qtool is root's,
 *			files in maildrop are those of who sent them); reads the
 *			queue and what the command line names
 *	writer		a judge that makes a file for the user: it stays who it
 *			was, as the directory is the user's, without his
 *			capabilities
 *	hand		see confine.c
 *
 * Several queues of different owners, or one of root's: the judge stays root
 * without capabilities.
 */
#include "roles.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "archiving.h"
#include "cmd.h"
#include "reporting.h"
#include "restoring.h"

#define NOBODYS_GROUP 65534

/* What the hand of each command may do; one that is not here has none. */
static const struct {
	const struct cmd *cmd;
	unsigned may;
} hands[] = {
    {&cmd_hold, QT_HAND_OP(QT_OP_HOLD)},
    {&cmd_delete, QT_HAND_OP(QT_OP_DELETE) | QT_HAND_PURGE_OWN},
    {&cmd_release, QT_HAND_OP(QT_OP_RELEASE)},
    {&cmd_requeue, QT_HAND_OP(QT_OP_REQUEUE)},
    {&cmd_restore, QT_HAND_OP(QT_OP_RESTORE) | QT_HAND_OP(QT_OP_IMPORT)},
    {&cmd_archive, QT_HAND_OP(QT_OP_ARCHIVE) | QT_HAND_PURGE_OWN},
    /* which it is stands in a file that the judge reads */
    {&cmd_apply, QT_HAND_OP(QT_OP_HOLD) | QT_HAND_OP(QT_OP_DELETE) |
	QT_HAND_OP(QT_OP_RELEASE) | QT_HAND_OP(QT_OP_REQUEUE) |
	QT_HAND_OP(QT_OP_RESTORE)},
    {&cmd_undo, QT_HAND_UNDO},
    {&cmd_purge, QT_HAND_PURGE},
    {&cmd_recover, QT_HAND_RECOVER},
};

/* ---- what the command line names ---- */

static int note(struct roles *r, const char *path, bool written,
    struct qt_error *err)
{
	struct named *v = reallocarray(r->named, r->n + 1, sizeof(*v));

	if (v == NULL)
		return qt_fail_mem(err);
	v[r->n++] = (struct named){path, written};
	r->named = v;
	return 0;
}

int roles_note(struct ctx *c, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct roles *r = &c->roles;

	if (strcmp(opt->name, "move") == 0)
		r->moves = true;
	if (value == NULL || opt->arg == NULL || strcmp(value, "-") == 0 ||
	    (strcmp(opt->arg, "FILE") != 0 && strcmp(opt->arg, "DIR") != 0))
		return 0;
	return note(r, value, opt->id == OPT_PLAN ||
	    strcmp(opt->name, "output") == 0, err);
}

int roles_note_read(struct ctx *c, const char *path, struct qt_error *err)
{
	return note(&c->roles, path, false, err);
}

/* What lies beside an archive that is checked. */
static int note_beside(struct roles *r, const char *archive,
    struct qt_error *err)
{
	static const char *const suffixes[ROLES_BESIDE] = {".sha256", ".sig",
	    ".tsr", ".tsq"};
	size_t i;

	for (i = 0; i < ROLES_BESIDE; i++)
		if (asprintf(&r->beside[i], "%s%s", archive, suffixes[i]) < 0) {
			r->beside[i] = NULL;
			return qt_fail_mem(err);
		} else if (note(r, r->beside[i], false, err) != 0) {
			return -1;
		}
	return 0;
}

int roles_note_operands(struct ctx *c, int n, char **v, struct qt_error *err)
{
	int i;

	/* most are numbers or SQL: such a file is not there */
	for (i = 0; i < n && !c->cmd->operands_are_ids; i++)
		if (note(&c->roles, v[i], false, err) != 0)
			return -1;
	if (n > 0)
		c->roles.operand = v[0];
	if (n > 0 && (c->cmd == &cmd_verify || c->cmd == &cmd_restore ||
		     c->cmd == &cmd_custody))
		return note_beside(&c->roles, v[0], err);
	return 0;
}

static bool writes(const struct roles *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->named[i].written)
			return true;
	return r->newdir.fd >= 0;
}

/* ---- the hand ---- */

static unsigned hand_may(const struct ctx *c)
{
	size_t i;

	if (c->dry_run || c->explain || c->plan_file != NULL ||
	    c->spools.n != 1 || (c->cmd == &cmd_archive && !c->roles.moves))
		return 0;
	for (i = 0; i < sizeof(hands) / sizeof(hands[0]); i++)
		if (hands[i].cmd == c->cmd)
			return hands[i].may;
	return 0;
}

/* The count that --max and --expect allow: the judge may be deceived. */
static int64_t most(const struct ctx *c)
{
	if (c->expect < 0 || (c->max >= 0 && c->max < c->expect))
		return c->max;
	return c->expect;
}

static int confine_hand(struct ctx *c, struct qt_error *err)
{
	struct qt_confined held;
	struct qt_confine rules;
	int r = qt_confine_init(&rules, QT_ROLE_HAND, err);

	if (r == 0)
		r = qt_confine_allow_system(&rules, err);
	if (r == 0)
		r = qt_hand_allow(&rules, c->spools.v[0], c->state_dir, err);
	if (r == 0)
		r = qt_confine_enter(&rules, &held, err);
	qt_confine_release(&rules);
	return r;
}

/* A terminal, or the pipe that somebody reads to its end, is none of its. */
static void detach(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), i;

	for (i = 0; i <= 2; i++)
		if (fd < 0 || dup2(fd, i) != i)
			(void)close(i);
	if (fd > 2)
		(void)close(fd);
}

static void be_hand(struct ctx *c, int fd, unsigned may)
{
	const struct qt_hand_opts opts = {.may = may, .max = most(c),
	    .state_dir = c->state_dir, .stop = c->stop};
	struct qt_error err = {0};

	(void)prctl(PR_SET_NAME, "qtool-hand", 0, 0, 0);
	signer_forget(&c->roles.signer);
	signer_forget(&c->roles.sign_with);
	qt_showq_free(c->roles.showq); /* the judge's */
	c->roles.showq = NULL;
	stop_when_heard(fd);
	if (confine_hand(c, &err) != 0)
		exit(complain(&err));
	detach();
	exit(qt_hand_serve(fd, c->spools.v[0], &opts, &err) == 0 ? EXIT_DONE :
								  EXIT_FAILED);
}

static int start_hand(struct ctx *c, unsigned may, struct qt_error *err)
{
	struct roles *r = &c->roles;
	int judge, hand;

	if (qt_hand_pair(&judge, &hand, err) != 0)
		return -1;
	/* what is not written yet would be written twice */
	(void)fflush(stdout);
	r->hand_pid = fork();
	if (r->hand_pid == 0) {
		(void)close(judge);
		be_hand(c, hand, may);
	}
	if (r->hand_pid < 0)
		(void)qt_fail_sys(err, "fork", "hand");
	(void)close(hand);
	r->hand.fd = judge;
	return r->hand_pid > 0 ? 0 : -1;
}

struct qt_hand *roles_hand(struct ctx *c)
{
	return c->roles.hand_pid > 0 ? &c->roles.hand : NULL;
}

/* ---- the judge ---- */

/* The owner of all queues in *uid, if there is one and we can become it. */
static bool one_owner(const struct ctx *c, uid_t *uid)
{
	const struct passwd *nobody;
	bool have = false;
	size_t i;

	if (geteuid() != 0)
		return false;
	if (c->spools.n == 0) { /* snapshots, which are open already */
		nobody = getpwnam("nobody");
		*uid = nobody != NULL ? nobody->pw_uid : NOBODYS_GROUP;
		return c->nsnaps != 0 && *uid != 0;
	}
	/* an archive is open already: whoever reads the others will do */
	*uid = c->spools.v[0]->owner_uid;
	for (i = 0; i < c->spools.n; i++)
		if (c->spools.v[i]->packed == NULL) {
			if (have && c->spools.v[i]->owner_uid != *uid)
				return false;
			*uid = c->spools.v[i]->owner_uid;
			have = true;
		}
	return *uid != 0 && *uid != (uid_t)-1;
}

/* Never root's, which is what the queue directories have. */
static gid_t group_of(uid_t uid)
{
	struct passwd pw, *found = NULL;
	char room[4096];

	if (getpwuid_r(uid, &pw, room, sizeof(room), &found) == 0 &&
	    found != NULL && found->pw_gid != 0)
		return found->pw_gid;
	return NOBODYS_GROUP;
}

/*
 * Whether that user gets to dir: SQLite asks access(2), for which no capability
 * counts.  What only a group may pass is taken for closed.
 */
static bool reachable(const char *dir, uid_t uid)
{
	char *path = strdup(dir), *slash;
	bool open = path != NULL;
	struct stat st;

	while (open && (slash = strrchr(path, '/')) != NULL) {
		*slash = '\0';
		if (stat(path[0] != '\0' ? path : "/", &st) != 0 ||
		    (st.st_mode & (st.st_uid == uid ? 0100 : 01)) == 0)
			open = false;
	}
	free(path);
	return open;
}

/* What is temporary goes to a directory of its own, that nobody else reads. */
static char *make_tmp_in(const char *dir, const struct qt_confine *rules)
{
	struct stat st;
	char *path;

	/* who makes it is not who has to be able to remove it */
	if (dir == NULL || dir[0] != '/' || stat(dir, &st) != 0 ||
	    (rules->change_user && !reachable(dir, rules->uid)) ||
	    (rules->change_user && (st.st_mode & 01002) != 01002 &&
		st.st_uid != rules->uid) ||
	    asprintf(&path, "%s/qtool.XXXXXX", dir) < 0)
		return NULL;
	if (mkdtemp(path) == NULL) {
		free(path);
		return NULL;
	}
	if (rules->change_user && chown(path, rules->uid, rules->gid) != 0) {
		(void)rmdir(path);
		free(path);
		return NULL;
	}
	return path;
}

static uint64_t room_in(const char *dir)
{
	struct statvfs v;

	return statvfs(dir, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : 0;
}

/*
 * Where the user says, or where there is more room: in the incident that qtool
 * is for /var is full.  Without one what needs more than memory fails.
 */
static int make_tmp(struct ctx *c, const struct qt_confine *rules,
    struct qt_error *err)
{
	const bool var = room_in("/var/tmp") >= room_in("/tmp");
	const char *dirs[] = {getenv("SQLITE_TMPDIR"), getenv("TMPDIR"),
	    var ? "/var/tmp" : "/tmp", var ? "/tmp" : "/var/tmp"};
	size_t i;

	for (i = 0; i < 4 && c->roles.tmp == NULL; i++)
		c->roles.tmp = make_tmp_in(dirs[i], rules);
	if (c->roles.tmp != NULL &&
	    (setenv("SQLITE_TMPDIR", c->roles.tmp, 1) != 0 ||
		setenv("TMPDIR", c->roles.tmp, 1) != 0))
		return qt_fail_mem(err);
	return 0;
}

static int allow_tmp(struct qt_confine *rules, const char *tmp,
    struct qt_error *err)
{
	char *up;
	int r;

	if (tmp == NULL)
		return 0;
	up = strndup(tmp, (size_t)(strrchr(tmp, '/') - tmp));
	if (up == NULL)
		return qt_fail_mem(err);
	r = qt_confine_allow(rules, AT_FDCWD, tmp, QT_ACCESS_CREATE, err);
	if (r == 0) /* its removal, which only works for our own there */
		r = qt_confine_allow(rules, AT_FDCWD, up, QT_ACCESS_RMDIR, err);
	free(up);
	return r;
}

/* Whether root without capabilities can make a file there. */
static bool roots_own(const char *dir)
{
	struct stat st;

	if (stat(dir, &st) != 0)
		return true;
	return (st.st_uid == 0 && (st.st_mode & 0300) == 0300) ||
	    (st.st_gid == 0 && (st.st_mode & 030) == 030) ||
	    (st.st_mode & 03) == 03;
}

/* A new file, or the directory for one: that directory is written to. */
static int allow_new(struct qt_confine *rules, const char *path,
    struct qt_error *err)
{
	const char *slash = strrchr(path, '/');
	struct stat st;
	char *dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? strdup(path) :
	    slash == NULL ? strdup(".") :
	    slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	int r;

	if (dir == NULL)
		return qt_fail_mem(err);
	if (geteuid() == 0 && !roots_own(dir))
		rules->keep_override = true;
	r = qt_confine_allow(rules, AT_FDCWD, dir, QT_ACCESS_CREATE, err);
	free(dir);
	return r;
}

static int allow_named(struct qt_confine *rules, const struct roles *r,
    struct qt_error *err)
{
	size_t i;
	int bad = 0;

	for (i = 0; i < r->n && bad == 0; i++)
		bad = r->named[i].written ?
		    allow_new(rules, r->named[i].path, err) :
		    qt_confine_allow(rules, AT_FDCWD, r->named[i].path,
			QT_ACCESS_READ, err);
	return bad;
}

/* Beneath it all, and each queue, should it lie elsewhere. */
static int allow_spool(struct qt_confine *rules, const struct ctx *c,
    const struct qt_spool *s, struct qt_error *err)
{
	int q;

	if (s->packed != NULL) /* it is open, and nothing else of it is read */
		return 0;
	if (qt_confine_allow(rules, s->dirfd, NULL, QT_ACCESS_READ, err) != 0)
		return -1;
	for (q = 0; q < QT_Q_COUNT; q++)
		if (s->qfd[q] >= 0 && qt_confine_allow(rules, s->qfd[q], NULL,
			QT_ACCESS_QUEUE, err) != 0)
			return -1;
	return qt_hand_allow_judge(rules, s, c->state_dir, err);
}

static int allow_all(struct qt_confine *rules, const struct ctx *c,
    struct qt_error *err)
{
	size_t i;

	if (qt_confine_allow_system(rules, err) != 0 ||
	    allow_tmp(rules, c->roles.tmp, err) != 0)
		return -1;
	for (i = 0; i < c->spools.n; i++)
		if (allow_spool(rules, c, c->spools.v[i], err) != 0)
			return -1;
	/* by descriptor: whatever has its name by now */
	if (c->roles.newdir.fd >= 0 && qt_confine_allow(rules,
		c->roles.newdir.fd, NULL, QT_ACCESS_CREATE, err) != 0)
		return -1;
	return allow_named(rules, &c->roles, err);
}

/*
 * Without Landlock the capability of reading opens every file of the machine:
 * it is kept only where the command cannot do without.
 */
static bool must_read_all(const struct ctx *c, const struct qt_confine *rules)
{
	size_t i;

	for (i = 0; i < c->spools.n && c->spools.v[i]->packed != NULL; i++)
		;
	if (i == c->spools.n && (i != 0 || c->nsnaps != 0)) /* all is open */
		return false;
	return rules->abi != 0 || !rules->change_user ||
	    c->roles.hand_pid > 0 || c->transaction != 0 ||
	    c->cmd == &cmd_history || c->cmd == &cmd_report ||
	    c->cmd == &cmd_status || c->cmd == &cmd_release ||
	    c->cmd == &cmd_restore;
}

static int become_judge(struct ctx *c, struct qt_error *err)
{
	struct qt_confine rules;
	int r = qt_confine_init(&rules,
	    writes(&c->roles) ? QT_ROLE_WRITER : QT_ROLE_JUDGE, err);

	if (r != 0)
		return -1;
	if (rules.role == QT_ROLE_JUDGE && one_owner(c, &rules.uid)) {
		rules.change_user = true;
		rules.gid = group_of(rules.uid);
	}
	rules.keep_read = must_read_all(c, &rules);
	r = make_tmp(c, &rules, err);
	if (r == 0)
		r = allow_all(&rules, c, err);
	if (r == 0)
		r = qt_confine_enter(&rules, &c->roles.held, err);
	qt_confine_release(&rules);
	return r;
}

int roles_take(struct ctx *c, struct qt_error *err)
{
	const unsigned may = hand_may(c);

	if (c->roles.taken)
		return 0;
	c->roles.taken = true;
	qt_buf_init(&c->roles.postconf, 0);
	signer_init(&c->roles.signer);
	signer_init(&c->roles.sign_with);
	c->roles.newdir = NEWDIR_NONE;
	if (c->cmd == &cmd_report && report_prepare(c, err) != 0)
		return -1;
	if (c->cmd == &cmd_archive && archive_prepare(c, err) != 0)
		return -1;
	if (c->cmd == &cmd_restore &&
	    restore_prepare(c, c->roles.operand, err) != 0)
		return -1;
	if (may != 0) {
		/* the judge could not reach the log later */
		openlog("qtool", LOG_PID | LOG_NDELAY, LOG_MAIL);
		if (start_hand(c, may, err) != 0)
			return -1;
	}
	return become_judge(c, err);
}

void roles_release(struct ctx *c)
{
	struct roles *r = &c->roles;
	size_t i;

	if (r->hand_pid > 0) {
		/* its last work is to take back what is not committed */
		(void)close(r->hand.fd);
		while (waitpid(r->hand_pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (r->taken) {
		signer_release(&r->signer);
		signer_release(&r->sign_with);
		newdir_release(&r->newdir);
	}
	if (r->tmp != NULL)
		(void)rmdir(r->tmp);
	qt_buf_release(&r->postconf);
	qt_showq_free(r->showq);
	free(r->tmp);
	for (i = 0; i < ROLES_BESIDE; i++)
		free(r->beside[i]);
	free(r->named);
}

/*
 * custody.c - qtool custody: who had an archive and what was done with it, and
 * what is to be added to that.
 *
 * The archive is verified as a whole before anything is said or added.  The
 * process that reads it writes nothing: that does the custodian (custodian.h).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qtool/escape.h"
#include "qtool/verify.h"

#include "cmd.h"
#include "custodian.h"
#include "sigcheck.h"

enum { OPT_ADD = OPT_OWN, OPT_WHAT, OPT_ATTACH, OPT_TSA };

#define SHOWN 10 /* problems; qtool verify tells all */
#define TEXT_MAX ((size_t)8 << 10) /* bytes of --what and --note */

struct own {
	const char *add, *what, *attach;
	struct signers signers;
	const char *tsa;
	struct ctx *c;
	const char *file;
	struct sigcheck checker;
	struct custodian custodian;
	int events_fd; /* FILE.custody.jsonl; -1 */
	struct qt_buf answer;	   /* --attach's bytes */
	struct qt_buf authorities; /* --tsa's */
	struct qt_buf events;	   /* as text, or as JSON, comma-separated */
	uint64_t told;		   /* problems */
};

/* What a user may add. */
static const char *const words[] = {"verified", "received", "transferred",
    "exported", "restored", "noted", "destroyed", NULL};

static int take_word(struct own *own, const char *value, struct qt_error *err)
{
	size_t i;

	for (i = 0; words[i] != NULL && strcmp(words[i], value) != 0; i++)
		;
	if (words[i] == NULL)
		return qt_fail(err, QT_E_USAGE, "", "verified, received, "
		    "transferred, exported, restored, noted or destroyed");
	own->add = words[i];
	return 0;
}

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_ADD:
		return take_word(own, value, err);
	case OPT_WHAT:
		if (*value == '\0' || strlen(value) > TEXT_MAX)
			return qt_fail(err, QT_E_USAGE, "", "%s",
			    *value == '\0' ? "nothing is in it" : "too long");
		own->what = value;
		return 0;
	case OPT_ATTACH:
		own->attach = value;
		return 0;
	case OPT_TSA:
		own->tsa = value;
		return 0;
	default:
		return signers_option(&own->signers, opt, value);
	}
}

static bool json(const struct ctx *c)
{
	return c->format == QT_FMT_JSON;
}

/* ---- what is found ---- */

static void on_problem(void *ctx, const struct qt_problem *p)
{
	struct own *own = ctx;

	progress_end(own->c);
	if (own->told++ < SHOWN)
		remark("%s: %s: %s %s", own->file, qt_flaw_name(p->flaw),
		    p->path, p->text);
}

static int on_signature(void *ctx, const struct qt_signed *s, char why[256],
    struct qt_error *err)
{
	struct own *own = ctx;
	struct qt_error e = {0};
	int r;

	if (s->signature == NULL)
		return 2;
	r = sigcheck_check(&own->checker, s, why, &e);
	if (r >= 0 || own->signers.allowed != NULL) {
		if (r < 0)
			*err = e;
		return r;
	}
	remark("%s: %s could not be checked: %s", own->file, s->name, e.text);
	return 2;
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
	progress(ctx, "bytes read", done, total);
}

/* ---- events ---- */

static void put_member(struct qt_buf *b, const char *key, const char *value)
{
	qt_buf_addf(b, ", \"%s\": ", key);
	qt_json_string(b, value != NULL && value[0] != '\0' ? value : NULL);
}

static void put_json(struct qt_buf *b, const struct qt_custody_event *e)
{
	qt_buf_addf(b, "%s{\"seq\": %" PRIu64, b->len != 0 ? ", " : "", e->seq);
	put_member(b, "time", e->time);
	put_member(b, "actor", e->actor);
	put_member(b, "host", e->host);
	put_member(b, "event", e->event);
	put_member(b, "what", e->what);
	put_member(b, "why", e->why);
	put_member(b, "sha256", e->sha256);
	qt_buf_addf(b, ", \"in_archive\": %s}", e->beside ? "false" : "true");
}

/* A word of a stranger's, safe for the terminal. */
static void put_shown(struct qt_buf *b, const char *before, const char *text)
{
	if (text[0] == '\0')
		return;
	qt_buf_adds(b, before);
	qt_escape_term(b, text, strlen(text));
}

static void put_text(struct qt_buf *b, const struct qt_custody_event *e)
{
	qt_buf_addf(b, "%3" PRIu64, e->seq);
	put_shown(b, "  ", e->time);
	put_shown(b, "  ", e->event);
	put_shown(b, "  ", e->actor);
	put_shown(b, " on ", e->host);
	put_shown(b, "\n     ", e->what);
	put_shown(b, "\n     why: ", e->why);
	put_shown(b, "\n     sha256 ", e->sha256);
	qt_buf_addc(b, '\n');
}

static void on_event(void *ctx, const struct qt_custody_event *e)
{
	struct own *own = ctx;

	(json(own->c) ? put_json : put_text)(&own->events, e);
}

/* ---- adding ---- */

/* What verifying came to, for those who read the list. */
static void outcome(struct qt_buf *b, const struct qt_verify_result *r)
{
	char count[32], logs[32];

	if (r->problems != 0)
		qt_buf_addf(b, "not good: %s problem%s",
		    human_count(r->problems, count),
		    r->problems == 1 ? "" : "s");
	else
		qt_buf_addf(b, "good: %s messages and %s logs",
		    human_count(r->messages, count), human_count(r->logs, logs));
	if (r->problems == 0 && r->good_signatures != 0)
		qt_buf_adds(b, ", signed");
}

/* It is listed with the others. */
static void show_added(struct own *own, const struct qt_buf *line)
{
	char *room = malloc(line->len + QT_CUSTODY_ROOM);
	struct qt_custody_event e;

	if (room != NULL &&
	    qt_custody_read(&e, room, line->data, line->len)) {
		e.beside = true;
		on_event(own, &e);
	}
	free(room);
}

/* The chain is one event longer then: *r says so. */
static int add_event(struct own *own, struct qt_verify_result *r,
    const struct qt_custody_event *e, bool *written, struct qt_error *err)
{
	struct qt_buf line;
	int bad;

	qt_buf_init(&line, 0);
	bad = custodian_add(&own->custodian, r, e, &line, err);
	*written = bad == 0;
	if (bad == 0)
		bad = qt_custody_went_on(r, line.data, line.len, err);
	if (bad == 0)
		show_added(own, &line);
	qt_buf_release(&line);
	return bad;
}

static int tell_attached(struct own *own, struct qt_verify_result *r,
    const char *sum, bool *written, struct qt_error *err)
{
	char what[400];

	(void)snprintf(what, sizeof(what), "%s, serial %s%s%s", r->stamp.time,
	    r->stamp.serial, r->stamp.authority[0] != '\0' ? ", " : "",
	    r->stamp.authority);
	return add_event(own, r, &(struct qt_custody_event){
	    .event = "timestamped", .what = what, .why = own->c->reason,
	    .sha256 = sum}, written, err);
}

/* The answer and its event, or neither. */
static int attach(struct own *own, struct qt_verify_result *r,
    struct qt_error *err)
{
	bool written = false;
	struct qt_error why;
	char sum[65];

	if (!r->stamped)
		return qt_fail(err, QT_E_REFUSED, own->attach,
		    "is not kept: it is no time stamp of this archive");
	if (qt_custody_sum(own->answer.data, own->answer.len, sum, err) != 0 ||
	    custodian_attach(&own->custodian, own->answer.data,
		own->answer.len, err) != 0)
		return -1;
	if (tell_attached(own, r, sum, &written, err) == 0)
		return 0;
	/* an event that is there is about what is there */
	if (!written && custodian_detach(&own->custodian, &why) != 0)
		remark("%s: %s: it stays, without an event about it", why.where,
		    why.text);
	return -1;
}

static int add_own(struct own *own, struct qt_verify_result *r,
    struct qt_error *err)
{
	struct qt_buf what;
	bool written;
	int bad;

	qt_buf_init(&what, 0);
	if (own->what != NULL)
		qt_buf_adds(&what, own->what);
	else
		outcome(&what, r);
	bad = qt_buf_check(&what, err);
	if (bad == 0)
		bad = add_event(own, r, &(struct qt_custody_event){
		    .event = own->add, .what = what.data,
		    .why = own->c->reason, .sha256 = r->sha256}, &written, err);
	qt_buf_release(&what);
	return bad;
}

/* ---- the command ---- */

static int verify(struct own *own, struct qt_verify_result *r,
    struct qt_error *err)
{
	struct qt_verify_opts opts = {.report = on_problem, .report_ctx = own,
	    .max_reports = UINT64_MAX,
	    .signature = on_signature, .signature_ctx = own,
	    .authorities = own->tsa != NULL ? own->authorities.data : NULL,
	    .authorities_len = own->authorities.len,
	    .answer = own->attach != NULL ? &own->answer : NULL,
	    .event = on_event, .event_ctx = own,
	    .events_fd = &own->events_fd,
	    .tmp_dir = getenv("TMPDIR"), .stop = own->c->stop,
	    .progress = on_progress, .progress_ctx = own->c};

	if (qt_verify_archive(r, own->file, &opts, err) != 0)
		return -1;
	progress_end(own->c);
	if (own->signers.allowed != NULL && r->whole && r->signatures == 0) {
		r->problems++;
		on_problem(own, &(struct qt_problem){QT_FLAW_SIGNATURE, "", -1,
		    "it is not signed", NULL, NULL});
	}
	if (own->tsa != NULL && r->whole && !r->have_stamp) {
		r->problems++;
		on_problem(own, &(struct qt_problem){QT_FLAW_TIMESTAMP, "", -1,
		    "it has no time stamp", NULL, NULL});
	}
	return qt_buf_check(&own->events, err);
}

static int check(const struct own *own, struct qt_error *err)
{
	if (signers_check(&own->signers, err) != 0)
		return -1;
	if (own->add == NULL && own->what != NULL)
		return qt_fail(err, QT_E_USAGE, "--what",
		    "of which event? --add EVENT is missing");
	if (own->add == NULL && own->attach == NULL && own->c->reason != NULL)
		return qt_fail(err, QT_E_USAGE, "--note",
		    "of which event? --add EVENT is missing");
	if (own->add != NULL && own->what == NULL &&
	    strcmp(own->add, "verified") != 0)
		return qt_fail(err, QT_E_USAGE, "--add",
		    "what happened? --what TEXT is missing: to whom, from whom, "
		    "what for");
	if (own->c->reason != NULL && strlen(own->c->reason) > TEXT_MAX)
		return qt_fail(err, QT_E_USAGE, "--note", "too long");
	return 0;
}

/* Who runs programs, and who writes, is started before the roles are taken. */
static int prepare(struct own *own, struct qt_error *err)
{
	if (check(own, err) != 0)
		return -1;
	if (own->attach != NULL &&
	    read_named(&own->answer, own->attach, err) != 0)
		return -1;
	if (own->tsa != NULL &&
	    read_named(&own->authorities, own->tsa, err) != 0)
		return -1;
	if (qt_custody_open(own->file, &own->events_fd, err) != 0)
		return -1;
	if (sigcheck_start(&own->checker, &own->signers, err) != 0)
		return -1;
	if ((own->add != NULL || own->attach != NULL) &&
	    custodian_start(&own->custodian, own->file, err) != 0)
		return -1;
	return roles_take(own->c, err);
}

static int work(struct own *own, struct qt_verify_result *r,
    struct qt_error *err)
{
	if (prepare(own, err) != 0 || verify(own, r, err) != 0)
		return -1;
	if (own->attach != NULL && attach(own, r, err) != 0)
		return -1;
	return own->add != NULL ? add_own(own, r, err) : 0;
}

/* ---- the answer ---- */

static void print_good(const struct own *own, const struct qt_verify_result *r)
{
	struct qt_buf shown;

	qt_buf_init(&shown, 0);
	qt_escape_term(&shown, own->file, strlen(own->file));
	(void)printf("%s: good, and the chain of %" PRIu64 " events is whole\n",
	    qt_buf_str(&shown), r->events);
	qt_buf_release(&shown);
}

static void print_text(const struct own *own, const struct qt_verify_result *r)
{
	char count[32];

	(void)fputs(qt_buf_str(&own->events), stdout);
	if (own->told > SHOWN)
		remark("%" PRIu64 " more problems are not listed: qtool verify "
		       "tells all", own->told - SHOWN);
	if (r->problems != 0)
		remark("%s: %s problem%s found", own->file,
		    human_count(r->problems, count),
		    r->problems == 1 ? "" : "s");
	else if (r->whole && !r->have_custody)
		remark("%s: it has no chain of custody", own->file);
	else if (r->whole)
		print_good(own, r);
}

static int print_json(const struct own *own, const struct qt_verify_result *r,
    const struct qt_error *err, int status)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_buf_adds(&b, "{\"command\": \"custody\"");
	put_member(&b, "file", own->file);
	qt_buf_addf(&b, ", \"good\": %s", r->sha256[0] == '\0' ? "null" :
		r->problems == 0 ? "true" : "false");
	put_member(&b, "sha256", r->sha256);
	qt_buf_addf(&b, ", \"events\": [%s], \"problem_count\": %" PRIu64,
	    qt_buf_str(&own->events), r->problems);
	put_member(&b, "error", err->code == QT_OK ? NULL : err->text);
	qt_buf_addf(&b, ", \"exit_status\": %d}\n", status);
	if (b.failed || own->events.failed) {
		remark("out of memory for the answer");
		status = EXIT_FAILED;
	} else {
		(void)fwrite(b.data, 1, b.len, stdout);
	}
	qt_buf_release(&b);
	return status;
}

static int exit_of(const struct qt_error *err, const struct qt_verify_result *r)
{
	if (err->code == QT_E_USAGE)
		return EXIT_USAGE;
	if (err->code == QT_E_REFUSED)
		return EXIT_REFUSED;
	if (err->code != QT_OK)
		return EXIT_FAILED;
	return r->problems != 0 ? EXIT_NOTHING : EXIT_DONE;
}

static void init(struct own *own, struct ctx *c, const char *file)
{
	own->c = c;
	own->file = file;
	own->checker.fd = own->events_fd = -1;
	own->custodian.errand = ERRAND_NONE;
	qt_buf_init(&own->answer, QT_TIMESTAMP_MAX);
	qt_buf_init(&own->authorities, QT_TSA_MAX);
	qt_buf_init(&own->events, 0);
}

static void release(struct own *own)
{
	sigcheck_stop(&own->checker);
	custodian_release(&own->custodian);
	if (own->events_fd >= 0)
		(void)close(own->events_fd);
	qt_buf_release(&own->answer);
	qt_buf_release(&own->authorities);
	qt_buf_release(&own->events);
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct qt_verify_result r = {.problems = 0};
	struct qt_error err = {0};
	struct own *own = own_options(c, sizeof(*own), &err);
	int status;

	(void)argc;
	if (own == NULL)
		return complain(&err);
	init(own, c, argv[0]);
	(void)!work(own, &r, &err);
	progress_end(c);
	status = exit_of(&err, &r);
	if (!json(c))
		print_text(own, &r);
	if (err.code != QT_OK)
		(void)complain(&err);
	if (json(c))
		status = print_json(own, &r, &err, status);
	release(own);
	return status;
}

static const struct qt_option own_table[] = {
    {"add", 0, "EVENT", OPT_ADD, "an event: verified, received, transferred, "
				 "exported, restored, noted or destroyed"},
    {"what", 0, "TEXT", OPT_WHAT, "with --add: to whom, from whom, what for"},
    {"note", 0, "TEXT", OPT_REASON, "why, kept with the event"},
    {"attach", 0, "FILE", OPT_ATTACH,
	"a time-stamping authority's answer, kept as FILE.tsr"},
    {"tsa", 0, "FILE", OPT_TSA,
	"certificates (PEM) of the authorities whose stamps count"},
    {"allowed-signers", 0, "FILE", OPT_ALLOWED,
	"whose signatures count, as ssh-keygen(1) reads it"},
    {"identity", 0, "NAME", OPT_IDENTITY, "of these the one who has to have signed"},
    {"json", 0, NULL, OPT_JSON, "events and outcome as one JSON object"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Custody", own_table},
    {"Output", plain_options},
};

const struct cmd cmd_custody = {
    .name = "custody",
    .summary = "who had an archive, and what was done with it",
    .operands = "FILE",
    .about =
	"Verifies an archive and lists its chain of custody: the events of its\n"
	"making, which are in it, and those that were added since, which are in\n"
	"FILE.custody.jsonl beside it.  Each line there has the SHA-256 of the\n"
	"line before it, so that none can be altered or taken out unseen; the\n"
	"archive itself is never written to again.  restore adds its event by\n"
	"itself; --add adds what else is done with it.",
    .examples =
	"  qtool custody joe.tar.zst\n"
	"  qtool custody --add verified joe.tar.zst\n"
	"  qtool custody --add transferred --what 'USB stick, to K. Weber, police' joe.tar.zst\n"
	"  qtool custody --attach answer.tsr --tsa tsa.pem joe.tar.zst",
    .groups = groups,
    .ngroups = 2,
    .min_operands = 1,
    .max_operands = 1,
    .option = option,
    .run = run,
};

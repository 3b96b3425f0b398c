/*
 * verify.c - qtool verify: whether an archive is what was made, and if not,
 * what is wrong with it and where.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qtool/custody.h"
#include "qtool/escape.h"
#include "qtool/verify.h"

#include "cmd.h"
#include "sigcheck.h"

enum { OPT_TSA = OPT_OWN };

#define SIGNERS_MAX 9

struct own {
	struct signers signers;
	const char *tsa;
	struct qt_buf authorities; /* --tsa's certificates */
	struct ctx *c;
	const char *file;
	struct sigcheck checker;
	int events_fd; /* FILE.custody.jsonl; -1 */
	struct qt_buf problems; /* JSON, comma-separated */
	uint64_t told;
	struct {
		char name[96], told[256];
		int good; /* 1 yes, 0 no, -1 not checked */
	} signature[SIGNERS_MAX];
	unsigned nsignatures;
};

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
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

/* ---- problems ---- */

static void put_member(struct qt_buf *b, const char *key, const char *value)
{
	qt_buf_addf(b, ", \"%s\": ", key);
	qt_json_string(b, value);
}

static void keep_problem(struct own *own, const struct qt_problem *p)
{
	struct qt_buf *b = &own->problems;

	qt_buf_addf(b, "%s{\"kind\": \"%s\"", b->len != 0 ? ", " : "",
	    qt_flaw_name(p->flaw));
	put_member(b, "path", p->path);
	if (p->offset >= 0)
		qt_buf_addf(b, ", \"offset\": %" PRId64, p->offset);
	else
		qt_buf_adds(b, ", \"offset\": null");
	put_member(b, "expected", p->expected);
	put_member(b, "found", p->found);
	put_member(b, "text", p->text);
	qt_buf_addc(b, '}');
}

static void print_problem(const struct qt_problem *p)
{
	struct qt_buf line, shown;

	qt_buf_init(&line, 0);
	qt_buf_init(&shown, 0);
	qt_buf_addf(&line, "%s: %s%s%s", qt_flaw_name(p->flaw), p->path,
	    p->path[0] != '\0' ? " " : "", p->text);
	if (p->expected != NULL)
		qt_buf_addf(&line, "; expected %s", p->expected);
	if (p->found != NULL)
		qt_buf_addf(&line, "; found %s", p->found);
	qt_escape_term(&shown, qt_buf_str(&line), line.len);
	(void)printf("%s\n", qt_buf_str(&shown));
	qt_buf_release(&line);
	qt_buf_release(&shown);
}

static void on_problem(void *ctx, const struct qt_problem *p)
{
	struct own *own = ctx;

	progress_end(own->c);
	own->told++;
	if (json(own->c))
		keep_problem(own, p);
	else
		print_problem(p);
}

/* ---- signatures ---- */

static int on_signature(void *ctx, const struct qt_signed *s, char why[256],
    struct qt_error *err)
{
	struct own *own = ctx;
	struct qt_error e = {0};
	unsigned i = own->nsignatures;
	int r = s->signature == NULL ?
	    qt_fail(&e, QT_E_LIBRARY, s->name, "by another program than "
		"ssh-keygen, to be checked with that") :
	    sigcheck_check(&own->checker, s, why, &e);

	if (i < SIGNERS_MAX) {
		own->nsignatures++;
		(void)strlcpy(own->signature[i].name, s->name,
		    sizeof(own->signature[i].name));
		(void)strlcpy(own->signature[i].told, r < 0 ? e.text : why,
		    sizeof(own->signature[i].told));
		own->signature[i].good = r < 0 ? -1 : r == 0;
	}
	if (r >= 0)
		return r;
	/* who names the signers wants to know */
	if (own->signers.allowed != NULL && s->signature != NULL) {
		*err = e;
		return -1;
	}
	return 2;
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
	progress(ctx, "bytes read", done, total);
}

/* ---- the outcome ---- */

static void print_signatures(const struct own *own)
{
	unsigned i;

	for (i = 0; i < own->nsignatures; i++) {
		if (own->signature[i].good == 1)
			remark("%s: %s", own->signature[i].name,
			    own->signature[i].told);
		else if (own->signature[i].good < 0)
			remark("%s: could not be checked: %s",
			    own->signature[i].name, own->signature[i].told);
	}
	if (own->nsignatures != 0 && own->signers.allowed == NULL)
		remark("whose keys these are is not known: --allowed-signers "
		       "says whose are to be believed");
}

static void print_stamp(const struct own *own, const struct qt_timestamp *t)
{
	remark("%s.tsr: stamped at %s%s%s%s", own->file, t->time,
	    t->authority[0] != '\0' ? " by " : "", t->authority,
	    t->believed ? "" : "; whose stamp it is was not checked: --tsa names "
			       "authorities");
}

static void print_good(const struct own *own, const struct qt_verify_result *r)
{
	char size[16], count[32], logs[32];
	struct qt_buf shown;

	qt_buf_init(&shown, 0);
	qt_escape_term(&shown, own->file, strlen(own->file));
	(void)printf("%s: good: %s messages and %s logs, %s\nsha256 %s\n",
	    qt_buf_str(&shown), human_count(r->messages, count),
	    human_count(r->logs, logs),
	    human_bytes((int64_t)r->bytes, size), r->sha256);
	qt_buf_release(&shown);
}

static void print_outcome(struct own *own, const struct qt_verify_result *r)
{
	char count[32], logs[32];

	if (r->problems == 0)
		print_good(own, r);
	if (r->problems > own->told)
		remark("%" PRIu64 " more problems are not listed",
		    r->problems - own->told);
	if (r->problems != 0)
		remark("%s: %s problem%s found", own->file,
		    human_count(r->problems, count),
		    r->problems == 1 ? "" : "s");
	if (!r->whole && r->members != 0)
		remark("%s messages and %s logs in it could be read; --salvage "
		       "reads what is intact", human_count(r->messages, count),
		    human_count(r->logs, logs));
	if (!own->c->quiet) {
		print_signatures(own);
		if (r->stamped)
			print_stamp(own, &r->stamp);
		if (!r->have_sum)
			remark("there is no %s.sha256 beside it: its sums speak "
			       "for the files in it, not for its compression",
			    own->file);
	}
}

static void put_signatures(struct qt_buf *b, const struct own *own)
{
	unsigned i;

	qt_buf_adds(b, ", \"signatures\": [");
	for (i = 0; i < own->nsignatures; i++) {
		qt_buf_addf(b, "%s{\"name\": ", i != 0 ? ", " : "");
		qt_json_string(b, own->signature[i].name);
		qt_buf_addf(b, ", \"good\": %s", own->signature[i].good < 0 ?
			"null" : own->signature[i].good != 0 ? "true" : "false");
		put_member(b, "told", own->signature[i].told);
		qt_buf_addc(b, '}');
	}
	qt_buf_addc(b, ']');
}

static void put_stamp(struct qt_buf *b, const struct qt_verify_result *r)
{
	if (!r->stamped) {
		qt_buf_adds(b, ", \"timestamp\": null");
		return;
	}
	qt_buf_adds(b, ", \"timestamp\": {\"time\": ");
	qt_json_string(b, r->stamp.time);
	put_member(b, "serial", r->stamp.serial);
	put_member(b, "authority", r->stamp.authority[0] != '\0' ?
	    r->stamp.authority : NULL);
	qt_buf_addf(b, ", \"believed\": %s}",
	    r->stamp.believed ? "true" : "null");
}

static void put_counts(struct qt_buf *b, const struct qt_verify_result *r)
{
	qt_buf_addf(b, ", \"members\": %" PRIu64 ", \"messages\": %" PRIu64
	    ", \"logs\": %" PRIu64 ", \"payload_files\": %" PRIu64
	    ", \"payload_bytes\": %" PRIu64 ", \"events\": %" PRIu64,
	    r->members, r->messages, r->logs, r->files, r->bytes, r->events);
}

static int print_json(const struct own *own, const struct qt_verify_result *r,
    const struct qt_error *err, int status)
{
	const bool read = err->code == QT_OK;
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_buf_adds(&b, "{\"command\": \"verify\"");
	put_member(&b, "file", own->file);
	qt_buf_addf(&b, ", \"good\": %s", !read ? "null" :
		r->problems == 0 ? "true" : "false");
	put_member(&b, "base", r->base[0] != '\0' ? r->base : NULL);
	put_member(&b, "sha256", r->sha256[0] != '\0' ? r->sha256 : NULL);
	qt_buf_addf(&b, ", \"sum_file\": %s, \"whole\": %s",
	    r->have_sum ? "true" : "false", r->whole ? "true" : "false");
	put_member(&b, "redaction", r->redaction[0] != '\0' ? r->redaction :
							      NULL);
	put_counts(&b, r);
	put_signatures(&b, own);
	put_stamp(&b, r);
	qt_buf_addf(&b, ", \"problem_count\": %" PRIu64 ", \"problems\": [%s]",
	    r->problems, qt_buf_str(&own->problems));
	put_member(&b, "error", read ? NULL : err->text);
	qt_buf_addf(&b, ", \"exit_status\": %d}\n", status);
	if (b.failed || own->problems.failed) {
		remark("out of memory for the answer");
		status = EXIT_FAILED;
	} else {
		(void)fwrite(b.data, 1, b.len, stdout);
	}
	qt_buf_release(&b);
	return status;
}

/* ---- the command ---- */

static int verify(struct own *own, struct qt_verify_result *r,
    struct qt_error *err)
{
	struct qt_verify_opts opts = {.report = on_problem, .report_ctx = own,
	    .signature = on_signature, .signature_ctx = own,
	    .authorities = own->tsa != NULL ? own->authorities.data : NULL,
	    .authorities_len = own->authorities.len,
	    .events_fd = &own->events_fd,
	    .tmp_dir = getenv("TMPDIR"), .stop = own->c->stop,
	    .progress = on_progress, .progress_ctx = own->c};

	*r = (struct qt_verify_result){.problems = 0};
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
	return 0;
}

/* Who runs programs is started before the roles are taken. */
static int prepare(struct own *own, struct qt_error *err)
{
	if (signers_check(&own->signers, err) != 0)
		return -1;
	if (own->tsa != NULL &&
	    read_named(&own->authorities, own->tsa, err) != 0)
		return -1;
	if (qt_custody_open(own->file, &own->events_fd, err) != 0)
		return -1;
	if (sigcheck_start(&own->checker, &own->signers, err) != 0)
		return -1;
	return roles_take(own->c, err);
}

static int exit_of(const struct qt_error *err, const struct qt_verify_result *r)
{
	if (err->code == QT_E_USAGE)
		return EXIT_USAGE;
	if (err->code != QT_OK)
		return EXIT_FAILED;
	return r->problems != 0 ? EXIT_NOTHING : EXIT_DONE;
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
	own->c = c;
	own->file = argv[0];
	own->checker.fd = own->events_fd = -1;
	qt_buf_init(&own->problems, 0);
	qt_buf_init(&own->authorities, QT_TSA_MAX);
	if (prepare(own, &err) == 0)
		(void)!verify(own, &r, &err);
	progress_end(c);
	status = exit_of(&err, &r);
	if (err.code != QT_OK)
		(void)complain(&err);
	else if (!json(c))
		print_outcome(own, &r);
	if (json(c))
		status = print_json(own, &r, &err, status);
	sigcheck_stop(&own->checker);
	if (own->events_fd >= 0)
		(void)close(own->events_fd);
	qt_buf_release(&own->problems);
	qt_buf_release(&own->authorities);
	return status;
}

static const struct qt_option own_table[] = {
    {"allowed-signers", 0, "FILE", OPT_ALLOWED,
	"whose signatures count, as ssh-keygen(1) reads it"},
    {"identity", 0, "NAME", OPT_IDENTITY, "of these the one who has to have signed"},
    {"tsa", 0, "FILE", OPT_TSA,
	"certificates (PEM) of the authorities whose time stamps count"},
    {"json", 0, NULL, OPT_JSON, "what was found as one JSON object"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Verify", own_table},
    {"Output", plain_options},
};

const struct cmd cmd_verify = {
    .name = "verify",
    .summary = "check an archive: every sum, count, table and signature",
    .operands = "FILE",
    .about =
	"Reads an archive to its end and says everything that is wrong with it:\n"
	"files altered, missing or added, out of order or of another kind; counts\n"
	"and tables that do not say what the files say; a queue file that does\n"
	"not parse to its row; a broken chain of custody; bytes of the tar that\n"
	"belong to no file; FILE.sha256, and signatures in it and beside it; a\n"
	"time stamp (FILE.tsr), and events added beside it (FILE.custody.jsonl).\n"
	"Nothing is unpacked.  README.txt in the archive tells how to check it\n"
	"without qtool.",
    .examples =
	"  qtool verify joe.tar.zst\n"
	"  qtool verify --allowed-signers signers joe.tar.zst\n"
	"  qtool verify --json joe.tar.zst | jq -r '.problems[].path'",
    .groups = groups,
    .ngroups = 2,
    .min_operands = 1,
    .max_operands = 1,
    .option = option,
    .run = run,
};

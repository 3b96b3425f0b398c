/*
 * archive_open.c - an archive begun with what the command line says.
 */
#include "archiving.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "qtool/escape.h"

/*
 * No archive was made.  An interruption and a reader that went away are
 * failures here: half an archive is none.
 */
int archive_give_up(const struct qt_error *err)
{
	if (err->code == QT_E_INTERRUPTED || err->sys == EPIPE) {
		remark("no archive was made: %s",
		    err->sys == EPIPE ? "the reader of standard output is gone" :
					"interrupted");
		return EXIT_FAILED;
	}
	return complain(err);
}

/* The selection as it was understood: SQL, and the values in it. */
static int selection(const struct ctx *c, struct qt_buf *out,
    struct qt_error *err)
{
	const struct qt_bind *binds;
	const char *where;
	size_t n, i;

	if (qt_select_sql(c->sel, &where, &binds, &n, err) != 0)
		return -1;
	qt_buf_adds(out, where);
	for (i = 0; i < n; i++) {
		qt_buf_addf(out, "%s?%zu = ", i == 0 ? "; " : ", ", i + 1);
		if (binds[i].type == QT_BIND_INT)
			qt_buf_addf(out, "%" PRId64, binds[i].i);
		else /* a list of IDs may be long, and is what is archived */
			qt_buf_addf(out, "\"%.200s\"", binds[i].text);
	}
	return qt_buf_check(out, err);
}

/* -o DIR: a name of its own in there. */
static int name_in(struct archiving *own, struct qt_archive_opts *opts,
    struct qt_error *err)
{
	struct qt_buf name;
	struct stat st;
	size_t len = strlen(own->file);
	int r;

	if (own->named != NULL || strcmp(own->file, "-") == 0 ||
	    stat(own->file, &st) != 0 || !S_ISDIR(st.st_mode))
		return 0;
	opts->begun = (int64_t)time(NULL); /* the same second in both names */
	qt_buf_init(&name, 0);
	qt_buf_addf(&name, "%s%s", own->file,
	    own->file[len - 1] == '/' ? "" : "/");
	r = qt_archive_name(&name, opts, err);
	if (r == 0) {
		own->named = strdup(name.data);
		r = own->named != NULL ? 0 : qt_fail_mem(err);
	}
	if (r == 0)
		own->file = own->named;
	qt_buf_release(&name);
	return r;
}

static int open_it(struct ctx *c, struct archiving *own, const char *command,
    const char *chosen, struct qt_archive **a, struct qt_error *err)
{
	const struct qt_spool *spool = c->spools.v[0];
	struct roles *r = &c->roles;
	struct qt_archive_opts opts = {.host = spool->host,
	    .queue_dir = spool->queue_dir, .case_id = own->case_id,
	    .title = own->title, .organization = own->organization,
	    .contact = own->contact, .keep_until = own->keep_until,
	    .command = command, .selection = chosen, .reason = c->reason,
	    .spool = spool, .postconf = r->postconf.data,
	    .showq = r->showq,
	    .program_sha256 = r->program, .eml = own->eml,
	    .redact = own->redact, .redact_key = own->redact_key,
	    .logs = own->logs, .nlogs = own->nlogs,
	    .sign = own->sign != NULL ? signer_sign : NULL,
	    .sign_ctx = &r->signer,
	    .signer = own->sign != NULL ? qt_buf_str(&r->signer.pub) : NULL,
	    .sign_with = own->sign_with != NULL ? signer_sign : NULL,
	    .sign_with_ctx = &r->sign_with,
	    .sign_program = own->sign_with != NULL ? own->sign_program : NULL,
	    .timestamp = own->timestamp, .no_index = own->no_index,
	    .sha512 = own->sha512,
	    .stop = c->stop};

	return name_in(own, &opts, err) != 0 ? -1 :
	    qt_archive_open(a, own->file, &opts, err);
}

int archive_open(struct ctx *c, struct archiving *own, struct qt_archive **a,
    struct qt_error *err)
{
	struct qt_buf command, chosen;
	int r;

	qt_buf_init(&command, 0);
	qt_buf_init(&chosen, 0);
	command_line(c, &command);
	r = qt_buf_check(&command, err);
	if (r == 0)
		r = selection(c, &chosen, err);
	if (r == 0)
		r = open_it(c, own, command.data, chosen.data, a, err);
	qt_buf_release(&command);
	qt_buf_release(&chosen);
	return r;
}

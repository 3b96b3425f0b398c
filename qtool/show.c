/*
 * show.c - qtool show: one message, for reading (show_text.c), as its records,
 * as the mail it is (--eml), or as an object.
 *
 * The file is read once more through qt_row_open(), which gives exactly the
 * inode that was found, so that what is shown is that message and no other.
 */
#include "show.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_RECORDS = OPT_OWN, OPT_CONTENT, OPT_EML, OPT_LINES };

#define LINES_DEFAULT 40

struct own {
	bool records, content, eml;
	bool lines_set;
	int64_t lines; /* of text; 0: all */
};

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_RECORDS:
		own->records = true;
		return 0;
	case OPT_CONTENT:
		own->content = true;
		return 0;
	case OPT_EML:
		own->eml = true;
		return 0;
	case OPT_LINES:
		own->lines_set = true;
		return qt_parse_count(value, 0, INT64_MAX, &own->lines, err);
	default:
		return 1;
	}
}

/* ---- the file ---- */

int message_open(struct message_file *m, const struct qt_row *row,
    struct qt_error *err)
{
	*m = (struct message_file){.fd = -1};
	if (qt_row_open(row, &m->fd, err) != 0)
		return -1;
	return qt_file_input_init(&m->f, m->fd, (uint64_t)row->file_size, err);
}

void message_close(struct message_file *m)
{
	qt_file_input_release(&m->f);
	if (m->fd >= 0)
		(void)close(m->fd);
}

/* Offset after the M record by reading up to it (maildrop has no C record). */
static int find_content(struct message_file *m, uint64_t *start,
    struct qt_error *err)
{
	struct qt_record rec;
	struct qt_walk w;
	int r;

	qt_walk_init(&w, &m->f.in, false, 0);
	while ((r = qt_walk_next(&w, &rec, err)) == 0)
		if (rec.type == QT_REC_MESG) {
			*start = rec.payload + rec.length;
			return 0;
		}
	return r < 0 ? -1
		     : qt_fail(err, QT_E_CORRUPT, "", "there is no content");
}

int message_content(struct message_file *m, const struct qt_row *row,
    struct qt_content *content, struct qt_error *err)
{
	uint64_t start = 0;

	if (row->queue != QT_Q_MAILDROP && row->msg.have_size &&
	    row->msg.size[1] > 0)
		start = (uint64_t)row->msg.size[1];
	else if (find_content(m, &start, err) != 0)
		return -1;
	qt_content_init(content, &m->f.in, start);
	return 0;
}

/* ---- --eml ---- */

static int copy_content(struct message_file *m, const struct qt_row *row,
    struct qt_error *err)
{
	struct qt_content content;
	struct qt_piece piece;
	bool open_line = false;
	int r;

	if (message_content(m, row, &content, err) != 0)
		return -1;
	while ((r = qt_content_next(&content, &piece, err)) == 0) {
		if (fwrite(piece.data, 1, piece.len, stdout) != piece.len ||
		    (piece.eol && putchar('\n') == EOF))
			return qt_fail_sys(err, "write", "output");
		open_line = !piece.eol;
	}
	if (open_line) /* as delivery would end it */
		(void)putchar('\n');
	return r < 0 ? -1 : 0;
}

static int show_eml(const struct qt_row *row, struct qt_error *err)
{
	struct message_file m;
	int r;

	r = message_open(&m, row, err);
	if (r == 0)
		r = copy_content(&m, row, err);
	message_close(&m);
	return r;
}

/* ---- --records ---- */

static int put_record(struct qt_output *o, const struct qt_row *row,
    const struct qt_walk *w, const struct qt_record *rec, struct qt_error *err)
{
	const char *segment = qt_segment_name(w->seg), *label;
	char type = (char)rec->type;

	label = qt_record_label(rec->type, w->seg == QT_SEG_CONTENT);
	qt_output_text(o, row->id, strlen(row->id));
	qt_output_int(o, (int64_t)rec->read_offset);
	qt_output_text(o, segment, strlen(segment));
	qt_output_text(o, &type, 1);
	if (label != NULL)
		qt_output_text(o, label, strlen(label));
	else
		qt_output_null(o);
	qt_output_int(o, (int64_t)rec->length);
	qt_output_text(o, (const char *)rec->data, rec->data_len);
	return qt_output_end_row(o, err);
}

/*
 * Without --content its text is left out also where the walk had to pass
 * through it: a file in maildrop has no C record to skip it by.
 */
static int put_records(const struct own *own, struct qt_output *o,
    const struct qt_row *row, struct qt_error *err)
{
	struct message_file m;
	struct qt_record rec;
	struct qt_walk w;
	int r;

	r = message_open(&m, row, err);
	if (r == 0) {
		qt_walk_init(&w, &m.f.in, !own->content,
		    QT_CURSOR_POINTERS | QT_CURSOR_PADDING);
		while ((r = qt_walk_next(&w, &rec, err)) == 0) {
			if (!own->content && w.seg == QT_SEG_CONTENT &&
			    (rec.type == QT_REC_NORM || rec.type == QT_REC_CONT))
				continue;
			r = put_record(o, row, &w, &rec, err);
			if (r != 0)
				break;
		}
	}
	message_close(&m);
	return r < 0 ? -1 : 0;
}

static int records_output(struct ctx *c, struct qt_output **o,
    struct qt_error *err)
{
	static const struct qt_outcol cols[] = {
	    {"queue_id", QT_LEFT, 0}, {"offset", QT_RIGHT, 0},
	    {"segment", QT_LEFT, 0}, {"type", QT_LEFT, 0},
	    {"label", QT_LEFT, 0}, {"length", QT_RIGHT, 0},
	    {"value", QT_LEFT, 0}};

	return qt_output_new(o, stdout, c->format, cols,
	    sizeof(cols) / sizeof(cols[0]), c->width, c->color, err);
}

/* ---- one row, one ID ---- */

struct shower {
	struct ctx *c;
	const struct own *own;
	struct qt_output *records; /* --records only */
	uint64_t shown;		   /* places where a message was found */
	uint64_t missing;	   /* IDs that are nowhere */
	uint64_t damaged;	   /* shown as far as they could be read */
	bool unreadable;	   /* a missing one may be in a queue that is */
};

/* "In no queue" would be a guess while one of them cannot be read. */
static void say_missing(const char *id, const struct qt_scan_stats *stats)
{
	(void)fflush(stdout);
	say_unreadable_queues(stats);
	remark("%s: in no %squeue", id, stats->dirs != 0 ? "other " : "");
}

/* An item error is said and counted: the next message is shown all the same. */
static int show_row(struct shower *s, const struct qt_row *row,
    struct qt_error *err)
{
	struct qt_error why = {0};
	int r;

	s->shown++;
	if (s->own->eml)
		r = show_eml(row, &why);
	else if (s->own->records)
		r = put_records(s->own, s->records, row, &why);
	else
		r = show_text(s->c, row, NULL, NULL, s->own->lines, &why);
	if (r == 0)
		return 0;
	if (!qt_error_is_item(&why)) {
		*err = why;
		return -1;
	}
	s->damaged++;
	if (why.offset >= 0)
		remark("%s/%s: %s, at offset %lld", qt_queue_name(row->queue),
		    row->id, why.text, (long long)why.offset);
	else
		remark("%s/%s: %s", qt_queue_name(row->queue), row->id, why.text);
	return 0;
}

static int show_rows(struct shower *s, struct qt_scan *scan,
    struct qt_error *err)
{
	struct qt_row *row;
	int r, f = 0;

	while (f == 0 && (r = qt_scan_next(scan, &row, err)) == 0) {
		/* nothing can be told apart in two mails one after the other */
		if (s->own->eml && s->shown != 0)
			remark("%s is in %s too: not written",
			    row->id, qt_queue_name(row->queue));
		else
			f = show_row(s, row, err);
		qt_scan_recycle(scan, row);
	}
	return f != 0 || r < 0 ? -1 : 0;
}

static int show_id(struct shower *s, const char *id, struct qt_error *err)
{
	struct qt_scan_opts opts = {.want = QT_WANT_MSG | QT_WANT_RCPTS |
		QT_WANT_HEADERS | QT_WANT_LOGS | QT_WANT_BOUNCES | QT_WANT_LOCKS | QT_WANT_STAT,
	    .queues = qt_select_queues(s->c->sel), .jobs = 1, .only_id = id,
	    .stop = s->c->stop};
	uint64_t before = s->shown;
	struct qt_scan *scan = NULL;
	int r;

	if (qt_scan_open(&scan, &s->c->spools, &opts, err) != 0)
		return -1;
	r = show_rows(s, scan, err);
	if (r == 0 && s->shown == before) {
		say_missing(id, qt_scan_stats(scan));
		s->unreadable |= qt_scan_stats(scan)->dirs != 0;
		s->missing++;
	}
	qt_scan_close(scan);
	return r;
}

/* An ID as mailq prints it, marks and all. */
static int clean_id(const char *arg, char id[256], struct qt_error *err)
{
	size_t len = strlen(arg);

	while (len > 0 && strchr("*!#", arg[len - 1]) != NULL)
		len--;
	if (len == 0 || len > 255 || memchr(arg, '/', len) != NULL)
		return qt_fail(err, QT_E_USAGE, arg, "not a queue ID");
	memcpy(id, arg, len);
	id[len] = '\0';
	return 0;
}

/* An ID in snapshots: what its file had is not there any more. */
static int show_told(struct shower *s, const char *id, struct qt_error *err)
{
	uint64_t before = s->shown;

	if (show_tables(s->c, id, s->own->lines, &s->shown, err) != 0)
		return -1;
	if (s->shown == before) {
		say_missing(id, qt_db_stats(s->c->db));
		s->missing++;
	}
	return 0;
}

static int show_all(struct shower *s, int argc, char **argv,
    struct qt_error *err)
{
	char id[256];
	int i, r = 0;

	for (i = 0; r == 0 && i < argc && !interrupted(s->c); i++) {
		r = clean_id(argv[i], id, err);
		if (r == 0)
			r = s->c->spools.n != 0 ? show_id(s, id, err) :
						  show_told(s, id, err);
	}
	if (r == 0 && s->c->spools.n != 0 && s->c->nsnaps != 0)
		remark("snapshots (-D) were not looked at beside files: ask "
		       "them alone, or with --json");
	return r;
}

static int status_of(const struct shower *s)
{
	if (s->shown == 0)
		return s->unreadable ? EXIT_PARTLY : EXIT_NOTHING;
	if (s->missing != 0 || s->damaged != 0 || interrupted(s->c))
		return EXIT_PARTLY;
	return EXIT_DONE;
}

static int show_files(struct ctx *c, const struct own *own, int argc,
    char **argv)
{
	struct shower s = {.c = c, .own = own};
	struct qt_error err = {0}, late = {0};
	int r = 0;

	if (own->records)
		r = records_output(c, &s.records, &err);
	if (r == 0)
		r = show_all(&s, argc, argv, &err);
	if (s.records != NULL && qt_output_finish(s.records, &late) != 0 &&
	    r == 0) {
		err = late;
		r = -1;
	}
	qt_output_free(s.records);
	return r == 0 ? status_of(&s) : complain(&err);
}

/* ---- as objects ---- */

static bool id_is_there(struct ctx *c, const char *id)
{
	struct qt_bind bind = {.type = QT_BIND_TEXT, .text = id};
	struct qt_stmt *st = NULL;
	struct qt_error err;
	bool there;

	there = qt_stmt_open(&st, c->db,
		    "SELECT queue_name FROM messages WHERE queue_id = ?1", &bind,
		    1, &err) == 0 &&
	    qt_stmt_step(st, &err) == 0;
	qt_stmt_close(st);
	return there;
}

/* IDs that are nowhere are named; the rest goes into the selection. */
static int select_known(struct ctx *c, int argc, char **argv, int *missing,
    struct qt_error *err)
{
	char id[256];
	int i;

	for (i = 0; i < argc; i++) {
		if (clean_id(argv[i], id, err) != 0)
			return -1;
		if (!id_is_there(c, id)) {
			say_missing(id, qt_db_stats(c->db));
			++*missing;
		}
		if (qt_select_add(c->sel, QT_SEL_ID, id, err) != 0)
			return -1;
	}
	return 0;
}

/* As list has it, with the header and the body. */
static int show_objects(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	struct qt_stmt *st = NULL;
	struct qt_buf columns;
	uint64_t rows = 0;
	int missing = 0, r;

	qt_buf_init(&columns, 0);
	json_columns(&columns);
	qt_buf_adds(&columns,
	    ", (SELECT json_group_array(json_object('name', h.name, 'value', "
	    "h.value)) FROM headers AS h WHERE h.queue_id = messages.queue_id "
	    "AND h.queue_name = messages.queue_name AND h.host IS "
	    "messages.host) AS headers, ");
	/* a snapshot that was made without it would refuse */
	qt_buf_adds(&columns, qt_db_tells_body(c->db) ? "body" :
	    "NULL AS body");
	r = qt_buf_check(&columns, &err);
	if (r == 0)
		r = select_known(c, argc, argv, &missing, &err);
	if (r == 0)
		r = open_messages(c, qt_buf_str(&columns), "", &st, &err);
	if (r == 0)
		r = print_rows(c, st, &rows, &err);
	qt_stmt_close(st);
	qt_buf_release(&columns);
	if (r != 0)
		return complain(&err);
	if (rows == 0)
		return qt_db_stats(c->db)->dirs != 0 ? EXIT_PARTLY : EXIT_NOTHING;
	return missing != 0 || interrupted(c) ? EXIT_PARTLY : EXIT_DONE;
}

/* ---- the command ---- */

static int check_options(const struct ctx *c, const struct own *own, int argc,
    struct qt_error *err)
{
	if (own->eml && (own->records || argc != 1))
		return qt_fail(err, QT_E_USAGE, "--eml",
		    "writes one message, and nothing else");
	if (c->spools.n == 0 && (own->eml || own->records))
		return qt_fail(err, QT_E_USAGE, own->eml ? "--eml" : "--records",
		    "a snapshot (-D) has tables, and no message's file");
	if (own->content && !own->records)
		return qt_fail(err, QT_E_USAGE, "--content",
		    "goes with --records");
	if (own->eml && c->tty_out)
		return qt_fail(err, QT_E_REFUSED, "--eml",
		    "mail as it is can do things to a terminal: send it to a "
		    "file or a pipe");
	return 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	struct own *own = own_options(c, sizeof(*own), &err);

	if (own == NULL || check_options(c, own, argc, &err) != 0)
		return complain(&err);
	if (!own->lines_set)
		own->lines = LINES_DEFAULT;
	if (own->eml || own->records || c->format == QT_FMT_TABLE)
		return show_files(c, own, argc, argv);
	return show_objects(c, argc, argv);
}

static const struct qt_option own_table[] = {
    {"lines", 0, "N", OPT_LINES, "at most N lines of text, 0 all (40)"},
    {"records", 'r', NULL, OPT_RECORDS,
	"the envelope's records, one a line, as postcat -oev has them"},
    {"content", 0, NULL, OPT_CONTENT, "with --records: those of the text too"},
    {"eml", 0, NULL, OPT_EML, "the mail itself, byte by byte, to a file or pipe"},
    {"queue", 0, "QUEUE[,...]", QT_SEL_QUEUE, "look in these queues only"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Show", own_table},
    {"Output", output_options},
};

const struct cmd cmd_show = {
    .name = "show",
    .summary = "one message decoded: envelope, recipients, headers, text",
    .operands = "ID ...",
    .about =
	"Shows who sent a message (login, client, HELO), where it lies, its\n"
	"recipients with the reasons of their last deferral, the headers and the\n"
	"first text part, decoded and made safe for a terminal.  An ID that is in\n"
	"several queues is shown from each.  The marks of mailq after an ID are\n"
	"accepted.",
    .examples =
	"  qtool show 3F2A1C0D4E\n"
	"  qtool show --records '3F2A1C0D4E!'\n"
	"  qtool show --eml 3F2A1C0D4E >sample.eml",
    .groups = groups,
    .ngroups = 2,
    .needs = NEED_DB | READS_TX | READS_COPIES,
    .min_operands = 1,
    .max_operands = -1,
    .option = option,
    .run = run,
};

/*
 * fixture.h - a queue file written as text, one fact a file.
 *
 * The form is told in fixtures/README.md.  fixture_read() turns the text into
 * the file's bytes, its logs, and what has to be so about name, mode and
 * place; fixture_place() puts all that into a spool.
 */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include <ctype.h>

#include "tools/place.h"
#include "tools/qfile.h"

#define FIXTURE_LABELS 256
#define FIXTURE_LABEL_SIZE 32

struct fixture_label {
	char name[FIXTURE_LABEL_SIZE];
	size_t offset;
};

/* A record offset that is known only when the whole file is laid out. */
struct fixture_ref {
	char name[FIXTURE_LABEL_SIZE]; /* "" none */
	long long add;		       /* to the label's offset */
	size_t at;		       /* the pointer record to be patched */
};

struct fixture_log {
	const char *queue; /* defer, bounce, trace */
	struct qt_buf text;
};

enum { FIXTURE_DEFER, FIXTURE_BOUNCE, FIXTURE_TRACE, FIXTURE_NLOGS };

struct fixture {
	/* from the directives */
	char fact[256]; /* the first comment line */
	char queue[32];
	struct place_entry entry; /* queue, name, hashdir, target point here */
	struct qt_buf name, hashdir, target, owner;
	bool have_hashdir, mtime_relative;
	char expect[32];      /* state */
	int64_t error_offset; /* -1: not said */
	bool live;	      /* fit for a real qmgr */
	struct fixture_log log[FIXTURE_NLOGS];
	/* the file */
	struct qfile file;
	/* while reading */
	const char *source; /* file name, for messages */
	int line;
	struct fixture_label label[FIXTURE_LABELS];
	size_t nlabels;
	struct fixture_ref pointer[FIXTURE_LABELS];
	size_t npointers;
	struct fixture_ref expect_ref, cut_ref;
	bool have_cut, size_auto;
	long long size_shift, offset_shift, count; /* count 0: what there is */
	int repeat_n; /* the number {n} stands for; 0 outside repeat */
};

static inline void fixture_init(struct fixture *f)
{
	static const char *const queues[] = {"defer", "bounce", "trace"};

	*f = (struct fixture){
	    .error_offset = -1, .live = true, .mtime_relative = true};
	(void)snprintf(f->queue, sizeof f->queue, "deferred");
	(void)snprintf(f->expect, sizeof f->expect, "ok");
	f->entry.mode = 0700;
	qt_buf_init(&f->name, 0);
	qt_buf_init(&f->hashdir, 0);
	qt_buf_init(&f->target, 0);
	qt_buf_init(&f->owner, 0);
	for (int i = 0; i < FIXTURE_NLOGS; i++) {
		f->log[i].queue = queues[i];
		qt_buf_init(&f->log[i].text, 0);
	}
	qfile_init(&f->file);
}

static inline void fixture_release(struct fixture *f)
{
	qt_buf_release(&f->name);
	qt_buf_release(&f->hashdir);
	qt_buf_release(&f->target);
	qt_buf_release(&f->owner);
	for (int i = 0; i < FIXTURE_NLOGS; i++)
		qt_buf_release(&f->log[i].text);
	qfile_release(&f->file);
}

static inline int fixture_bad(
    const struct fixture *f, struct qt_error *err, const char *what)
{
	return qt_fail_at(
	    err, QT_E_USAGE, f->source, f->line, "line %d: %s", f->line, what);
}

/* ---- text ---- */

static inline int fixture_hex(char c)
{
	const char *digits = "0123456789abcdef", *p;

	p = c != '\0' ? strchr(digits, tolower((unsigned char)c)) : NULL;
	return p != NULL ? (int)(p - digits) : -1;
}

/* One escape after the backslash; returns what follows it, NULL: none such. */
static inline const char *fixture_escape(const char *s, struct qt_buf *out)
{
	static const char from[] = "nrt\\0", to[] = "\n\r\t\\\0";
	const char *p = *s != '\0' ? strchr(from, *s) : NULL;
	char *end;
	long n;

	if (p != NULL) {
		qt_buf_addc(out, to[p - from]);
		return s + 1;
	}
	if (*s == 'x' && fixture_hex(s[1]) >= 0 && fixture_hex(s[2]) >= 0) {
		qt_buf_addc(
		    out, (char)(fixture_hex(s[1]) * 16 + fixture_hex(s[2])));
		return s + 3;
	}
	if (*s != '{')
		return NULL;
	n = strtol(s + 1, &end, 10); /* {N:c} */
	if (n < 1 || n > 1 << 20 || end[0] != ':' || end[1] == '\0' ||
	    end[2] != '}')
		return NULL;
	while (n-- > 0)
		qt_buf_addc(out, end[1]);
	return end + 3;
}

/* Text with escapes, and {n} inside repeat, to bytes. */
static inline int fixture_text(const struct fixture *f, const char *s,
    struct qt_buf *out, struct qt_error *err)
{
	while (*s != '\0') {
		if (*s == '\\') {
			s = fixture_escape(s + 1, out);
			if (s == NULL)
				return fixture_bad(f, err, "no such escape");
		} else if (f->repeat_n > 0 && strncmp(s, "{n}", 3) == 0) {
			qt_buf_addf(out, "%d", f->repeat_n);
			s += 3;
		} else
			qt_buf_addc(out, *s++);
	}
	return qt_buf_check(out, err);
}

/* The text after a word and one blank. */
static inline const char *fixture_rest(const char *line)
{
	const char *blank = strchr(line, ' ');

	return blank != NULL ? blank + 1 : "";
}

static inline bool fixture_word(const char *line, const char *word)
{
	size_t n = strlen(word);

	return strncmp(line, word, n) == 0 &&
	       (line[n] == ' ' || line[n] == '\0');
}

/* ---- labels ---- */

static inline int fixture_define(
    struct fixture *f, const char *name, struct qt_error *err)
{
	struct qt_buf text;
	int rc;

	if (f->nlabels == FIXTURE_LABELS)
		return fixture_bad(f, err, "too many labels");
	qt_buf_init(&text, FIXTURE_LABEL_SIZE);
	rc = fixture_text(f, name, &text, err);
	if (rc == 0) {
		(void)snprintf(f->label[f->nlabels].name, FIXTURE_LABEL_SIZE,
		    "%s", qt_buf_str(&text));
		f->label[f->nlabels++].offset = f->file.pos;
	}
	qt_buf_release(&text);
	return rc;
}

/* "label", "label+N", "label-N" (after the @). */
static inline int fixture_ref(const struct fixture *f, const char *s,
    struct fixture_ref *ref, struct qt_error *err)
{
	size_t n = strcspn(s, "+- ");

	if (n == 0 || n >= FIXTURE_LABEL_SIZE)
		return fixture_bad(f, err, "no label after @");
	(void)snprintf(ref->name, sizeof ref->name, "%.*s", (int)n, s);
	ref->add = strtoll(s + n, NULL, 10);
	return 0;
}

static inline int fixture_resolve(const struct fixture *f,
    const struct fixture_ref *ref, long long *offset, struct qt_error *err)
{
	for (size_t i = 0; i < f->nlabels; i++)
		if (strcmp(f->label[i].name, ref->name) == 0) {
			*offset = (long long)f->label[i].offset + ref->add;
			return 0;
		}
	return fixture_bad(f, err, "a label that is not defined");
}

/* ---- records ---- */

/* "C auto [fields=N] [count=N] [flags=N] [content=N] [options=N] [size+N] ..."
 */
static inline int fixture_size(
    struct fixture *f, const char *words, struct qt_error *err)
{
	int fields = 6, used;
	long long v;

	for (; *words != '\0'; words += used) {
		used = 0;
		if (sscanf(words, " fields=%lld%n", &v, &used) == 1)
			fields = (int)v;
		else if (sscanf(words, " count=%lld%n", &v, &used) == 1)
			f->count = v;
		else if (sscanf(words, " flags=%lld%n", &v, &used) == 1)
			f->file.qmgr_flags = (unsigned)v;
		else if (sscanf(words, " options=%lld%n", &v, &used) == 1)
			f->file.options = (unsigned)v;
		else if (sscanf(words, " content=%lld%n", &v, &used) == 1)
			f->file.new_body = (size_t)v;
		else if (sscanf(words, " size%lld%n", &v, &used) == 1)
			f->size_shift = v;
		else if (sscanf(words, " offset%lld%n", &v, &used) == 1)
			f->offset_shift = v;
		if (used == 0)
			return fixture_bad(f, err, "C auto does not know that");
	}
	if (fields < 3 || fields > 7)
		return fixture_bad(f, err, "C auto has 3 to 7 fields");
	f->size_auto = true;
	(void)qfile_size_record(&f->file, fields);
	return 0;
}

static inline int fixture_pointer(
    struct fixture *f, const char *label, struct qt_error *err)
{
	struct fixture_ref *ref;

	if (f->npointers == FIXTURE_LABELS)
		return fixture_bad(f, err, "too many pointers");
	ref = &f->pointer[f->npointers];
	if (fixture_ref(f, label, ref, err) != 0)
		return -1;
	ref->at = qfile_pointer(&f->file, 0);
	f->npointers++;
	return 0;
}

static inline void fixture_put(
    struct fixture *f, unsigned char type, const char *payload, size_t len)
{
	struct qfile *q = &f->file;
	size_t at = qfile_rec(q, type, payload, len);

	/* C auto speaks of the first M and the first X behind it */
	if (type == 'M' && q->data_offset == QFILE_NONE)
		q->data_offset = q->pos;
	if (type == 'X' && q->data_offset != QFILE_NONE &&
	    q->xtra_offset == QFILE_NONE)
		q->xtra_offset = at;
}

/* A record line: type, blank, payload. */
static inline int fixture_record(
    struct fixture *f, const char *line, struct qt_error *err)
{
	const char *payload = fixture_rest(line);
	struct qt_buf type, text;
	int rc = -1;

	if (strcmp(line, "C auto") == 0 || strncmp(line, "C auto ", 7) == 0)
		return fixture_size(f, line + 6, err);
	if (strncmp(line, "p @", 3) == 0)
		return fixture_pointer(f, line + 3, err);
	qt_buf_init(&type, 0);
	qt_buf_init(&text, 0);
	if (line[0] == '\\')
		rc = fixture_escape(line + 1, &type) != NULL
			 ? 0
			 : fixture_bad(f, err, "no such escape");
	else if (line[1] == ' ' || line[1] == '\0') {
		qt_buf_addc(&type, line[0]);
		rc = 0;
	} else
		rc = fixture_bad(f, err, "neither a directive nor a record");
	if (rc == 0)
		rc = fixture_text(f, payload, &text, err);
	if (rc == 0)
		fixture_put(f, (unsigned char)type.data[0], qt_buf_str(&text),
		    text.len);
	qt_buf_release(&type);
	qt_buf_release(&text);
	return rc;
}

static inline int fixture_raw(
    struct fixture *f, const char *hex, struct qt_error *err)
{
	unsigned char byte;

	while (*hex != '\0') {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		if (fixture_hex(hex[0]) < 0 || fixture_hex(hex[1]) < 0)
			return fixture_bad(f, err, "raw takes pairs of hex");
		byte = (unsigned char)(fixture_hex(hex[0]) * 16 +
				       fixture_hex(hex[1]));
		qfile_raw(&f->file, &byte, 1);
		hex += 2;
	}
	return 0;
}

static inline int fixture_at(
    struct fixture *f, const char *where, struct qt_error *err)
{
	struct fixture_ref ref;
	long long offset = 0;

	if (strcmp(where, "end") == 0) {
		qfile_seek(&f->file, QFILE_NONE);
		return 0;
	}
	if (where[0] != '@')
		return fixture_bad(f, err, "at takes @label or end");
	if (fixture_ref(f, where + 1, &ref, err) != 0 ||
	    fixture_resolve(f, &ref, &offset, err) != 0)
		return -1;
	qfile_seek(&f->file, (size_t)offset);
	return 0;
}

/* ---- logs ---- */

/* A line of a log: escapes, and offset=@label. */
static inline int fixture_log_line(struct fixture *f, struct qt_buf *log,
    const char *text, struct qt_error *err)
{
	struct fixture_ref ref;
	long long offset = 0;

	if (strncmp(text, "offset=@", 8) != 0)
		return fixture_text(f, text, log, err);
	if (fixture_ref(f, text + 8, &ref, err) != 0 ||
	    fixture_resolve(f, &ref, &offset, err) != 0)
		return -1;
	qt_buf_addf(log, "offset=%lld", offset);
	return qt_buf_check(log, err);
}

/*
 * "rcpt=A offset=@L status=S action=A reason=TO THE END": a whole entry as
 * bounce(8) appends it.  Words keep their order; reason comes last.
 */
static inline int fixture_log_entry(struct fixture *f, struct qt_buf *log,
    const char *words, struct qt_error *err)
{
	char word[512];
	size_t n;

	qt_buf_addc(log, '\n');
	while (*words != '\0') {
		if (strncmp(words, "rcpt=", 5) == 0) {
			qt_buf_adds(log, "recipient=");
			words += 5;
		}
		n = strncmp(words, "reason=", 7) == 0 ? strlen(words)
						      : strcspn(words, " ");
		if (n >= sizeof word)
			return fixture_bad(f, err, "too long for a log line");
		(void)snprintf(word, sizeof word, "%.*s", (int)n, words);
		if (fixture_log_line(f, log, word, err) != 0)
			return -1;
		qt_buf_addc(log, '\n');
		words += n;
		words += strspn(words, " ");
	}
	qt_buf_addc(log, '\n');
	return qt_buf_check(log, err);
}

/* "defer: LINE", "defer> BYTES" (no line end), "defer rcpt=...". */
static inline int fixture_log(
    struct fixture *f, int which, const char *text, struct qt_error *err)
{
	struct qt_buf *log = &f->log[which].text;
	char form = text[0];

	if (form == ' ')
		return fixture_log_entry(f, log, text + 1, err);
	text += text[1] == ' ' ? 2 : 1;
	if (fixture_log_line(f, log, text, err) != 0)
		return -1;
	if (form == ':')
		qt_buf_addc(log, '\n');
	return qt_buf_check(log, err);
}

/* ---- directives ---- */

static inline int fixture_id(
    struct fixture *f, const char *value, struct qt_error *err)
{
	f->entry.id_form = PLACE_ID_NAME;
	if (strcmp(value, "short") == 0)
		f->entry.id_form = PLACE_ID_SHORT;
	else if (strcmp(value, "long") == 0)
		f->entry.id_form = PLACE_ID_LONG;
	qt_buf_clear(&f->name);
	return fixture_text(f, value, &f->name, err);
}

static inline int fixture_kind(
    struct fixture *f, const char *value, struct qt_error *err)
{
	f->live = f->live && strcmp(value, "regular") == 0;
	if (strcmp(value, "regular") == 0)
		f->entry.kind = PLACE_FILE;
	else if (strcmp(value, "dir") == 0)
		f->entry.kind = PLACE_DIR;
	else if (strcmp(value, "fifo") == 0)
		f->entry.kind = PLACE_FIFO;
	else if (strncmp(value, "symlink ", 8) == 0)
		f->entry.kind = PLACE_SYMLINK;
	else
		return fixture_bad(f, err, "no such kind");
	return f->entry.kind == PLACE_SYMLINK
		   ? fixture_text(f, value + 8, &f->target, err)
		   : 0;
}

static inline int fixture_expect(
    struct fixture *f, const char *value, struct qt_error *err)
{
	static const char *const states[] = {
	    "ok", "unfinished", "corrupt", "misplaced", "foreign"};
	const char *offset = strchr(value, ' ');
	bool known = false;

	(void)snprintf(f->expect, sizeof f->expect, "%.*s",
	    (int)strcspn(value, " "), value);
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
		known = known || strcmp(f->expect, states[i]) == 0;
	if (!known)
		return fixture_bad(f, err, "no such state");
	if (offset == NULL)
		return 0;
	if (offset[1] == '@')
		return fixture_ref(f, offset + 2, &f->expect_ref, err);
	f->error_offset = strtoll(offset + 1, NULL, 10);
	return 0;
}

static inline int fixture_cut(
    struct fixture *f, const char *value, struct qt_error *err)
{
	f->have_cut = true;
	if (value[0] == '@')
		return fixture_ref(f, value + 1, &f->cut_ref, err);
	f->cut_ref.add = strtoll(value, NULL, 10);
	return 0;
}

/* Directives about the place; 1: the line is none of them. */
static inline int fixture_directive(
    struct fixture *f, const char *line, struct qt_error *err)
{
	const char *value = fixture_rest(line);

	if (fixture_word(line, "queue"))
		(void)snprintf(f->queue, sizeof f->queue, "%s", value);
	else if (fixture_word(line, "id"))
		return fixture_id(f, value, err);
	else if (fixture_word(line, "mode"))
		f->entry.mode = (mode_t)strtoul(value, NULL, 8);
	else if (fixture_word(line, "owner"))
		qt_buf_adds(&f->owner, value);
	else if (fixture_word(line, "mtime")) {
		f->mtime_relative = value[0] == '+' || value[0] == '-';
		f->entry.mtime = strtoll(value, NULL, 10);
	} else if (fixture_word(line, "kind"))
		return fixture_kind(f, value, err);
	else if (fixture_word(line, "hashdir")) {
		f->have_hashdir = true;
		if (strcmp(value, ".") != 0)
			qt_buf_adds(&f->hashdir, value);
	} else if (fixture_word(line, "expect"))
		return fixture_expect(f, value, err);
	else if (fixture_word(line, "not-live"))
		f->live = false;
	else
		return 1;
	return 0;
}

/* What adds to the file or its logs. */
static inline int fixture_content(
    struct fixture *f, const char *line, struct qt_error *err)
{
	for (int i = 0; i < FIXTURE_NLOGS; i++) {
		size_t n = strlen(f->log[i].queue);

		if (strncmp(line, f->log[i].queue, n) == 0 &&
		    strchr(":> ", line[n]) != NULL)
			return fixture_log(f, i, line + n, err);
	}
	if (line[0] == '@')
		return fixture_define(f, line + 1, err);
	if (fixture_word(line, "raw"))
		return fixture_raw(f, fixture_rest(line), err);
	if (fixture_word(line, "at"))
		return fixture_at(f, fixture_rest(line), err);
	if (fixture_word(line, "cut"))
		return fixture_cut(f, fixture_rest(line), err);
	return fixture_record(f, line, err);
}

static inline int fixture_line(
    struct fixture *f, const char *line, struct qt_error *err)
{
	int rc;

	if (line[0] == '#') {
		if (f->fact[0] == '\0')
			(void)snprintf(f->fact, sizeof f->fact, "%s",
			    line + 1 + strspn(line + 1, " "));
		return 0;
	}
	if (line[0] == '\0')
		return 0;
	rc = fixture_directive(f, line, err);
	return rc == 1 ? fixture_content(f, line, err) : rc;
}

/* ---- the whole text ---- */

/*
 * Lines from one on, up to the end or to "done" of a repeat; *text moves
 * behind what was read.  The text is NUL-terminated and its line ends have
 * been turned into NULs.
 */
static inline int fixture_lines(struct fixture *f, const char **text,
    const char *end, bool inside, struct qt_error *err)
{
	const char *line, *body;
	int n, first;

	while (*text < end) {
		line = *text;
		*text += strlen(line) + 1;
		f->line++;
		if (inside && strcmp(line, "done") == 0)
			return 0;
		if (!fixture_word(line, "repeat")) {
			if (fixture_line(f, line, err) != 0)
				return -1;
			continue;
		}
		n = (int)strtol(fixture_rest(line), NULL, 10);
		if (inside || n < 1)
			return fixture_bad(f, err, "repeat N, not nested");
		body = *text;
		first = f->line;
		for (f->repeat_n = 1; f->repeat_n <= n; f->repeat_n++) {
			*text = body;
			f->line = first;
			if (fixture_lines(f, text, end, true, err) != 0)
				return -1;
		}
		f->repeat_n = 0;
	}
	return inside ? fixture_bad(f, err, "repeat without done") : 0;
}

/* Labels, sizes and the cut, once everything is laid out. */
static inline int fixture_finish(struct fixture *f, struct qt_error *err)
{
	long long offset = 0;

	for (size_t i = 0; i < f->npointers; i++) {
		if (fixture_resolve(f, &f->pointer[i], &offset, err) != 0)
			return -1;
		qfile_put_pointer(&f->file, f->pointer[i].at, (size_t)offset);
	}
	if (f->count != 0)
		f->file.nrcpt = (unsigned)f->count;
	if (f->size_auto)
		qfile_patch_size(&f->file, f->size_shift, f->offset_shift);
	if (f->expect_ref.name[0] != '\0') {
		if (fixture_resolve(f, &f->expect_ref, &offset, err) != 0)
			return -1;
		f->error_offset = offset;
	}
	if (f->have_cut) {
		offset = f->cut_ref.add;
		if (f->cut_ref.name[0] != '\0') {
			if (fixture_resolve(f, &f->cut_ref, &offset, err) != 0)
				return -1;
		} else if (offset < 0)
			offset += (long long)f->file.b.len;
		if (offset < 0 || (size_t)offset > f->file.b.len)
			return fixture_bad(f, err, "cut outside the file");
		f->file.b.len = (size_t)offset;
	}
	return qt_buf_check(&f->file.b, err);
}

/* What the place needs to know, pointing into the fixture. */
static inline void fixture_entry(struct fixture *f)
{
	uint32_t hash = 2166136261u; /* FNV-1a: a name's microseconds stay */

	for (const char *s = f->fact; *s != '\0'; s++)
		hash = (hash ^ (unsigned char)*s) * 16777619u;
	f->entry.queue = f->queue;
	f->entry.name = qt_buf_str(&f->name);
	f->entry.hashdir = f->have_hashdir ? qt_buf_str(&f->hashdir) : NULL;
	f->entry.target = qt_buf_str(&f->target);
	f->entry.data = f->file.b.data != NULL ? f->file.b.data : "";
	f->entry.len = f->file.b.len;
	f->entry.usec = hash % 1000000;
	if (f->mtime_relative)
		f->entry.mtime += time(NULL);
	f->mtime_relative = false;
	f->entry.created = f->entry.mtime;
}

/* Read a fixture's text; f is initialised and released by the caller. */
static inline int fixture_read(struct fixture *f, const char *source,
    const char *bytes, size_t len, struct qt_error *err)
{
	char *text = malloc(len + 1);
	const char *at = text;
	int rc;

	if (text == NULL)
		return qt_fail_mem(err);
	memcpy(text, bytes, len);
	text[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\n')
			text[i] = '\0';
	f->source = source;
	rc = fixture_lines(f, &at, text + len, false, err);
	if (rc == 0)
		rc = fixture_finish(f, err);
	if (rc == 0)
		fixture_entry(f);
	free(text);
	return rc;
}

static inline int fixture_load(
    struct fixture *f, const char *path, struct qt_error *err)
{
	struct qt_buf text;
	char chunk[4096];
	size_t n;
	int rc;
	FILE *in = fopen(path, "re");

	if (in == NULL)
		return qt_fail_sys(err, "open", path);
	qt_buf_init(&text, 0);
	while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
		qt_buf_add(&text, chunk, n);
	rc = ferror(in) ? qt_fail_sys(err, "read", path)
			: qt_buf_check(&text, err);
	if (rc == 0)
		rc = fixture_read(f, path, qt_buf_str(&text), text.len, err);
	(void)fclose(in);
	qt_buf_release(&text);
	return rc;
}

static inline int fixture_other_owner(struct fixture *f, struct qt_error *err)
{
	const struct passwd *pw;

	if (f->owner.len == 0 || strcmp(f->owner.data, "default") == 0)
		return 0;
	pw = getpwnam(f->owner.data);
	if (pw == NULL)
		return qt_fail(
		    err, QT_E_USAGE, f->owner.data, "there is no such user");
	f->entry.other_owner = true;
	f->entry.uid = pw->pw_uid;
	f->entry.gid = pw->pw_gid;
	return 0;
}

/* Put it and its logs into a spool; id (PLACE_ID_SIZE) gets its name. */
static inline int fixture_place(
    struct fixture *f, const struct place *p, char *id, struct qt_error *err)
{
	const struct qt_buf *text;

	if (fixture_other_owner(f, err) != 0 ||
	    place_entry(p, &f->entry, id, err) != 0)
		return -1;
	for (int i = 0; i < FIXTURE_NLOGS; i++) {
		text = &f->log[i].text;
		if (text->len != 0 &&
		    place_log(p, f->log[i].queue, id, text->data, text->len,
			f->entry.mtime, err) != 0)
			return -1;
	}
	return 0;
}

#endif

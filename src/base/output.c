/*
 * output.c - rows in the format asked for.
 *
 * Every row is built in one reused buffer and leaves in one fwrite.  Tables
 * hold their first rows back until the widths are known; all other formats
 * keep nothing.  The first failure of any kind sticks: later calls do nothing
 * and end_row and finish go on reporting it.
 */
#include "qtool/output.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "qtool/escape.h"

/* Rows a table waits for, and the bytes after which it waits no longer. */
#define WINDOW_ROWS ((size_t)200)
#define WINDOW_BYTES ((size_t)1 << 20)

/* One cell wider than that stands out of its column, which stays as it is. */
#define COLUMN_MAX ((size_t)100)

#define GAP "  "
#define ELLIPSIS "\xe2\x80\xa6"
#define BOLD "\033[1m"
#define BOLD_OFF "\033[0m"

/* A cell of a table, in o->text. */
struct cell {
	size_t off, len;
	size_t width; /* terminal columns */
	bool right;   /* a number, or the column is aligned right */
	bool null;
};

struct column {
	char *name; /* owned; in tables already escaped */
	enum qt_align align;
	unsigned max_width;
	/* tables: */
	size_t width;	   /* known once the window is closed */
	bool values;	   /* some value in the window was not NULL */
	bool left;	   /* some value in the window was text */
	bool time;	   /* some value was a time, of this offset: */
	long offset;	   /* seconds east of UTC, said in the heading */
	/* JSON: where in o->keys: {"name": " or , "name": " */
	size_t key_off, key_len;
};

struct qt_output {
	FILE *out; /* borrowed */
	enum qt_format fmt;
	unsigned width;
	bool color;
	struct column *cols;
	size_t ncols;
	size_t col;	    /* values given of the row that is built */
	struct qt_buf row;  /* what the next fwrite takes */
	struct qt_buf keys; /* JSON: the keys; CSV, TSV: the header line */
	struct qt_buf text; /* tables: the cells' bytes */
	struct cell *cells; /* tables: WINDOW_ROWS * ncols */
	size_t rows;	    /* tables: complete rows in cells */
	bool streaming;	    /* tables: the window is closed */
	bool begun;	    /* something was written */
	bool finished;
	bool failed;
	struct qt_error error; /* when failed */
};

int qt_format_parse(const char *name, enum qt_format *fmt, struct qt_error *err)
{
	static const struct {
		const char *name;
		enum qt_format fmt;
	} formats[] = {
	    {"table", QT_FMT_TABLE}, {"json", QT_FMT_JSON},
	    {"jsonl", QT_FMT_JSONL}, {"csv", QT_FMT_CSV},
	    {"tsv", QT_FMT_TSV}, {"ids", QT_FMT_IDS}, {"ids0", QT_FMT_IDS0},
	};
	size_t i;

	for (i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		if (strcmp(formats[i].name, name) == 0) {
			*fmt = formats[i].fmt;
			return 0;
		}
	}
	return qt_fail(err, QT_E_USAGE, "",
	    "'%.40s' is not a format: table, json, jsonl, csv, tsv, ids, ids0",
	    name);
}

static bool is_json(const struct qt_output *o)
{
	return o->fmt == QT_FMT_JSON || o->fmt == QT_FMT_JSONL;
}

static bool has_header(const struct qt_output *o)
{
	return o->fmt == QT_FMT_CSV || o->fmt == QT_FMT_TSV;
}

/* ---- making one ---- */

static int copy_columns(struct qt_output *o, const struct qt_outcol *cols,
    struct qt_error *err)
{
	struct qt_buf shown;
	const char *name;
	size_t i;

	qt_buf_init(&shown, 0);
	for (i = 0; i < o->ncols; i++) {
		name = cols[i].name;
		if (o->fmt == QT_FMT_TABLE) {
			qt_buf_clear(&shown);
			qt_escape_term(&shown, name, strlen(name));
			name = qt_buf_str(&shown);
		}
		o->cols[i].align = cols[i].align;
		o->cols[i].max_width = cols[i].max_width;
		o->cols[i].name = strdup(name);
		if (o->cols[i].name == NULL || shown.failed)
			break;
	}
	qt_buf_release(&shown);
	return i == o->ncols ? 0 : qt_fail_mem(err);
}

/* The keys are the same in every row: escape them once. */
static int make_keys(struct qt_output *o, struct qt_error *err)
{
	struct column *c;
	size_t i;

	for (i = 0; i < o->ncols; i++) {
		c = &o->cols[i];
		c->key_off = o->keys.len;
		qt_buf_adds(&o->keys, i == 0 ? "{\"" : ", \"");
		qt_escape_json(&o->keys, c->name, strlen(c->name));
		qt_buf_adds(&o->keys, "\": \"");
		c->key_len = o->keys.len - c->key_off;
	}
	return qt_buf_check(&o->keys, err);
}

/* The first line of CSV and TSV. */
static int make_header(struct qt_output *o, struct qt_error *err)
{
	const char *name;
	size_t i;

	for (i = 0; i < o->ncols; i++) {
		name = o->cols[i].name;
		if (i != 0)
			qt_buf_addc(&o->keys, o->fmt == QT_FMT_CSV ? ',' : '\t');
		if (o->fmt == QT_FMT_CSV)
			qt_escape_csv(&o->keys, name, strlen(name));
		else
			qt_escape_tsv(&o->keys, name, strlen(name));
	}
	qt_buf_addc(&o->keys, '\n');
	return qt_buf_check(&o->keys, err);
}

static int prepare(struct qt_output *o, const struct qt_outcol *cols,
    struct qt_error *err)
{
	o->cols = calloc(o->ncols, sizeof *o->cols);
	if (o->cols == NULL)
		return qt_fail_mem(err);
	if (copy_columns(o, cols, err) < 0)
		return -1;
	if (is_json(o))
		return make_keys(o, err);
	if (has_header(o))
		return make_header(o, err);
	if (o->fmt != QT_FMT_TABLE)
		return 0;
	tzset(); /* localtime_r need not */
	o->cells = reallocarray(NULL, o->ncols * WINDOW_ROWS,
	    sizeof *o->cells);
	return o->cells != NULL ? 0 : qt_fail_mem(err);
}

int qt_output_new(struct qt_output **op, FILE *out, enum qt_format fmt,
    const struct qt_outcol *cols, size_t ncols, unsigned width, bool color,
    struct qt_error *err)
{
	struct qt_output *o;

	if (ncols == 0)
		return qt_fail(err, QT_E_USAGE, "", "there are no columns");
	o = calloc(1, sizeof *o);
	if (o == NULL)
		return qt_fail_mem(err);
	o->out = out;
	o->fmt = fmt;
	o->width = width;
	o->color = color;
	o->ncols = ncols;
	qt_buf_init(&o->row, 0);
	qt_buf_init(&o->keys, 0);
	qt_buf_init(&o->text, 0);
	if (prepare(o, cols, err) < 0) {
		qt_output_free(o);
		return -1;
	}
	*op = o;
	return 0;
}

void qt_output_free(struct qt_output *o)
{
	size_t i;

	if (o == NULL)
		return;
	for (i = 0; o->cols != NULL && i < o->ncols; i++)
		free(o->cols[i].name);
	free(o->cols);
	free(o->cells);
	qt_buf_release(&o->row);
	qt_buf_release(&o->keys);
	qt_buf_release(&o->text);
	free(o);
}

/* ---- failing and writing ---- */

static int give_error(const struct qt_output *o, struct qt_error *err)
{
	if (err != NULL)
		*err = o->error;
	return -1;
}

/* Remember a failed write, as a run error whatever errno is. */
static void fail_write(struct qt_output *o, const char *call)
{
	(void)qt_fail_sys(&o->error, call, "output");
	o->error.code = QT_E_SYS;
	o->failed = true;
}

static void write_bytes(struct qt_output *o, const char *s, size_t len)
{
	if (!o->failed && len != 0 && fwrite(s, 1, len, o->out) != len)
		fail_write(o, "write");
}

static void write_buf(struct qt_output *o, const struct qt_buf *b)
{
	if (!o->failed && qt_buf_check(b, &o->error) < 0)
		o->failed = true;
	write_bytes(o, b->data, b->len);
}

/* Send o->row on its way and empty it. */
static void write_row(struct qt_output *o)
{
	write_buf(o, &o->row);
	qt_buf_clear(&o->row);
}

/* ---- tables ---- */

static struct cell *current_cell(struct qt_output *o)
{
	return &o->cells[o->rows * o->ncols + o->col];
}

/* Cut what is at the end of the text, from off on, to max columns. */
static void cut_cell(struct qt_output *o, size_t off, size_t max)
{
	const char *s = qt_buf_str(&o->text) + off;
	size_t len = o->text.len - off, i, n, w, used = 0;

	for (i = 0; i < len; i += n) {
		n = qt_utf8_next(s + i, len - i, NULL);
		if (n == 0)
			n = 1;
		w = qt_term_width(s + i, n);
		/* the last column is the ellipsis's */
		if (used + w >= max)
			break;
		used += w;
	}
	o->text.len = off + i;
	qt_buf_adds(&o->text, ELLIPSIS);
}

/* The cell's bytes have been added to o->text from off on. */
static void close_cell(struct qt_output *o, size_t off, bool number, bool null)
{
	struct column *c = &o->cols[o->col];
	struct cell *cell = current_cell(o);
	size_t width;

	if (o->text.failed)
		return; /* end_row reports it */
	width = qt_term_width(qt_buf_str(&o->text) + off, o->text.len - off);
	if (o->width != 0 && c->max_width != 0 && width > c->max_width) {
		cut_cell(o, off, c->max_width);
		width = qt_term_width(qt_buf_str(&o->text) + off, o->text.len - off);
	}
	*cell = (struct cell){off, o->text.len - off, width,
	    number || c->align == QT_RIGHT, null};
	if (o->streaming)
		return;
	if (width > c->width && width <= COLUMN_MAX)
		c->width = width;
	if (!null) {
		c->values = true;
		c->left |= !cell->right;
	}
}

static void add_blanks(struct qt_buf *b, size_t n)
{
	static const char blanks[] = "                                ";
	size_t part;

	for (; n != 0; n -= part) {
		part = n < sizeof blanks - 1 ? n : sizeof blanks - 1;
		qt_buf_add(b, blanks, part);
	}
}

/* One cell into o->row, padded unless it is the last. */
static void lay_cell(struct qt_output *o, size_t i, const char *s, size_t len,
    size_t width, bool right)
{
	size_t pad = o->cols[i].width > width ? o->cols[i].width - width : 0;

	if (i != 0)
		qt_buf_add(&o->row, GAP, sizeof GAP - 1);
	if (right)
		add_blanks(&o->row, pad);
	qt_buf_add(&o->row, s, len);
	if (!right && i + 1 < o->ncols)
		add_blanks(&o->row, pad);
}

/* Whether a column of numbers stands under this heading. */
static bool heading_right(const struct column *c)
{
	return c->align == QT_RIGHT || (c->values && !c->left);
}

/* "UTC", "+0130" */
static const char *offset_text(long offset, char out[24])
{
	long minutes = labs(offset) / 60;

	if (offset == 0)
		return "UTC";
	(void)snprintf(out, 24, "%c%02ld%02ld", offset < 0 ? '-' : '+',
	    minutes / 60, minutes % 60);
	return out;
}

/* The offset of a column's times is said once, in its heading. */
static void name_offset(struct qt_output *o, struct column *c)
{
	char text[24], *name;

	if (asprintf(&name, "%s %s", c->name,
		offset_text(c->offset, text)) < 0) {
		(void)qt_fail_mem(&o->error);
		o->failed = true;
		return;
	}
	free(c->name);
	c->name = name;
}

static void lay_heading(struct qt_output *o)
{
	const struct column *c;
	size_t i, len;

	if (o->color)
		qt_buf_adds(&o->row, BOLD);
	for (i = 0; i < o->ncols; i++) {
		c = &o->cols[i];
		len = strlen(c->name);
		lay_cell(o, i, c->name, len, qt_term_width(c->name, len),
		    heading_right(c));
	}
	if (o->color)
		qt_buf_adds(&o->row, BOLD_OFF);
	qt_buf_addc(&o->row, '\n');
}

static void lay_row(struct qt_output *o, const struct cell *cells)
{
	const struct cell *c;
	size_t i;

	for (i = 0; i < o->ncols; i++) {
		c = &cells[i];
		lay_cell(o, i, qt_buf_str(&o->text) + c->off, c->len, c->width,
		    c->null ? heading_right(&o->cols[i]) : c->right);
	}
	qt_buf_addc(&o->row, '\n');
	write_row(o);
}

/* Fix the widths, write the heading and the rows that waited for it. */
static void close_window(struct qt_output *o)
{
	size_t i, w;

	o->streaming = true;
	for (i = 0; i < o->ncols; i++) {
		if (o->cols[i].time)
			name_offset(o, &o->cols[i]);
		w = qt_term_width(o->cols[i].name, strlen(o->cols[i].name));
		if (w > o->cols[i].width)
			o->cols[i].width = w;
	}
	lay_heading(o);
	for (i = 0; i < o->rows; i++)
		lay_row(o, o->cells + i * o->ncols);
	o->rows = 0;
	qt_buf_clear(&o->text);
}

static void end_table_row(struct qt_output *o)
{
	if (qt_buf_check(&o->text, &o->error) < 0) {
		o->failed = true;
		return;
	}
	if (o->streaming) {
		lay_row(o, o->cells);
		qt_buf_clear(&o->text);
		return;
	}
	o->rows++;
	if (o->rows == WINDOW_ROWS || o->text.len > WINDOW_BYTES)
		close_window(o);
}

/* ---- values ---- */

/* Whether the next value has a place; counts the surplus for end_row. */
static bool has_place(struct qt_output *o)
{
	if (o->failed)
		return false;
	if (o->col < o->ncols)
		return true;
	o->col++;
	return false;
}

/* The JSON key; its last byte is the quote that opens a string. */
static void add_key(struct qt_output *o, bool string)
{
	const struct column *c = &o->cols[o->col];

	if (o->col == 0 && o->fmt == QT_FMT_JSON)
		qt_buf_add(&o->row, o->begun ? ",\n" : "[\n", 2);
	qt_buf_add(&o->row, o->keys.data + c->key_off,
	    string ? c->key_len : c->key_len - 1);
}

/* A value of safe characters: a number, true, null, nothing. */
static void add_plain(struct qt_output *o, const char *s, size_t len,
    bool number, bool null)
{
	size_t off = o->text.len;

	switch (o->fmt) {
	case QT_FMT_TABLE:
		qt_buf_add(&o->text, s, len);
		close_cell(o, off, number, null);
		break;
	case QT_FMT_JSON:
	case QT_FMT_JSONL:
		add_key(o, false);
		qt_buf_add(&o->row, s, len);
		break;
	case QT_FMT_CSV:
	case QT_FMT_TSV:
		if (o->col != 0)
			qt_buf_addc(&o->row, o->fmt == QT_FMT_CSV ? ',' : '\t');
		qt_buf_add(&o->row, s, len);
		break;
	case QT_FMT_IDS:
	case QT_FMT_IDS0:
		if (o->col == 0)
			qt_buf_add(&o->row, s, len);
		break;
	}
	o->col++;
}

void qt_output_null(struct qt_output *o)
{
	if (!has_place(o))
		return;
	if (is_json(o))
		add_plain(o, "null", 4, false, true);
	else if (o->fmt == QT_FMT_TABLE)
		add_plain(o, "-", 1, false, true);
	else
		add_plain(o, "", 0, false, true);
}

void qt_output_bool(struct qt_output *o, bool v)
{
	const char *s = v ? "true" : "false";

	if (o->fmt == QT_FMT_TABLE)
		s = v ? "yes" : "no";
	if (has_place(o))
		add_plain(o, s, strlen(s), false, false);
}

void qt_output_int(struct qt_output *o, int64_t v)
{
	const char *s;
	char buf[24];
	size_t len;

	if (!has_place(o))
		return;
	s = qt_decimal(buf, v, &len);
	add_plain(o, s, len, true, false);
}

/* The shorter of two lengths that reads back as v, with a point always. */
static size_t format_real(char buf[static 64], double v, bool human)
{
	char *from, *to;

	(void)snprintf(buf, 60, human ? "%.6g" : "%.15g", v);
	if (!human && strtod(buf, NULL) != v)
		(void)snprintf(buf, 60, "%.17g", v);
	/* whatever the locale has for a decimal point, the formats want '.' */
	for (from = to = buf; *from != '\0';) {
		if (strchr("0123456789eE+-", *from) != NULL) {
			*to++ = *from++;
			continue;
		}
		*to++ = '.';
		while (*from != '\0' && strchr("0123456789eE+-", *from) == NULL)
			from++;
	}
	*to = '\0';
	if (strpbrk(buf, ".e") == NULL)
		to = stpcpy(to, ".0");
	return (size_t)(to - buf);
}

void qt_output_real(struct qt_output *o, double v)
{
	char buf[64];

	if (!isfinite(v))
		qt_output_null(o); /* no format can write it */
	else if (has_place(o))
		add_plain(o, buf,
		    format_real(buf, v, o->fmt == QT_FMT_TABLE), true, false);
}

/* Up to the first NUL, which ends a value in every Postfix record. */
static void add_id0(struct qt_output *o, const char *s, size_t len)
{
	qt_buf_add(&o->row, s, strnlen(s, len));
}

/* As it is when that is one plain word, else with \xHH for what is not. */
static void add_id(struct qt_output *o, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len && s[i] > ' ' && s[i] < 0x7f; i++)
		;
	if (i == len) {
		qt_buf_add(&o->row, s, len);
		return;
	}
	for (i = 0; i < len; i++) {
		if (s[i] == '\\')
			qt_buf_add(&o->row, "\\\\", 2);
		else if (s[i] > ' ' && s[i] < 0x7f)
			qt_buf_addc(&o->row, s[i]);
		else
			qt_buf_addf(&o->row, "\\x%02X", (unsigned char)s[i]);
	}
}

void qt_output_text(struct qt_output *o, const char *s, size_t len)
{
	size_t off = o->text.len;

	if (!has_place(o))
		return;
	switch (o->fmt) {
	case QT_FMT_TABLE:
		qt_escape_cell(&o->text, s, len);
		close_cell(o, off, false, false);
		break;
	case QT_FMT_JSON:
	case QT_FMT_JSONL:
		add_key(o, true);
		qt_escape_json(&o->row, s, len);
		qt_buf_addc(&o->row, '"');
		break;
	case QT_FMT_CSV:
		if (o->col != 0)
			qt_buf_addc(&o->row, ',');
		qt_escape_csv(&o->row, s, len);
		break;
	case QT_FMT_TSV:
		if (o->col != 0)
			qt_buf_addc(&o->row, '\t');
		qt_escape_tsv(&o->row, s, len);
		break;
	case QT_FMT_IDS:
		if (o->col == 0)
			add_id(o, s, len);
		break;
	case QT_FMT_IDS0:
		if (o->col == 0 && len != 0)
			add_id0(o, s, len);
		break;
	}
	o->col++;
}

void qt_output_json(struct qt_output *o, const char *s, size_t len)
{
	if (!is_json(o))
		qt_output_text(o, s, len);
	else if (len == 0)
		qt_output_null(o); /* nothing is not a JSON value */
	else if (has_place(o))
		add_plain(o, s, len, false, false);
}

/*
 * The heading has the offset of the column's first time; one on the other side
 * of a change of the clocks says its own.
 */
static void add_time(struct qt_output *o, const struct tm *tm)
{
	struct column *c = &o->cols[o->col];
	char buf[64], offset[24];
	size_t n;

	if (!c->time && !o->streaming) {
		c->time = true;
		c->offset = tm->tm_gmtoff;
	}
	n = strftime(buf, sizeof buf, "%Y-%m-%d %H:%M:%S", tm);
	if (!c->time || c->offset != tm->tm_gmtoff)
		n += (size_t)snprintf(buf + n, sizeof buf - n, " %s",
		    offset_text(tm->tm_gmtoff, offset));
	add_plain(o, buf, n, false, false);
}

void qt_output_time(struct qt_output *o, int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (o->fmt != QT_FMT_TABLE || localtime_r(&t, &tm) == NULL) {
		qt_output_int(o, seconds);
		return;
	}
	if (has_place(o))
		add_time(o, &tm);
}

void qt_output_bytes(struct qt_output *o, int64_t bytes)
{
	char buf[5]; /* its size makes humanize_number choose 3.4M over 3482K */

	if (o->fmt != QT_FMT_TABLE || bytes < 0 ||
	    humanize_number(buf, sizeof buf, bytes, "", HN_AUTOSCALE,
		HN_DECIMAL | HN_NOSPACE) < 0) {
		qt_output_int(o, bytes);
		return;
	}
	if (has_place(o))
		add_plain(o, buf, strlen(buf), true, false);
}

/* ---- rows ---- */

static void end_text_row(struct qt_output *o)
{
	switch (o->fmt) {
	case QT_FMT_JSON:
		qt_buf_addc(&o->row, '}');
		break;
	case QT_FMT_JSONL:
		qt_buf_add(&o->row, "}\n", 2);
		break;
	case QT_FMT_IDS:
	case QT_FMT_IDS0:
		/* an empty ID names nothing, and would end xargs -0 lists */
		if (o->row.len != 0)
			qt_buf_addc(&o->row, o->fmt == QT_FMT_IDS ? '\n' : '\0');
		break;
	default:
		qt_buf_addc(&o->row, '\n');
		break;
	}
	if (has_header(o) && !o->begun)
		write_buf(o, &o->keys);
	write_row(o);
}

int qt_output_end_row(struct qt_output *o, struct qt_error *err)
{
	if (!o->failed && o->col != o->ncols) {
		(void)qt_fail(&o->error, QT_E_STATE, "output",
		    "%zu values for %zu columns", o->col, o->ncols);
		o->failed = true;
	}
	if (o->failed)
		return give_error(o, err);
	o->col = 0;
	if (o->fmt == QT_FMT_TABLE)
		end_table_row(o);
	else
		end_text_row(o);
	o->begun = true;
	return o->failed ? give_error(o, err) : 0;
}

int qt_output_object(struct qt_output *o, const char *s, size_t len,
    struct qt_error *err)
{
	if (!o->failed && (!is_json(o) || o->col != 0)) {
		(void)qt_fail(&o->error, QT_E_STATE, "output",
		    "an object is no value of this row");
		o->failed = true;
	}
	if (o->fmt == QT_FMT_JSON)
		write_bytes(o, o->begun ? ",\n" : "[\n", 2);
	write_bytes(o, s, len);
	if (o->fmt == QT_FMT_JSONL)
		write_bytes(o, "\n", 1);
	o->begun = true;
	return o->failed ? give_error(o, err) : 0;
}

/* What stands behind the last row. */
static void write_end(struct qt_output *o)
{
	qt_buf_clear(&o->row); /* a row that was not ended is dropped */
	if (o->fmt == QT_FMT_TABLE && o->rows != 0)
		close_window(o);
	else if (o->fmt == QT_FMT_JSON)
		qt_buf_adds(&o->row, o->begun ? "\n]\n" : "[]\n");
	else if (has_header(o) && !o->begun)
		write_buf(o, &o->keys);
	write_row(o);
}

int qt_output_finish(struct qt_output *o, struct qt_error *err)
{
	if (!o->finished && !o->failed)
		write_end(o);
	o->finished = true;
	/* also after a failure: the rows that were ended are the user's */
	if (fflush(o->out) != 0 && !o->failed)
		fail_write(o, "write");
	return o->failed ? give_error(o, err) : 0;
}

/*
 * line.c - one line of JSON for each message.
 */
#include "evidence/line.h"

#include <string.h>

#include "evidence/base64.h"
#include "qtool/archive.h"
#include "qtool/escape.h"

static long long ns(const struct timespec *t)
{
	return (long long)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* path, size and sha256 of a file in the bag. */
static void tell_file(struct qt_buf *out, const struct qt_member *p)
{
	char hex[QT_SHA256_HEX];

	qt_digest_hex(p->file.sums.of[QT_HASH_SHA256], hex);
	qt_buf_addf(out, "\"path\":\"%s\",\"size\":%llu,\"sha256\":\"%s\"",
	    p->member, (unsigned long long)qt_spill_size(&p->file.bytes), hex);
}

/* As it was in the queue, to be put back so. */
static void tell_stat(struct qt_buf *out, const struct qt_capture *file)
{
	static const char digits[] = "0123456789abcdef";
	const struct stat *st = &file->st;
	unsigned i;

	qt_buf_addf(out,
	    ",\"stat\":{\"dev\":%llu,\"ino\":%llu,\"mode\":\"%04o\","
	    "\"uid\":%u,\"gid\":%u,\"nlink\":%llu,\"mtime_ns\":%lld,"
	    "\"ctime_ns\":%lld,\"btime_ns\":",
	    (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
	    (unsigned)st->st_mode & 07777, (unsigned)st->st_uid,
	    (unsigned)st->st_gid, (unsigned long long)st->st_nlink,
	    ns(&st->st_mtim), ns(&st->st_ctim));
	if (file->btime_ns != 0)
		qt_buf_addi(out, file->btime_ns);
	else
		qt_buf_adds(out, "null");
	if (file->handle.len == 0) {
		qt_buf_adds(out, ",\"handle_type\":null,\"handle\":null}");
		return;
	}
	qt_buf_addf(out, ",\"handle_type\":%d,\"handle\":\"",
	    file->handle.type);
	for (i = 0; i < file->handle.len; i++) {
		qt_buf_addc(out, digits[file->handle.bytes[i] >> 4]);
		qt_buf_addc(out, digits[file->handle.bytes[i] & 15]);
	}
	qt_buf_adds(out, "\"}");
}

static void tell_logs(struct qt_buf *out, const struct qt_member *log)
{
	bool first = true;
	int i;

	qt_buf_adds(out, ",\"logs\":[");
	for (i = 0; i < QT_LINE_LOGS; i++) {
		if (!log[i].have)
			continue;
		qt_buf_addf(out, "%s{\"kind\":\"%s\",", first ? "" : ",",
		    qt_queue_name(log[i].queue));
		tell_file(out, &log[i]);
		qt_buf_addc(out, '}');
		first = false;
	}
	qt_buf_addc(out, ']');
}

/* Text of a column, as it may be told. */
static void put_text(struct qt_buf *out, const char *name, const char *text,
    size_t len, bool json, const struct qt_redactor *r)
{
	struct qt_buf shown;

	if (r == NULL) {
		if (json)
			qt_buf_add(out, text, len);
		else
			qt_escape_json(out, text, len);
		return;
	}
	qt_buf_init(&shown, 0);
	if (!qt_redact_column(r, name, &shown, text, len))
		qt_buf_clear(&shown);
	if (json)
		qt_buf_adds(out, shown.len != 0 ? shown.data : "null");
	else
		qt_escape_json(out, qt_buf_str(&shown), shown.len);
	if (shown.failed)
		out->failed = true;
	qt_buf_release(&shown);
}

static void put_column(struct qt_buf *out, const struct qt_stmt *st, int i,
    const struct qt_redactor *r)
{
	const char *text;
	bool json;
	size_t len;

	switch (qt_stmt_type(st, i)) {
	case QT_COL_NULL:
		qt_buf_adds(out, "null");
		break;
	case QT_COL_INT:
		if (qt_stmt_isbool(st, i))
			qt_buf_adds(out,
			    qt_stmt_int(st, i) != 0 ? "true" : "false");
		else
			qt_buf_addi(out, qt_stmt_int(st, i));
		break;
	case QT_COL_REAL:
		qt_buf_addf(out, "%.17g", qt_stmt_real(st, i));
		break;
	case QT_COL_TEXT:
	case QT_COL_BLOB:
	default:
		json = qt_stmt_isjson(st, i);
		text = qt_stmt_text(st, i, &len);
		if (!json)
			qt_buf_addc(out, '"');
		put_text(out, qt_stmt_colname(st, i), text, len, json, r);
		if (!json)
			qt_buf_addc(out, '"');
		break;
	}
}

/*
 * path and sha256 are those in the archive, from the bytes that are in it;
 * whole contents are in the archive anyway, recipients have a list of their
 * own, and who has a lock on it now says nothing later.
 */
static bool in_json(const struct qt_column *col)
{
	static const char *const not[] = {"path", "sha256", "body",
	    "recipients", "in_delivery"};
	size_t i;

	for (i = 0; i < sizeof(not) / sizeof(not[0]); i++)
		if (strcmp(col->name, not[i]) == 0)
			return false;
	return !col->hidden;
}

void qt_archive_columns(struct qt_buf *out)
{
	const struct qt_column *col;
	const char *comma = "";

	for (col = qt_db_columns("messages"); col->name != NULL; col++)
		if (in_json(col)) {
			qt_buf_addf(out, "%s%s", comma, col->name);
			comma = ", ";
		}
}

void qt_line_row(struct qt_buf *out, const struct qt_stmt *st,
    const struct qt_redactor *redactor)
{
	int i, n = qt_stmt_ncol(st);

	for (i = 0; i < n; i++) {
		qt_buf_adds(out, i == 0 ? "{\"" : ",\"");
		qt_buf_adds(out, qt_stmt_colname(st, i));
		qt_buf_adds(out, "\":");
		put_column(out, st, i, redactor);
	}
	qt_buf_addc(out, '}');
}

void qt_line_message(struct qt_buf *out, const char *json,
    const struct qt_line *facts)
{
	const struct qt_capture *file;
	size_t len = strlen(json);
	char hex[QT_SHA256_HEX];

	qt_buf_add(out, json, len - 1); /* without its brace */
	if (len > 2)
		qt_buf_addc(out, ',');
	tell_file(out, facts->message);
	qt_buf_adds(out, ",\"found\":");
	qt_json_string(out, facts->found);
	if (facts->odd) {
		qt_buf_adds(out, ",\"name_b64\":\"");
		qt_base64(out, facts->id, strlen(facts->id));
		qt_buf_addc(out, '"');
	}
	file = facts->source != NULL ? &facts->source->file :
				       &facts->message->file;
	if (facts->source != NULL) {
		qt_digest_hex(facts->source->file.sums.of[QT_HASH_SHA256], hex);
		qt_buf_addf(out, ",\"source_size\":%llu,"
		    "\"source_sha256\":\"%s\"", (unsigned long long)
			qt_spill_size(&facts->source->file.bytes), hex);
	}
	tell_stat(out, file);
	qt_buf_adds(out, facts->more);
	if (facts->eml != NULL) {
		qt_buf_adds(out, ",\"eml\":{");
		tell_file(out, facts->eml);
		qt_buf_addc(out, '}');
	}
	tell_logs(out, facts->log);
	if (facts->problems[0] != '\0')
		qt_buf_addf(out, ",\"problems\":[%s]", facts->problems);
	qt_buf_adds(out, "}\n");
}

void qt_line_left(struct qt_buf *out, const char *queue, const char *id,
    const char *why)
{
	qt_buf_adds(out, "{\"queue_name\":");
	qt_json_string(out, queue);
	qt_buf_adds(out, ",\"queue_id\":");
	qt_json_string(out, id);
	qt_buf_adds(out, ",\"found\":null,\"why\":");
	qt_json_string(out, why);
	qt_buf_adds(out, ",\"text\":\"not taken out of the queue\"}\n");
}

static const char *item_word(enum qt_code code)
{
	switch (code) {
	case QT_E_GONE:
		return "gone";
	case QT_E_CHANGED:
		return "changed";
	case QT_E_DENIED:
		return "unreadable";
	default:
		return "failed";
	}
}

void qt_line_missing(struct qt_buf *out, enum qt_queue queue, const char *id,
    const char *found, const struct qt_error *why)
{
	qt_buf_addf(out, "{\"queue_name\":\"%s\",\"queue_id\":",
	    qt_queue_name(queue));
	qt_json_string(out, id);
	qt_buf_adds(out, ",\"found\":");
	qt_json_string(out, found);
	qt_buf_addf(out, ",\"why\":\"%s\",\"text\":", item_word(why->code));
	qt_json_string(out, why->text);
	qt_buf_adds(out, "}\n");
}

/*
 * line.c - one line of JSON for each message.
 */
#include "evidence/line.h"

#include <string.h>

#include "qtool/escape.h"

static void base64(struct qt_buf *out, const char *s, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)s;
	uint32_t v;
	size_t i, n;

	for (i = 0; i < len; i += 3) {
		n = len - i < 3 ? len - i : 3;
		v = (uint32_t)p[i] << 16;
		if (n > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (n > 2)
			v |= p[i + 2];
		qt_buf_addc(out, digits[v >> 18]);
		qt_buf_addc(out, digits[v >> 12 & 63]);
		qt_buf_addc(out, n > 1 ? digits[v >> 6 & 63] : '=');
		qt_buf_addc(out, n > 2 ? digits[v & 63] : '=');
	}
}

static long long ns(const struct timespec *t)
{
	return (long long)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* path, size and sha256 of a file in the bag. */
static void tell_file(struct qt_buf *out, const struct qt_member *p)
{
	char hex[QT_SHA256_HEX];

	qt_digest_hex(p->file.sum, hex);
	qt_buf_addf(out, "\"path\":\"%s\",\"size\":%llu,\"sha256\":\"%s\"",
	    p->member, (unsigned long long)qt_spill_size(&p->file.bytes), hex);
}

/* As it was in the queue, to be put back so. */
static void tell_stat(struct qt_buf *out, const struct stat *st)
{
	qt_buf_addf(out,
	    ",\"stat\":{\"dev\":%llu,\"ino\":%llu,\"mode\":\"%04o\","
	    "\"uid\":%u,\"gid\":%u,\"nlink\":%llu,\"mtime_ns\":%lld,"
	    "\"ctime_ns\":%lld}",
	    (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
	    (unsigned)st->st_mode & 07777, (unsigned)st->st_uid,
	    (unsigned)st->st_gid, (unsigned long long)st->st_nlink,
	    ns(&st->st_mtim), ns(&st->st_ctim));
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

void qt_line_message(struct qt_buf *out, const char *json,
    const struct qt_line *facts)
{
	size_t len = strlen(json);

	qt_buf_add(out, json, len - 1); /* without its brace */
	if (len > 2)
		qt_buf_addc(out, ',');
	tell_file(out, facts->message);
	qt_buf_adds(out, ",\"found\":");
	qt_json_string(out, facts->found);
	if (facts->odd) {
		qt_buf_adds(out, ",\"name_b64\":\"");
		base64(out, facts->id, strlen(facts->id));
		qt_buf_addc(out, '"');
	}
	tell_stat(out, &facts->message->file.st);
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

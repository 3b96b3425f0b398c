/*
 * fuzz_deferlog.c - entries are complete and printable; a torn append changes
 * nothing that was there before.
 */
#include "fuzz/input.h"
#include "qtool/deferlog.h"
#include "qtool/escape.h"
#include "unit/same_msg.h"

static void check_text(const char *s)
{
	size_t i;

	if (s == NULL)
		return;
	REQUIRE(qt_utf8_valid(s, strlen(s)));
	for (i = 0; s[i] != '\0'; i++)
		REQUIRE((unsigned char)s[i] >= ' ' && s[i] != 127);
}

static void check_entry(const struct qt_log_entry *e)
{
	REQUIRE(e->recipient != NULL && strcmp(e->recipient, "<>") != 0);
	REQUIRE(e->status != NULL && e->status[0] != '\0');
	REQUIRE(e->action != NULL && e->action[0] != '\0');
	REQUIRE(e->reason != NULL && e->reason[0] != '\0');
	REQUIRE(e->offset == -1 || e->offset > 0);
	REQUIRE(e->notify >= 0 && e->notify < 16);
	check_text(e->recipient);
	check_text(e->orig_recipient);
	check_text(e->dsn_orcpt);
	check_text(e->status);
	check_text(e->action);
	check_text(e->diag_type);
	check_text(e->diag_text);
	check_text(e->mta_type);
	check_text(e->mta_name);
	check_text(e->reason);
}

/* What a brief entry has is what the whole one says. */
static void check_brief(const struct qt_log_entry *e,
    const struct qt_log_entry *b)
{
	REQUIRE(same_text(b->recipient, e->recipient));
	REQUIRE(same_text(b->orig_recipient, e->orig_recipient));
	REQUIRE(same_text(b->status, e->status));
	REQUIRE(same_text(b->reason, e->reason));
	REQUIRE(b->offset == e->offset && b->notify == e->notify);
	REQUIRE(b->action == NULL && b->diag_text == NULL);
}

static size_t count(const char *log, size_t len, enum qt_log_kind kind)
{
	struct qt_log_reader r, b;
	struct qt_log_entry e, brief;
	struct qt_error err;
	struct qt_arena arena;
	size_t n = 0;

	qt_arena_init(&arena, 0);
	qt_log_reader_init(&r, log, len, kind);
	qt_log_reader_init(&b, log, len, kind);
	b.brief = true;
	while (qt_log_reader_next(&r, &e, &arena, &err) == 0) {
		check_entry(&e);
		REQUIRE(qt_log_reader_next(&b, &brief, &arena, &err) == 0);
		check_brief(&e, &brief);
		n++;
	}
	REQUIRE(r.pos == len);
	qt_arena_release(&arena);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char torn[] = "\n\n\nrecipient=x@y\nreason=z\n";
	static const char whole[] = "\n\n\nrecipient=x@y\nreason=z\n\n";
	struct qt_buf log;
	size_t n, ended;

	if (size < 1 || size > FUZZ_MAX)
		return 0;
	n = count((const char *)data + 1, size - 1, data[0] % 3);
	qt_buf_init(&log, 0);
	qt_buf_add(&log, data + 1, size - 1);
	qt_buf_adds(&log, "\n\n");
	ended = count(log.data, log.len, data[0] % 3);
	REQUIRE(ended == n || ended == n + 1);
	qt_buf_adds(&log, torn);
	REQUIRE(count(log.data, log.len, data[0] % 3) == ended);
	log.len -= sizeof torn - 1;
	qt_buf_adds(&log, whole);
	REQUIRE(count(log.data, log.len, data[0] % 3) == ended + 1);
	qt_buf_release(&log);
	return 0;
}

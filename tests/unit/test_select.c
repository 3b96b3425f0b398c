/*
 * test_select.c - selection options: which messages they mean, the SQL they
 * become, and the values they refuse.
 */
#include "unit/query_world.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OPTIONS 4

struct option_value {
	enum qt_sel opt;
	const char *value;
};

struct selection {
	const char *name;
	struct option_value v[OPTIONS];
	size_t n;
	const char *ids; /* of the messages, the last digits of AAAAA1 ... */
};

#define SEL(name, ids, ...) \
	{name, {__VA_ARGS__}, sizeof((struct option_value[]){__VA_ARGS__}) / \
	    sizeof(struct option_value), ids}

static const struct selection selections[] = {
	SEL("login, any case", "1 2", {QT_SEL_SASL, "JOE@EXAMPLE.COM"}),
	SEL("two logins", "1 2 3", {QT_SEL_SASL, "joe@example.com"},
	    {QT_SEL_SASL, "ANN"}),
	SEL("not a login: mail without one too", "3 4 5 6 7 8 9",
	    {QT_SEL_SASL, "!joe@example.com"}),
	SEL("login is no pattern", "", {QT_SEL_SASL, "*"}),
	SEL("sender", "1", {QT_SEL_SENDER, "Joe@example.com"}),
	SEL("sender pattern", "2 5", {QT_SEL_SENDER, "*@bank.example"}),
	SEL("senders, pattern or not", "1 2 5",
	    {QT_SEL_SENDER, "*@BANK.example"},
	    {QT_SEL_SENDER, "joe@example.com"}),
	SEL("no sender of these", "3 4 6 7 8 9",
	    {QT_SEL_SENDER, "!*@bank.example"},
	    {QT_SEL_SENDER, "!joe@example.com"}),
	SEL("one but not the other", "2", {QT_SEL_SENDER, "*@bank.example"},
	    {QT_SEL_SENDER, "!x*"}, {QT_SEL_CLASS, "!reinjected"}),
	SEL("all of these but one", "", {QT_SEL_SENDER, "*@bank.example"},
	    {QT_SEL_SENDER, "!ceo@*"}),
	SEL("null sender", "4", {QT_SEL_NULL_SENDER, NULL}),
	SEL("null sender, as logged", "4", {QT_SEL_SENDER, "<>"}),
	SEL("null sender or another", "1 4", {QT_SEL_NULL_SENDER, NULL},
	    {QT_SEL_SENDER, "joe@example.com"}),
	SEL("sender domain", "1", {QT_SEL_SENDER_DOMAIN, "EXAMPLE.com"}),
	SEL("below a sender domain", "1 2 3 5 6 7",
	    {QT_SEL_SENDER_DOMAIN, ".example"},
	    {QT_SEL_SENDER_DOMAIN, ".com"}),
	SEL("sender domain pattern", "2 5",
	    {QT_SEL_SENDER_DOMAIN, "ban?.*"}),
	SEL("recipient", "1", {QT_SEL_RCPT, "bob@OTHER.example"}),
	SEL("recipient that is done is not meant", "",
	    {QT_SEL_RCPT, "al@other.example"}),
	SEL("recipient pattern", "1 2 3 4 5 6", {QT_SEL_RCPT, "*@*.example"}),
	SEL("every recipient: not in part", "2 3 5 6",
	    {QT_SEL_RCPT, "x@*"}, {QT_SEL_EVERY_RCPT, NULL}),
	SEL("every recipient, two patterns", "1",
	    {QT_SEL_RCPT, "bob@*"}, {QT_SEL_RCPT, "eve@*"},
	    {QT_SEL_EVERY_RCPT, NULL}),
	SEL("every recipient, one of two patterns", "",
	    {QT_SEL_RCPT, "bob@*"}, {QT_SEL_EVERY_RCPT, NULL}),
	SEL("no such recipient, but some", "1 4 7",
	    {QT_SEL_RCPT, "!x@a.example"}, {QT_SEL_EVERY_RCPT, NULL}),
	SEL("recipient domain, IDN", "1",
	    {QT_SEL_RCPT_DOMAIN, "B\xc3\x9c" "CHER.example"}),
	SEL("every recipient domain, one without", "",
	    {QT_SEL_RCPT_DOMAIN, "x.y.co.uk"}, {QT_SEL_EVERY_RCPT, NULL}),
	SEL("any recipient domain", "7", {QT_SEL_RCPT_DOMAIN, ".co.uk"}),
	SEL("client network", "1 3", {QT_SEL_CLIENT, "198.51.100.0/24"}),
	SEL("client, IPv6", "2", {QT_SEL_CLIENT, "2001:db8::/32"}),
	SEL("clients", "1 2", {QT_SEL_CLIENT, "198.51.100.7"},
	    {QT_SEL_CLIENT, "2001:db8::7"}),
	SEL("not a client", "4 5 6 7 8 9", {QT_SEL_CLIENT, "!198.51.100.0/24"},
	    {QT_SEL_CLIENT, "!2001:db8::/32"}),
	SEL("HELO", "1 2 3", {QT_SEL_HELO, "PC"}),
	SEL("HELO pattern", "1 2 3", {QT_SEL_HELO, "p?"}),
	SEL("subject, decoded", "1",
	    {QT_SEL_SUBJECT, "(?i)^gr\xc3\xbc\xc3\x9f" "e"}),
	SEL("header", "1", {QT_SEL_HEADER, "x-mailer=^Mutt$"}),
	SEL("header, decoded", "1", {QT_SEL_HEADER, "Subject:=an alle$"}),
	SEL("header pattern with =", "", {QT_SEL_HEADER, "Subject=a=b"}),
	SEL("body", "1", {QT_SEL_BODY, "pills"}),
	SEL("body, but not the header", "", {QT_SEL_BODY, "Mutt"}),
	SEL("reason", "1", {QT_SEL_REASON, "timed out"}),
	SEL("no reason", "2 3 4 5 6 7 8 9", {QT_SEL_REASON, "!timed out"}),
	SEL("class", "2", {QT_SEL_CLASS, "forged"}),
	SEL("classes", "2 4 6", {QT_SEL_CLASS, "forged,bounce"},
	    {QT_SEL_CLASS, "local"}),
	SEL("no such class", "1 3 4 5 6 7 8 9", {QT_SEL_CLASS, "!forged"}),
	SEL("queue", "2 3", {QT_SEL_QUEUE, "hold"}),
	SEL("queues", "1 2 3 8 9", {QT_SEL_QUEUE, "hold,deferred"}),
	SEL("all queues but", "4 5 6 7", {QT_SEL_QUEUE, "!hold,deferred"}),
	SEL("state", "8", {QT_SEL_STATE, "corrupt"}),
	SEL("not ok", "8 9", {QT_SEL_STATE, "!ok"}),
	SEL("older", "1 2 3 4 5 6 7 8", {QT_SEL_OLDER, "2h"}),
	SEL("older than it is", "", {QT_SEL_OLDER, "3h"}),
	SEL("older to the second", "1 2 3 4 5 6 7 8", {QT_SEL_OLDER, "10000"}),
	SEL("newer is the rest", "", {QT_SEL_NEWER, "10000"},
	    {QT_SEL_STATE, "ok"}),
	SEL("newer", "1 2 3 4 5 6 7", {QT_SEL_NEWER, "3h"},
	    {QT_SEL_STATE, "ok"}),
	SEL("larger", "", {QT_SEL_LARGER, "1M"}),
	SEL("smaller", "1 2 3 4 5 6 7", {QT_SEL_SMALLER, "1M"},
	    {QT_SEL_STATE, "ok"}),
	SEL("ID", "2", {QT_SEL_ID, "AAAAA2"}),
	SEL("IDs with mailq's marks", "1 2 3", {QT_SEL_ID, "AAAAA1*"},
	    {QT_SEL_ID, "AAAAA2!"}, {QT_SEL_ID, "AAAAA3#"}),
	SEL("ID and something else", "", {QT_SEL_ID, "AAAAA2"},
	    {QT_SEL_CLASS, "local"}),
	SEL("IDs are case-sensitive", "", {QT_SEL_ID, "aaaaa2"}),
	SEL("WHERE", "2", {QT_SEL_WHERE, "sender LIKE 'ceo%' AND "
	    "sasl_username IS NOT NULL"}),
	SEL("WHERE is kept together", "1 2",
	    {QT_SEL_WHERE, "sender = '' OR 1"}, {QT_SEL_SASL, "joe@example.com"}),
	SEL("two WHEREs", "3 4", {QT_SEL_WHERE, "sender = ''"},
	    {QT_SEL_WHERE, "sasl_username = 'ann'"}),
	SEL("WHERE with quotes", "", {QT_SEL_WHERE, "sender = 'it''s) (--'"}),
	SEL("all", "1 2 3 4 5 6 7 8 9", {QT_SEL_ALL, NULL}),
	SEL("everything at once", "1", {QT_SEL_SASL, "joe@example.com"},
	    {QT_SEL_QUEUE, "deferred"}, {QT_SEL_CLIENT, "198.51.0.0/16"},
	    {QT_SEL_BODY, "(?i)PILLS"}),
};

static struct qt_select *new_select(void)
{
	struct qt_error err = {0};
	struct qt_select *s;

	world_must(qt_select_new(&s, &err), &err);
	return s;
}

static void add(struct qt_select *s, enum qt_sel opt, const char *value)
{
	struct qt_error err = {0};

	world_must(qt_select_add(s, opt, value, &err), &err);
}

/* The selected IDs' last characters, in order. */
static const char *select_ids(struct world *w, const char *where,
    const struct qt_bind *binds, size_t nbinds)
{
	struct qt_buf sql;
	int r;

	qt_buf_init(&sql, 0);
	qt_buf_addf(&sql, "SELECT group_concat(n, ' ') FROM (SELECT "
	    "substr(queue_id, 6) AS n FROM messages WHERE queue_id < 'B' AND %s "
	    "ORDER BY 1)", where);
	r = world_run(w, qt_buf_str(&sql), binds, nbinds);
	if (r != 1)
		fail_msg("%s\n%s: %s", qt_buf_str(&sql), w->err.where,
		    w->err.text);
	qt_buf_release(&sql);
	return strcmp(qt_buf_str(&w->out), "NULL") == 0 ? ""
	    : qt_buf_str(&w->out);
}

static const char *ids_of(struct world *w, struct qt_select *s)
{
	const struct qt_bind *binds;
	const char *where;
	size_t n;

	world_must(qt_select_sql(s, &where, &binds, &n, &w->err), &w->err);
	return select_ids(w, where, binds, n);
}

static void test_selection(void **state)
{
	const struct selection *sel = *state;
	struct qt_select *s = new_select();
	void *world;

	assert_int_equal(world_setup(&world), 0);
	for (size_t i = 0; i < sel->n; i++)
		add(s, sel->v[i].opt, sel->v[i].value);
	assert_string_equal(ids_of(world, s), sel->ids);
	qt_select_free(s);
	(void)world_teardown(&world);
}

/* ---- values that are refused ---- */

struct bad {
	enum qt_sel opt;
	const char *value, *where;
};

static const struct bad bads[] = {
	{QT_SEL_SASL, "", "--sasl"}, {QT_SEL_SASL, "!", "--sasl"},
	{QT_SEL_SENDER, "", "--sender"},
	{QT_SEL_SENDER_DOMAIN, "a@b", "--sender-domain"},
	{QT_SEL_SENDER_DOMAIN, ".", "--sender-domain"},
	{QT_SEL_RCPT, "!", "--rcpt"}, {QT_SEL_RCPT_DOMAIN, "..", "--rcpt-domain"},
	{QT_SEL_CLIENT, "41.0.0.0/99", "--client"},
	{QT_SEL_CLIENT, "joe", "--client"},
	{QT_SEL_SUBJECT, "(", "--subject"}, {QT_SEL_HEADER, "x", "--header"},
	{QT_SEL_HEADER, "=x", "--header"}, {QT_SEL_HEADER, "A=", "--header"},
	{QT_SEL_HEADER, "a b=x", "--header"}, {QT_SEL_HEADER, "A=[", "--header"},
	{QT_SEL_BODY, "*", "--body"}, {QT_SEL_REASON, "a)", "--reason"},
	{QT_SEL_CLASS, "spam", "--class"}, {QT_SEL_CLASS, "bounce,", "--class"},
	{QT_SEL_CLASS, ",", "--class"}, {QT_SEL_QUEUE, "defer", "--queue"},
	{QT_SEL_QUEUE, "hold, deferred", "--queue"},
	{QT_SEL_STATE, "good", "--state"}, {QT_SEL_OLDER, "x", "--older"},
	{QT_SEL_OLDER, "-1h", "--older"}, {QT_SEL_NEWER, "", "--newer"},
	{QT_SEL_LARGER, "10Q", "--larger"}, {QT_SEL_SMALLER, "-5", "--smaller"},
	{QT_SEL_ID, "", "queue ID"}, {QT_SEL_ID, "*", "queue ID"},
	{QT_SEL_ID, "../x", "queue ID"}, {QT_SEL_ID, "A B", "queue ID"},
	{QT_SEL_ID, "!AAAAA1", "queue ID"},
	{QT_SEL_IDS, "", "--ids"}, {QT_SEL_IDS, "/nonexistent/x", "--ids"},
	{QT_SEL_IDS, "/dev/null", "--ids"},
	{QT_SEL_WHERE, "", "--where"}, {QT_SEL_WHERE, "  ", "--where"},
	{QT_SEL_WHERE, "1) OR (1", "--where"}, {QT_SEL_WHERE, "1 --", "--where"},
	{QT_SEL_WHERE, "1 /* x", "--where"}, {QT_SEL_WHERE, "1; 2", "--where"},
	{QT_SEL_WHERE, "(1", "--where"}, {QT_SEL_WHERE, "')' = (1", "--where"},
	{QT_SEL_WHERE, "sender = 'x", "--where"},
	{QT_SEL_WHERE, "a = \"x", "--where"}, {QT_SEL_WHERE, "[a", "--where"},
	{QT_SEL_WHERE, "1 = ?1", "--where"}, {QT_SEL_WHERE, "1 = :a", "--where"},
	{QT_SEL_WHERE, "1 = @a", "--where"}, {QT_SEL_WHERE, "1 = $a", "--where"},
};

static void test_bad(void **state)
{
	const struct bad *b = *state;
	struct qt_select *s = new_select();
	const struct qt_bind *binds;
	struct qt_error err = {0};
	const char *where;
	size_t n;

	add(s, QT_SEL_SASL, "joe");
	assert_int_equal(qt_select_add(s, b->opt, b->value, &err), -1);
	assert_int_equal(err.code, QT_E_USAGE);
	assert_string_equal(err.where, b->where);
	/* and nothing of it is in the selection */
	world_must(qt_select_sql(s, &where, &binds, &n, &err), &err);
	assert_string_equal(where, "sasl_username = ?1 COLLATE NOCASE");
	assert_int_equal(n, 1);
	qt_select_free(s);
}

/* ---- the SQL ---- */

static void test_empty(void **state)
{
	struct qt_select *s = new_select();
	const struct qt_bind *binds;
	struct qt_error err = {0};
	const char *where;
	size_t n;

	(void)state;
	assert_false(qt_select_any(s));
	world_must(qt_select_sql(s, &where, &binds, &n, &err), &err);
	assert_string_equal(where, "1");
	assert_int_equal(n, 0);
	assert_int_equal(qt_select_nclauses(s), 0);
	add(s, QT_SEL_QUEUE, "hold");
	assert_false(qt_select_any(s));
	assert_int_equal(qt_select_queues(s), QT_Q_BIT(QT_Q_HOLD));
	add(s, QT_SEL_ALL, NULL);
	assert_true(qt_select_any(s));
	qt_select_free(s);
}

static void test_default_queues(void **state)
{
	struct world *w = *state;
	struct qt_select *s = new_select();

	add(s, QT_SEL_ALL, NULL);
	qt_select_default_queues(s, QT_Q_BIT(QT_Q_HOLD));
	assert_int_equal(qt_select_queues(s), 0);
	assert_string_equal(ids_of(w, s), "2 3");
	add(s, QT_SEL_QUEUE, "active");
	assert_string_equal(ids_of(w, s), "4");
	/* nothing is left: that is none, not all */
	add(s, QT_SEL_QUEUE, "!active");
	assert_string_equal(ids_of(w, s), "");
	qt_select_free(s);
}

static void test_values_are_bound(void **state)
{
	struct qt_select *s = new_select();
	const struct qt_bind *binds;
	struct qt_error err = {0};
	const char *where;
	size_t n;

	(void)state;
	add(s, QT_SEL_SENDER, "' OR '1");
	add(s, QT_SEL_OLDER, "1h");
	world_must(qt_select_sql(s, &where, &binds, &n, &err), &err);
	assert_string_equal(where, "sender = ?1 COLLATE NOCASE AND "
	    "age(arrival_time) >= ?2");
	assert_int_equal(n, 2);
	assert_string_equal(binds[0].text, "' OR '1");
	assert_int_equal(binds[1].type, QT_BIND_INT);
	assert_int_equal(binds[1].i, 3600);
	qt_select_free(s);
}

static void test_clauses(void **state)
{
	struct world *w = *state;
	struct qt_select *s = new_select();
	const struct qt_bind *binds;
	const char *label, *where;
	size_t n;

	add(s, QT_SEL_SASL, "joe@example.com");
	add(s, QT_SEL_SASL, "ann");
	add(s, QT_SEL_ID, "AAAAA2");
	assert_int_equal(qt_select_nclauses(s), 2);
	world_must(qt_select_clause(s, 0, &label, &where, &binds, &n, &w->err),
	    &w->err);
	assert_string_equal(label, "AAAAA2 (1 IDs)");
	assert_string_equal(select_ids(w, where, binds, n), "2");
	world_must(qt_select_clause(s, 1, &label, &where, &binds, &n, &w->err),
	    &w->err);
	assert_string_equal(label, "--sasl joe@example.com --sasl ann");
	assert_string_equal(select_ids(w, where, binds, n), "1 2 3");
	assert_int_equal(qt_select_clause(s, 2, &label, &where, &binds, &n,
	    &w->err), -1);
	qt_select_free(s);
}

static void test_every_alone(void **state)
{
	struct qt_select *s = new_select();
	const struct qt_bind *binds;
	struct qt_error err = {0};
	const char *where;
	size_t n;

	(void)state;
	add(s, QT_SEL_EVERY_RCPT, NULL);
	assert_false(qt_select_any(s));
	assert_int_equal(qt_select_sql(s, &where, &binds, &n, &err), -1);
	assert_int_equal(err.code, QT_E_USAGE);
	assert_string_equal(err.where, "--every-rcpt");
	qt_select_free(s);
}

/* Many values: no limit of SQLite's in the way. */
static void test_many_values(void **state)
{
	struct world *w = *state;
	struct qt_select *s = new_select();
	char value[64];

	for (int i = 0; i < 2000; i++) {
		(void)snprintf(value, sizeof value, "x%d@*", i);
		add(s, QT_SEL_SENDER, value);
		add(s, QT_SEL_RCPT, value);
		(void)snprintf(value, sizeof value, "user%d", i);
		add(s, QT_SEL_SASL, value);
	}
	add(s, QT_SEL_SASL, "ann");
	add(s, QT_SEL_RCPT, "x@a.*");
	add(s, QT_SEL_SENDER, "ann@*");
	assert_string_equal(ids_of(w, s), "3");
	qt_select_free(s);
}

/* ---- lists of IDs ---- */

static void write_list(struct world *w, const char *text, size_t len,
    char path[128])
{
	FILE *f;

	(void)snprintf(path, 128, "%s/list", w->dir);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void test_list(void **state)
{
	static const char text[] = "AAAAA1*\n  AAAAA2!\t AAAAA4#\r\n\nNONE\n";
	struct world *w = *state;
	struct qt_select *s = new_select();
	char path[128];

	write_list(w, text, sizeof text - 1, path);
	add(s, QT_SEL_IDS, path);
	assert_true(qt_select_any(s));
	assert_string_equal(ids_of(w, s), "1 2 4");
	/* operands are more of the same */
	add(s, QT_SEL_ID, "AAAAA6");
	assert_string_equal(ids_of(w, s), "1 2 4 6");
	qt_select_free(s);
}

static void test_list_bad(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		int64_t line;
		const char *says;
	} lists[] = {
		{"AAAAA1\n# comment\n", 17, 2, "line 2: # is not"},
		{"AAAAA1\nAAAAA2\n\n../x\n", 20, 4, "line 4: ../x is not"},
		{"A\x1b[31m\n", 7, 1, "\\x1B[31m is not"},
		{"A\0B\n", 4, 1, "is not"},
	};
	struct world *w = *state;
	char path[128];

	for (size_t i = 0; i < COUNT(lists); i++) {
		struct qt_select *s = new_select();
		struct qt_error err = {0};

		write_list(w, lists[i].text, lists[i].len, path);
		assert_int_equal(qt_select_add(s, QT_SEL_IDS, path, &err), -1);
		assert_int_equal(err.code, QT_E_USAGE);
		assert_int_equal(err.offset, lists[i].line);
		if (strstr(err.text, lists[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.text,
			    lists[i].says);
		/* not even the good ones before it */
		assert_false(qt_select_any(s));
		qt_select_free(s);
	}
}

/* Beyond what can be parameters. */
static void test_list_long(void **state)
{
	struct world *w = *state;
	struct qt_select *s = new_select();
	struct qt_buf b;
	char path[128];

	qt_buf_init(&b, 0);
	for (int i = 0; i < 100000; i++)
		qt_buf_addf(&b, "%X\n", 0x10000000 + i);
	qt_buf_adds(&b, "AAAAA3\nAAAAA5\nAAAAA3\n");
	write_list(w, b.data, b.len, path);
	add(s, QT_SEL_IDS, path);
	assert_string_equal(ids_of(w, s), "3 5");
	qt_select_free(s);
	qt_buf_release(&b);
}

/* ---- all of them ---- */

int main(void)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test_setup_teardown(test_default_queues, world_setup,
		    world_teardown),
		cmocka_unit_test(test_values_are_bound),
		cmocka_unit_test_setup_teardown(test_clauses, world_setup,
		    world_teardown),
		cmocka_unit_test(test_every_alone),
		cmocka_unit_test_setup_teardown(test_many_values, world_setup,
		    world_teardown),
		cmocka_unit_test_setup_teardown(test_list, world_setup,
		    world_teardown),
		cmocka_unit_test_setup_teardown(test_list_bad, world_setup,
		    world_teardown),
		cmocka_unit_test_setup_teardown(test_list_long, world_setup,
		    world_teardown)};
	struct CMUnitTest tests[COUNT(selections) + COUNT(bads) + COUNT(fixed)];
	static char names[COUNT(bads)][64];
	size_t n = 0;

	for (size_t i = 0; i < COUNT(selections); i++)
		tests[n++] = (struct CMUnitTest){.name = selections[i].name,
		    .test_func = test_selection,
		    .initial_state = (void *)(uintptr_t)&selections[i]};
	for (size_t i = 0; i < COUNT(bads); i++) {
		(void)snprintf(names[i], sizeof names[i], "refused: %s '%s'",
		    bads[i].where, bads[i].value);
		tests[n++] = (struct CMUnitTest){.name = names[i],
		    .test_func = test_bad,
		    .initial_state = (void *)(uintptr_t)&bads[i]};
	}
	memcpy(tests + n, fixed, sizeof fixed);
	return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}

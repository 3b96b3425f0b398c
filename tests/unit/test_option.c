/*
 * test_option.c - command lines, help and the values of options.
 */
#include "qtool/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])
#define ARGS_MAX 12

static const struct qt_option selection[] = {
    {"sasl", 's', "NAME", 1, "login name"},
    {"sender-domain", 0, "DOMAIN", 2, "domain of the envelope sender"},
    {0},
};
static const struct qt_option change[] = {
    {"yes", 'y', NULL, 3, "do not ask"},
    {"dry-run", 'n', NULL, 4, "stop before the question"},
    {"refused", 0, "X", 5, "a value the command refuses"},
    {0},
};
static const struct qt_option_group groups[] = {
    {"Selection", selection},
    {"Change", change},
};

/* Writes what it is called with into the buffer that is ctx. */
static int record(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	if (opt->id == 5)
		return qt_fail(err, QT_E_USAGE, "", "'%s' is refused", value);
	qt_buf_addf(ctx, "%s%s%s;", opt->name, value != NULL ? "=" : "",
	    value != NULL ? value : "");
	return 0;
}

static const struct line_case {
	const char *name;
	const char *args[ARGS_MAX];
	bool stop_at_operand;
	const char *calls;    /* the options in order */
	const char *operands; /* each followed by a blank; NULL: an error */
	const char *where;    /* of the error */
	const char *text;     /* something the error says */
} lines[] = {
    {"nothing", {0}, false, "", "", NULL, NULL},
    {"long and short", {"--sasl", "bob", "-y", "-n"}, false,
	"sasl=bob;yes;dry-run;", "", NULL, NULL},
    {"value with =", {"--sasl=a=b"}, false, "sasl=a=b;", "", NULL, NULL},
    {"empty value with =", {"--sasl="}, false, "sasl=;", "", NULL, NULL},
    {"empty separate value", {"--sasl", ""}, false, "sasl=;", "", NULL, NULL},
    {"value joined to the letter", {"-sbob"}, false, "sasl=bob;", "", NULL,
	NULL},
    {"value after the letter", {"-s", "bob"}, false, "sasl=bob;", "", NULL,
	NULL},
    {"bundled flags, the last with a value", {"-ynsbob"}, false,
	"yes;dry-run;sasl=bob;", "", NULL, NULL},
    {"operands between options", {"A", "-y", "B", "--sasl", "x", "C"}, false,
	"yes;sasl=x;", "A B C ", NULL, NULL},
    {"-- ends the options", {"A", "--", "-y", "--", "B"}, false, "",
	"A -y -- B ", NULL, NULL},
    {"- is an operand", {"-", "-y"}, false, "yes;", "- ", NULL, NULL},
    {"stops at the command", {"-y", "list", "-n", "--sasl", "x"}, true,
	"yes;", "list -n --sasl x ", NULL, NULL},
    {"-- before the command", {"-y", "--", "-n"}, true, "yes;", "-n ", NULL,
	NULL},
    {"no command at all", {"-y"}, true, "yes;", "", NULL, NULL},
    {"value that begins with a dash", {"--sasl", "-bob"}, false,
	"sasl=-bob;", "", NULL, NULL},
    {"an option in place of the value", {"--sasl", "--yes"}, false, "", NULL,
	"--sasl", "--yes is an option itself"},
    {"a letter in place of the value", {"-s", "-y"}, false, "", NULL,
	"--sasl", "-y is an option itself"},
    {"the end of options in place of the value", {"--sasl", "--", "x"}, false,
	"", NULL, "--sasl", "NAME is missing"},
    {"that value after =", {"--sasl=--yes"}, false, "sasl=--yes;", "", NULL,
	NULL},
    {"value missing at the end", {"-y", "--sasl"}, false, "yes;", NULL,
	"--sasl", "NAME is missing"},
    {"flag with a value", {"--yes=1"}, false, "", NULL, "--yes",
	"takes no value"},
    {"unknown, a letter swapped", {"--salsx", "x"}, false, "", NULL,
	"--salsx", "--sasl"},
    {"unknown, with a value", {"--sassl=bob"}, false, "", NULL, "--sassl",
	"--sasl"},
    {"an abbreviation is refused", {"--sender"}, false, "", NULL, "--sender",
	"--sender-domain"},
    {"a unique prefix is refused", {"--ye"}, false, "", NULL, "--ye",
	"--yes"},
    {"long option with one dash", {"-sasl", "bob"}, false, "", NULL, "-sasl",
	"--sasl"},
    {"unknown letter in a bundle", {"-yz"}, false, "yes;", NULL, "-yz", "-z"},
    {"unknown option is shown printable", {"--\033[2J"}, false, "", NULL,
	"--\\x1B[2J", "no such option"},
    {"name missing", {"--=x"}, false, "", NULL, "--", "no such option"},
    {"the command's refusal names the option", {"--refused", "v"}, false, "",
	NULL, "--refused", "'v' is refused"},
};

static void check_operands(const struct line_case *c, char **argv, int index,
    int n)
{
	struct qt_buf b;
	int i;

	qt_buf_init(&b, 0);
	for (i = 0; i < n; i++)
		qt_buf_addf(&b, "%s ", argv[index + i]);
	assert_string_equal(qt_buf_str(&b), c->operands);
	qt_buf_release(&b);
}

static void check_line(void **state)
{
	const struct line_case *c = *state;
	char *argv[ARGS_MAX + 1] = {strdup("qtool")}, *all[ARGS_MAX + 1];
	struct qt_error err = {0};
	int argc = 1, index = 1, n = -7, r, i;
	struct qt_buf calls;

	while (argc <= ARGS_MAX && c->args[argc - 1] != NULL) {
		argv[argc] = strdup(c->args[argc - 1]);
		argc++;
	}
	memcpy(all, argv, sizeof all);
	qt_buf_init(&calls, 0);
	r = qt_options_parse(groups, LENGTH(groups), argc, argv, &index,
	    c->stop_at_operand, &n, record, &calls, &err);
	assert_string_equal(qt_buf_str(&calls), c->calls);
	if (c->operands != NULL) {
		assert_int_equal(r, 0);
		assert_int_equal(err.code, QT_OK);
		check_operands(c, argv, index, n);
	} else {
		assert_int_equal(r, -1);
		assert_int_equal(err.code, QT_E_USAGE);
		assert_string_equal(err.where, c->where);
		assert_non_null(strstr(err.text, c->text));
		assert_int_equal(index, 1);
		assert_int_equal(n, -7);
	}
	qt_buf_release(&calls);
	for (i = 0; i < argc; i++)
		free(all[i]);
}

static void nothing_alike_is_not_suggested(void **state)
{
	char name[] = "qtool", arg[] = "--zzzzzzzz", *argv[] = {name, arg, NULL};
	struct qt_error err;
	int index = 1, n;

	(void)state;
	assert_int_equal(qt_options_parse(groups, LENGTH(groups), 2, argv,
	    &index, false, &n, record, NULL, &err), -1);
	assert_string_equal(err.text, "no such option");
}

static void help_is_aligned_over_all_groups(void **state)
{
	static const char want[] =
	    "Selection:\n"
	    "  -s, --sasl NAME             login name\n"
	    "      --sender-domain DOMAIN  domain of the envelope sender\n"
	    "\n"
	    "Change:\n"
	    "  -y, --yes                   do not ask\n"
	    "  -n, --dry-run               stop before the question\n"
	    "      --refused X             a value the command refuses\n";
	struct qt_buf b;

	(void)state;
	qt_buf_init(&b, 0);
	qt_options_help(&b, groups, LENGTH(groups));
	assert_string_equal(qt_buf_str(&b), want);
	qt_buf_release(&b);
}

/* ---- values ---- */

typedef int parse_fn(const char *s, int64_t *value, struct qt_error *err);

static int count_1_100(const char *s, int64_t *v, struct qt_error *err)
{
	return qt_parse_count(s, 1, 100, v, err);
}

static int count_any(const char *s, int64_t *v, struct qt_error *err)
{
	return qt_parse_count(s, INT64_MIN, INT64_MAX, v, err);
}

static const struct value_case {
	const char *name;
	parse_fn *parse;
	const char *in;
	int64_t want; /* -1 with ok false: refused */
	bool ok;
} values[] = {
    {"age: bare number", qt_parse_age, "90", 90, true},
    {"age: nothing old", qt_parse_age, "0", 0, true},
    {"age: seconds", qt_parse_age, "90s", 90, true},
    {"age: minutes", qt_parse_age, "15m", 900, true},
    {"age: hours", qt_parse_age, "2h", 7200, true},
    {"age: days", qt_parse_age, "3d", 259200, true},
    {"age: weeks", qt_parse_age, "1w", 604800, true},
    {"age: combined", qt_parse_age, "1h30m", 5400, true},
    {"age: all units", qt_parse_age, "1w1d1h1m1s", 694861, true},
    {"age: largest", qt_parse_age, "9223372036854775807", INT64_MAX, true},
    {"age: empty", qt_parse_age, "", -1, false},
    {"age: negative", qt_parse_age, "-1h", -1, false},
    {"age: plus sign", qt_parse_age, "+1h", -1, false},
    {"age: unit alone", qt_parse_age, "h", -1, false},
    {"age: unknown unit", qt_parse_age, "1y", -1, false},
    {"age: capital unit", qt_parse_age, "1H", -1, false},
    {"age: blank before", qt_parse_age, " 1h", -1, false},
    {"age: blank between", qt_parse_age, "1 h", -1, false},
    {"age: garbage after", qt_parse_age, "1h!", -1, false},
    {"age: fraction", qt_parse_age, "1.5h", -1, false},
    {"age: number without unit after one with", qt_parse_age, "1h30", -1,
	false},
    {"age: short unit before the long", qt_parse_age, "30m1h", -1, false},
    {"age: unit twice", qt_parse_age, "1h1h", -1, false},
    {"age: digits overflow", qt_parse_age, "9223372036854775808", -1, false},
    {"age: unit overflows", qt_parse_age, "9223372036854775807w", -1, false},
    {"age: sum overflows", qt_parse_age, "15250284452471w3600d", -1, false},
    {"size: bytes", qt_parse_size, "10", 10, true},
    {"size: K", qt_parse_size, "10K", 10240, true},
    {"size: small k", qt_parse_size, "10k", 10240, true},
    {"size: M", qt_parse_size, "4M", 4194304, true},
    {"size: G", qt_parse_size, "2G", INT64_C(2147483648), true},
    {"size: T", qt_parse_size, "1T", INT64_C(1099511627776), true},
    {"size: empty", qt_parse_size, "", -1, false},
    {"size: negative", qt_parse_size, "-1", -1, false},
    {"size: unknown unit", qt_parse_size, "1X", -1, false},
    {"size: two letters", qt_parse_size, "1KB", -1, false},
    {"size: unit alone", qt_parse_size, "K", -1, false},
    {"size: fraction", qt_parse_size, "1.5G", -1, false},
    {"size: overflow", qt_parse_size, "8388608T", -1, false},
    {"size: just below overflow", qt_parse_size, "8388607T",
	INT64_C(8388607) << 40, true},
    {"count: least", count_1_100, "1", 1, true},
    {"count: most", count_1_100, "100", 100, true},
    {"count: leading zeros", count_1_100, "007", 7, true},
    {"count: too small", count_1_100, "0", -1, false},
    {"count: too large", count_1_100, "101", -1, false},
    {"count: far too large", count_1_100, "99999999999999999999", -1, false},
    {"count: negative", count_1_100, "-5", -1, false},
    {"count: negative where allowed", count_any, "-5", -5, true},
    {"count: largest", count_any, "9223372036854775807", INT64_MAX, true},
    {"count: empty", count_1_100, "", -1, false},
    {"count: sign alone", count_any, "-", -1, false},
    {"count: plus sign", count_1_100, "+5", -1, false},
    {"count: blank before", count_1_100, " 5", -1, false},
    {"count: garbage after", count_1_100, "5x", -1, false},
    {"count: hexadecimal", count_1_100, "0x10", -1, false},
};

static void check_value(void **state)
{
	const struct value_case *c = *state;
	struct qt_error err = {0};
	int64_t v = -77;

	assert_int_equal(c->parse(c->in, &v, &err), c->ok ? 0 : -1);
	assert_int_equal(v, c->ok ? c->want : -77);
	assert_int_equal(err.code, c->ok ? QT_OK : QT_E_USAGE);
	/* the user sees what was refused */
	assert_true(c->ok || strstr(err.text, c->in) != NULL);
}

int main(void)
{
	static const struct CMUnitTest plain[] = {
	    cmocka_unit_test(nothing_alike_is_not_suggested),
	    cmocka_unit_test(help_is_aligned_over_all_groups),
	};
	struct CMUnitTest tests[LENGTH(lines) + LENGTH(values) + LENGTH(plain)] =
	    {0};
	size_t i, n = 0;

	for (i = 0; i < LENGTH(lines); i++, n++)
		tests[n] = (struct CMUnitTest){.name = lines[i].name,
		    .test_func = check_line,
		    .initial_state = (void *)(uintptr_t)&lines[i]};
	for (i = 0; i < LENGTH(values); i++, n++)
		tests[n] = (struct CMUnitTest){.name = values[i].name,
		    .test_func = check_value,
		    .initial_state = (void *)(uintptr_t)&values[i]};
	memcpy(tests + n, plain, sizeof plain);
	return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}

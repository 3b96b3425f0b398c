/*
 * option.c - command line options from tables, and the values they take.
 *
 * getopt_long is not used: it abbreviates, prints, keeps static state, and
 * takes "--yes" for the value of the option before it when a script's variable
 * was empty.
 */
#include "qtool/option.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qtool/escape.h"

/* The options of one call, and how far it is. */
struct parse {
	const struct qt_option_group *groups;
	size_t ngroups;
	int argc;
	char **argv;
	int next; /* index of the argument to look at */
	qt_option_fn *fn;
	void *ctx;
	struct qt_error *err;
};

/* Made printable and cut: what the user typed, for an error. */
struct shown {
	char text[64];
};

static struct shown show(const char *s, size_t len)
{
	struct shown sh;
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_escape_term(&b, s, len < sizeof sh.text ? len : sizeof sh.text);
	(void)strlcpy(sh.text, qt_buf_str(&b), sizeof sh.text);
	qt_buf_release(&b);
	return sh;
}

/* ---- looking up ---- */

static const struct qt_option *find_long(const struct parse *p,
    const char *name, size_t len)
{
	const struct qt_option *o;
	size_t i;

	for (i = 0; i < p->ngroups; i++)
		for (o = p->groups[i].options; o->name != NULL; o++)
			if (strlen(o->name) == len &&
			    memcmp(o->name, name, len) == 0)
				return o;
	return NULL;
}

static const struct qt_option *find_letter(const struct parse *p, char letter)
{
	const struct qt_option *o;
	size_t i;

	for (i = 0; i < p->ngroups && letter != '\0'; i++)
		for (o = p->groups[i].options; o->name != NULL; o++)
			if (o->letter == letter)
				return o;
	return NULL;
}

/* Longest name that is compared; longer ones have no likeness to any. */
#define NAME_MAX_COMPARED 48

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * How many letters must be put in, left out, changed, or swapped with their
 * neighbour to make one name of the other.
 */
static size_t distance(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t row[3][NAME_MAX_COMPARED + 1], i, j;
	size_t *before = row[0], *above = row[1], *cur = row[2], *t;

	for (j = 0; j <= blen; j++)
		before[j] = above[j] = j;
	for (i = 1; i <= alen; i++) {
		cur[0] = i;
		for (j = 1; j <= blen; j++) {
			cur[j] = least(above[j], cur[j - 1]) + 1;
			cur[j] = least(cur[j],
			    above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				cur[j] = least(cur[j], before[j - 2] + 1);
		}
		t = before;
		before = above;
		above = cur;
		cur = t;
	}
	return above[blen];
}

/*
 * The existing name most like this one; NULL when none is like it: more than
 * half of it would have to change and it is not the beginning of a name.
 */
static const char *closest(const struct parse *p, const char *name, size_t len)
{
	const struct qt_option *o;
	const char *best = NULL;
	size_t best_d = SIZE_MAX, d, i, olen;

	if (len == 0 || len > NAME_MAX_COMPARED)
		return NULL;
	for (i = 0; i < p->ngroups; i++) {
		for (o = p->groups[i].options; o->name != NULL; o++) {
			olen = strlen(o->name);
			if (olen > NAME_MAX_COMPARED)
				continue;
			d = distance(name, len, o->name, olen);
			if (d > (len + 1) / 2 &&
			    strncmp(name, o->name, len) != 0)
				continue;
			if (d < best_d) {
				best_d = d;
				best = o->name;
			}
		}
	}
	return best;
}

static int fail_unknown(const struct parse *p, const char *arg, size_t arglen,
    const char *name, size_t len)
{
	const char *like = closest(p, name, len);
	struct shown sh = show(arg, arglen);

	if (like != NULL)
		return qt_fail(p->err, QT_E_USAGE, sh.text,
		    "no such option; the closest is --%s", like);
	return qt_fail(p->err, QT_E_USAGE, sh.text, "no such option");
}

/* ---- one option ---- */

static int fail_option(const struct parse *p, const struct qt_option *o,
    const char *fmt, ...) QT_PRINTF(3, 4);

static int fail_option(const struct parse *p, const struct qt_option *o,
    const char *fmt, ...)
{
	char text[sizeof p->err->text], where[sizeof p->err->where];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)snprintf(where, sizeof where, "--%s", o->name);
	return qt_fail(p->err, QT_E_USAGE, where, "%s", text);
}

/* The caller's function; an error that names no place gets the option's. */
static int deliver(const struct parse *p, const struct qt_option *o,
    const char *value)
{
	struct qt_error *err = p->err;

	if (p->fn(p->ctx, o, value, err) == 0)
		return 0;
	if (err != NULL && err->where[0] == '\0' && err->text[0] != '-')
		(void)snprintf(err->where, sizeof err->where, "--%s", o->name);
	return -1;
}

/* Whether an argument is itself an option that the tables have. */
static bool is_known_option(const struct parse *p, const char *arg)
{
	if (arg[0] != '-' || arg[1] == '\0')
		return false;
	if (arg[1] == '-')
		return arg[2] == '\0' ||
		    find_long(p, arg + 2, strcspn(arg + 2, "=")) != NULL;
	return arg[2] == '\0' && find_letter(p, arg[1]) != NULL;
}

/* The value that is the next argument. */
static int next_value(struct parse *p, const struct qt_option *o,
    const char **value)
{
	const char *v;

	if (p->next >= p->argc)
		return fail_option(p, o, "%s is missing", o->arg);
	v = p->argv[p->next];
	if (is_known_option(p, v))
		return fail_option(p, o,
		    "%s is missing: %s is an option itself (--%s=%s if it is "
		    "meant)", o->arg, show(v, strlen(v)).text, o->name,
		    show(v, strlen(v)).text);
	p->next++;
	*value = v;
	return 0;
}

/* arg is "--name" or "--name=value". */
static int parse_long(struct parse *p, const char *arg)
{
	const char *name = arg + 2, *value = NULL;
	size_t len = strcspn(name, "=");
	const struct qt_option *o = find_long(p, name, len);

	if (o == NULL)
		return fail_unknown(p, arg, len + 2, name, len);
	if (name[len] == '=')
		value = name + len + 1;
	if (o->arg == NULL && value != NULL)
		return fail_option(p, o, "takes no value");
	if (o->arg != NULL && value == NULL && next_value(p, o, &value) < 0)
		return -1;
	return deliver(p, o, value);
}

/* arg is "-abc", flags, the last of them perhaps with its value. */
static int parse_letters(struct parse *p, const char *arg)
{
	const struct qt_option *o;
	const char *s, *value;

	/* -sasl is a slip for --sasl, not -s with the value "asl" */
	if (arg[2] != '\0' &&
	    find_long(p, arg + 1, strcspn(arg + 1, "=")) != NULL)
		return fail_unknown(p, arg, strlen(arg), arg + 1,
		    strcspn(arg + 1, "="));
	for (s = arg + 1; *s != '\0'; s++) {
		o = find_letter(p, *s);
		if (o == NULL && s == arg + 1)
			return fail_unknown(p, arg, strlen(arg), arg + 1,
			    strlen(arg + 1));
		if (o == NULL)
			return qt_fail(p->err, QT_E_USAGE,
			    show(arg, strlen(arg)).text,
			    "no such option: -%s", show(s, 1).text);
		if (o->arg == NULL) {
			if (deliver(p, o, NULL) < 0)
				return -1;
			continue;
		}
		value = s + 1;
		if (*value == '\0' && next_value(p, o, &value) < 0)
			return -1;
		return deliver(p, o, value);
	}
	return 0;
}

/* ---- all arguments ---- */

static bool is_operand(const char *arg)
{
	/* "-" alone means standard input */
	return arg[0] != '-' || arg[1] == '\0';
}

int qt_options_parse(const struct qt_option_group *groups, size_t ngroups,
    int argc, char **argv, int *index, bool stop_at_operand, int *noperands,
    qt_option_fn *fn, void *ctx, struct qt_error *err)
{
	struct parse p = {groups, ngroups, argc, argv, *index, fn, ctx, err};
	int first = *index, n = 0, r;
	const char *arg;

	while (p.next < argc) {
		arg = argv[p.next];
		if (is_operand(arg)) {
			if (stop_at_operand)
				break;
			argv[first + n++] = argv[p.next++];
			continue;
		}
		p.next++;
		if (strcmp(arg, "--") == 0)
			break;
		r = arg[1] == '-' ? parse_long(&p, arg) :
				    parse_letters(&p, arg);
		if (r < 0)
			return -1;
	}
	if (stop_at_operand)
		first = p.next;
	while (p.next < argc)
		argv[first + n++] = argv[p.next++];
	*index = first;
	*noperands = n;
	return 0;
}

/* ---- help ---- */

/* Where help texts start at the latest; longer options go over it. */
#define HELP_COLUMN_MAX 32

/* Columns of "  -w, --where SQL". */
static size_t left_width(const struct qt_option *o)
{
	size_t n = 8 + qt_term_width(o->name, strlen(o->name));

	if (o->arg != NULL)
		n += 1 + qt_term_width(o->arg, strlen(o->arg));
	return n;
}

static size_t help_column(const struct qt_option_group *groups, size_t ngroups)
{
	const struct qt_option *o;
	size_t i, n, column = 0;

	for (i = 0; i < ngroups; i++) {
		for (o = groups[i].options; o->name != NULL; o++) {
			n = left_width(o) + 2;
			if (n > column && n <= HELP_COLUMN_MAX)
				column = n;
		}
	}
	return column;
}

static void help_option(struct qt_buf *out, const struct qt_option *o,
    size_t column)
{
	size_t n = left_width(o);

	if (o->letter != '\0')
		qt_buf_addf(out, "  -%c, --%s", o->letter, o->name);
	else
		qt_buf_addf(out, "      --%s", o->name);
	if (o->arg != NULL)
		qt_buf_addf(out, " %s", o->arg);
	if (o->help != NULL)
		qt_buf_addf(out, "%*s%s",
		    n + 2 > column ? 2 : (int)(column - n), "", o->help);
	qt_buf_addc(out, '\n');
}

void qt_options_help(struct qt_buf *out, const struct qt_option_group *groups,
    size_t ngroups)
{
	size_t column = help_column(groups, ngroups), i;
	const struct qt_option *o;

	for (i = 0; i < ngroups; i++) {
		if (groups[i].options->name == NULL)
			continue;
		qt_buf_addf(out, "%s%s:\n", out->len != 0 ? "\n" : "",
		    groups[i].title);
		for (o = groups[i].options; o->name != NULL; o++)
			help_option(out, o, column);
	}
}

/* ---- values ---- */

/* Digits at *s into *v; *s moves behind them.  -1: none, or too many. */
static int take_number(const char **s, int64_t *v)
{
	int64_t n = 0;

	if (!isdigit((unsigned char)**s))
		return -1;
	for (; isdigit((unsigned char)**s); (*s)++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, **s - '0', &n))
			return -1;
	*v = n;
	return 0;
}

static int fail_value(struct qt_error *err, const char *s, const char *want)
{
	return qt_fail(err, QT_E_USAGE, "", "'%s' is not %s",
	    show(s, strlen(s)).text, want);
}

int qt_parse_age(const char *s, int64_t *seconds, struct qt_error *err)
{
	static const char units[] = "wdhms";
	static const int64_t factor[] = {604800, 86400, 3600, 60, 1};
	static const char want[] = "an age: write 90s, 15m, 2h, 3d, 1w or 1h30m";
	const char *p = s, *u, *from = units;
	int64_t total = 0, n;

	do {
		if (take_number(&p, &n) < 0)
			return fail_value(err, s, want);
		/* a bare number only alone: what would 1h30 be */
		if (*p == '\0' && from == units) {
			*seconds = n;
			return 0;
		}
		/* each unit once and the longer first, so a slip is seen */
		u = *p != '\0' ? strchr(from, *p) : NULL;
		if (u == NULL ||
		    __builtin_mul_overflow(n, factor[u - units], &n) ||
		    __builtin_add_overflow(total, n, &total))
			return fail_value(err, s, want);
		from = u + 1;
		p++;
	} while (*p != '\0');
	*seconds = total;
	return 0;
}

int qt_parse_size(const char *s, int64_t *bytes, struct qt_error *err)
{
	static const char units[] = "KMGT";
	static const char want[] = "a size: write bytes, or 10K, 4M, 2G, 1T";
	const char *p = s, *u;
	int64_t n;

	if (take_number(&p, &n) < 0)
		return fail_value(err, s, want);
	if (*p != '\0') {
		u = strchr(units, toupper((unsigned char)*p));
		if (u == NULL || p[1] != '\0' ||
		    __builtin_mul_overflow(n,
			INT64_C(1) << (10 * (u - units + 1)), &n))
			return fail_value(err, s, want);
	}
	*bytes = n;
	return 0;
}

int qt_parse_count(const char *s, int64_t min, int64_t max, int64_t *value,
    struct qt_error *err)
{
	const char *digits = s[0] == '-' ? s + 1 : s, *reason;
	long long n;

	/* strtonum would skip blanks and take a plus sign */
	if (digits[0] == '\0' || digits[strspn(digits, "0123456789")] != '\0')
		return fail_value(err, s, "a number");
	n = strtonum(s, min, max, &reason);
	if (reason != NULL)
		return qt_fail(err, QT_E_USAGE, "",
		    "%s is not between %lld and %lld", show(s, strlen(s)).text,
		    (long long)min, (long long)max);
	*value = n;
	return 0;
}

/*
 * select_where.c - a user's WHERE clause is put in parentheses between others:
 * it must not be able to leave them.
 *
 * Only tokens are looked at (sqlite.org/lang_expr.html); whether the expression
 * makes sense SQLite says.  Parameters are refused because ours are numbered,
 * comments because one could hide the closing parenthesis.
 */
#include <string.h>

#include "query/select_priv.h"

static int fail(struct qt_error *err, size_t offset, const char *why)
{
	return qt_fail_at(err, QT_E_USAGE, "--where", (int64_t)offset,
	    "%s (at character %zu)", why, offset + 1);
}

/* Past a quoted token that begins at s[i]; 0 when it does not end. */
static size_t skip_quotes(const char *s, size_t i)
{
	const char close = s[i] == '[' ? ']' : s[i];

	for (i++; s[i] != '\0'; i++) {
		if (s[i] != close)
			continue;
		if (close == ']' || s[i + 1] != close)
			return i + 1;
		i++; /* a doubled quote is one of the text */
	}
	return 0;
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

/* What may not stand outside quotes; NULL when s[i] is fine. */
static const char *forbidden(const char *s, size_t i)
{
	if ((s[i] == '-' && s[i + 1] == '-') || (s[i] == '/' && s[i + 1] == '*'))
		return "comments are not allowed";
	if (s[i] == ';')
		return "a semicolon is not allowed";
	if (strchr("?:@#", s[i]) != NULL ||
	    (s[i] == '$' && (i == 0 || !is_word(s[i - 1]))))
		return "parameters are not allowed";
	return NULL;
}

int select_check_where(const char *text, struct qt_error *err)
{
	size_t i = 0, depth = 0, open = 0, next;
	const char *why;

	while (text[i] != '\0') {
		if (strchr("'\"`[", text[i]) != NULL) {
			next = skip_quotes(text, i);
			if (next == 0)
				return fail(err, i, "a quote is not closed");
			i = next;
			continue;
		}
		why = forbidden(text, i);
		if (why != NULL)
			return fail(err, i, why);
		if (text[i] == '(' && depth++ == 0)
			open = i;
		if (text[i] == ')' && depth-- == 0)
			return fail(err, i, "a parenthesis too many");
		i++;
	}
	if (depth != 0)
		return fail(err, open, "a parenthesis is not closed");
	if (text[strspn(text, " \t\r\n\f\v")] == '\0')
		return fail(err, 0, "the clause is empty");
	return 0;
}

/*
 * regexp.c - PCRE2, 8-bit library.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "query/regexp.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define PATTERN_MAX 65536
/* Backtracks and nesting of one match: some tenths of a second. */
#define MATCH_LIMIT 10000000
#define DEPTH_LIMIT 10000
#define HEAP_LIMIT 20000 /* KiB */
#define JIT_STACK_MIN ((size_t)32 << 10)
#define JIT_STACK_MAX ((size_t)1 << 20)

struct regexp {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack; /* NULL: the machine's, 32 KiB */
	char pattern[64];	/* its beginning, for messages */
};

static int bad_pattern(int code, size_t offset, const char *pattern,
    struct qt_error *err)
{
	PCRE2_UCHAR text[160];

	if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
		return qt_fail_mem(err);
	(void)pcre2_get_error_message(code, text, sizeof text);
	return qt_fail_at(err, QT_E_USAGE, pattern, (int64_t)offset,
	    "regular expression: %s at offset %zu", (const char *)text, offset);
}

static int compile(struct regexp *re, const char *pattern, size_t len,
    struct qt_error *err)
{
	PCRE2_SIZE offset = 0;
	int code = 0;

	/* \C could split a character, and forbids JIT in UTF mode */
	re->code = pcre2_compile((PCRE2_SPTR)pattern, len,
	    PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code,
	    &offset, NULL);
	if (re->code == NULL)
		return bad_pattern(code, offset, re->pattern, err);
	/* without JIT (no writable and executable memory) it is slower only */
	if (pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE) == 0)
		re->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX,
		    NULL);
	re->data = pcre2_match_data_create(1, NULL);
	re->context = pcre2_match_context_create(NULL);
	if (re->data == NULL || re->context == NULL)
		return qt_fail_mem(err);
	(void)pcre2_set_match_limit(re->context, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(re->context, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(re->context, HEAP_LIMIT);
	if (re->stack != NULL)
		pcre2_jit_stack_assign(re->context, NULL, re->stack);
	return 0;
}

int regexp_new(struct regexp **out, const char *pattern, size_t len,
    struct qt_error *err)
{
	struct regexp *re;

	if (len > PATTERN_MAX)
		return qt_fail(err, QT_E_USAGE, "",
		    "regular expression: longer than %d bytes", PATTERN_MAX);
	re = calloc(1, sizeof *re);
	if (re == NULL)
		return qt_fail_mem(err);
	memcpy(re->pattern, pattern,
	    len < sizeof re->pattern ? len : sizeof re->pattern - 1);
	if (compile(re, pattern, len, err) != 0) {
		regexp_free(re);
		return -1;
	}
	*out = re;
	return 0;
}

void regexp_free(struct regexp *re)
{
	if (re == NULL)
		return;
	pcre2_jit_stack_free(re->stack);
	pcre2_match_context_free(re->context);
	pcre2_match_data_free(re->data);
	pcre2_code_free(re->code);
	free(re);
}

int regexp_match(const struct regexp *re, const char *s, size_t len,
    struct qt_error *err)
{
	PCRE2_UCHAR text[160];
	int r;

	r = pcre2_match(re->code, (PCRE2_SPTR)s, len, 0, 0, re->data,
	    re->context);
	/* the interpreter can have more stack than JIT code */
	if (r == PCRE2_ERROR_JIT_STACKLIMIT)
		r = pcre2_match(re->code, (PCRE2_SPTR)s, len, 0, PCRE2_NO_JIT,
		    re->data, re->context);
	if (r >= 0)
		return 0;
	if (r == PCRE2_ERROR_NOMATCH)
		return 1;
	(void)pcre2_get_error_message(r, text, sizeof text);
	return qt_fail(err, QT_E_LIBRARY, re->pattern,
	    "regular expression gives up: %s", (const char *)text);
}

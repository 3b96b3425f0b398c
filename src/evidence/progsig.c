/*
 * progsig.c - signatures by a program that the user names: gpg, minisign, a
 * hardware token's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/proc.h"
#include "qtool/archive.h"

#define SIGNATURE_MAX ((size_t)64 << 10)
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
		   "0123456789_-"

bool qt_program_name(const char *program, char name[33])
{
	const char *slash = strrchr(program, '/');
	const char *last = slash != NULL ? slash + 1 : program;
	size_t n = strlen(last);

	if (n == 0 || n > 32 || last[strspn(last, NAME_CHARS)] != '\0')
		return false;
	(void)strlcpy(name, last, 33);
	return true;
}

int qt_program_sign(const char *program, const void *bytes, size_t len,
    struct qt_buf *sig, struct qt_error *err)
{
	static const char *const names[QT_PROC_ENV] = {"HOME", "GNUPGHOME",
	    "SSH_AUTH_SOCK", "GPG_TTY"};
	const char *const argv[] = {program, NULL};
	struct qt_proc_input in = {.bytes = bytes, .len = len};
	char *room[QT_PROC_ENV] = {NULL};
	size_t i, n = 0;
	int r = 0;

	for (i = 0; i < QT_PROC_ENV && r == 0; i++) {
		const char *value = getenv(names[i]);

		if (value == NULL)
			continue;
		if (asprintf(&room[n], "%s=%s", names[i], value) < 0)
			r = qt_fail_mem(err);
		else
			in.env[n] = room[n];
		n += r == 0;
	}
	if (r == 0)
		r = qt_proc_filter(argv, &in, SIGNATURE_MAX, sig, err);
	if (r == 0 && sig->len == 0)
		r = qt_fail(err, QT_E_LIBRARY, program, "it made no signature");
	while (n > 0)
		free(room[--n]);
	return r;
}

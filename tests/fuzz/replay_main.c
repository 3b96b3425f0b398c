/*
 * replay_main.c - run a fuzz target over files, without the fuzzer.
 *
 *	PROGRAM FILE|DIRECTORY...
 *
 * A file NAME.hex is text: pairs of hexadecimal digits, "strings" as they are,
 * white space, and # comments up to the line end.  Any other file is taken as
 * it is.  The last line tells how many were run; a find ends in abort().
 */
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	unsigned char *data;
	size_t len;
};

static int fail(const char *path, const char *what)
{
	(void)fprintf(stderr, "%s: %s\n", path, what);
	return -1;
}

static int read_file(const char *path, struct bytes *b)
{
	FILE *f = fopen(path, "rb");
	size_t cap = 4096, n;

	if (f == NULL)
		return fail(path, "cannot be opened");
	b->len = 0;
	b->data = malloc(cap);
	while (b->data != NULL &&
	       (n = fread(b->data + b->len, 1, cap - b->len, f)) > 0) {
		b->len += n;
		if (b->len == cap)
			b->data = realloc(b->data, cap *= 2);
	}
	(void)fclose(f);
	return b->data != NULL ? 0 : fail(path, "out of memory");
}

static int digit(unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c != 0 ? strchr(digits, tolower(c)) : NULL;

	return p != NULL ? (int)(p - digits) : -1;
}

/* In place: the bytes never get more. */
static int decode_hex(const char *path, struct bytes *b)
{
	size_t i, out = 0;

	for (i = 0; i < b->len; i++) {
		unsigned char c = b->data[i];

		if (isspace(c))
			continue;
		if (c == '#') {
			while (i < b->len && b->data[i] != '\n')
				i++;
		} else if (c == '"') {
			for (i++; i < b->len && b->data[i] != '"'; i++)
				b->data[out++] = b->data[i];
		} else if (i + 1 < b->len && digit(c) >= 0 &&
			   digit(b->data[i + 1]) >= 0) {
			b->data[out++] = (unsigned char)(digit(c) << 4 |
							 digit(b->data[i + 1]));
			i++;
		} else {
			return fail(path, "not hexadecimal");
		}
	}
	b->len = out;
	return 0;
}

static bool ends_in(const char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);

	return len >= n && strcmp(s + len - n, suffix) == 0;
}

static int run_file(const char *path, unsigned *runs)
{
	struct bytes b;
	unsigned char *exact;
	int rc;

	if (read_file(path, &b) != 0)
		return -1;
	rc = ends_in(path, ".hex") ? decode_hex(path, &b) : 0;
	/* of exactly its size, so that a byte too many is found */
	exact = malloc(b.len != 0 ? b.len : 1);
	if (exact == NULL)
		rc = fail(path, "out of memory");
	if (rc == 0) {
		memcpy(exact, b.data, b.len);
		(void)printf("%s (%zu bytes)\n", path, b.len);
		(void)fflush(stdout);
		(void)LLVMFuzzerTestOneInput(exact, b.len);
		(*runs)++;
	}
	free(exact);
	free(b.data);
	return rc;
}

static int is_seed(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int run_directory(const char *path, unsigned *runs)
{
	struct dirent **names;
	char file[4096];
	int i, n, rc = 0;

	n = scandir(path, &names, is_seed, alphasort);
	if (n < 0)
		return fail(path, "cannot be read");
	for (i = 0; i < n; i++) {
		(void)snprintf(
		    file, sizeof file, "%s/%s", path, names[i]->d_name);
		if (run_file(file, runs) != 0)
			rc = -1;
		free(names[i]);
	}
	free(names);
	return rc;
}

int main(int argc, char **argv)
{
	struct stat st;
	unsigned runs = 0;
	int i, rc = 0;

	for (i = 1; i < argc; i++) {
		if (stat(argv[i], &st) != 0)
			rc = fail(argv[i], "cannot be found");
		else if (S_ISDIR(st.st_mode) ? run_directory(argv[i], &runs)
					     : run_file(argv[i], &runs))
			rc = -1;
	}
	(void)printf("%u inputs replayed\n", runs);
	return rc == 0 && runs > 0 ? 0 : 1;
}

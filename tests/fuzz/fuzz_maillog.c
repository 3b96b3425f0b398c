/*
 * fuzz_maillog.c - lines of a mail log: what is taken are whole lines of it, in
 * its order; all that name certain mail, and none that has nothing of it.
 *
 * Input: the log, plain or packed.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "evidence/maillog.h"
#include "fuzz/input.h"

#define ID "3F2A1C0D4E"
#define ADDRESS "203.0.113.7"
#define OUT_MAX ((size_t)4 << 20)

struct text {
	const char *s;
	size_t len;
};

static bool has(struct text t, const char *word)
{
	return memmem(t.s, t.len, word, strlen(word)) != NULL;
}

static bool alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z');
}

/* The ID by itself, not as a part of something longer. */
static bool names_it(struct text t)
{
	const char *p = t.s, *end = t.s + t.len;

	while ((p = memmem(p, (size_t)(end - p), ID, sizeof ID - 1)) != NULL) {
		if ((p == t.s || !alnum(p[-1])) &&
		    (p + sizeof ID - 1 == end || !alnum(p[sizeof ID - 1])))
			return true;
		p++;
	}
	return false;
}

static struct text next_line(struct text *rest)
{
	const char *nl = memchr(rest->s, '\n', rest->len);
	struct text line = {rest->s, nl != NULL ? (size_t)(nl - rest->s) :
						  rest->len};

	rest->s += line.len + (nl != NULL);
	rest->len -= line.len + (nl != NULL);
	return line;
}

/* Each line of the log against those that were taken. */
static void check_plain(struct text log, struct text out)
{
	/* no ID can have become an account's */
	const bool learns = has(log, "sasl_username=");
	struct text line, next = {"", 0};
	bool have = out.len != 0;

	if (have)
		next = next_line(&out);
	while (log.len != 0) {
		line = next_line(&log);
		if (have && next.len == line.len &&
		    memcmp(next.s, line.s, line.len) == 0) {
			REQUIRE(learns || has(line, ID) ||
			    has(line, "[" ADDRESS "]"));
			have = out.len != 0;
			if (have)
				next = next_line(&out);
			continue;
		}
		REQUIRE(!names_it(line) || has(line, "sasl_username="));
	}
	REQUIRE(!have);
}

static bool packed(const uint8_t *data, size_t size)
{
	static const char *const magic[] = {"\x1f\x8b", "BZh", "\xfd\x37zXZ",
	    "\x28\xb5\x2f\xfd"};
	size_t i;

	for (i = 0; i < sizeof magic / sizeof magic[0]; i++)
		if (size >= strlen(magic[i]) &&
		    memcmp(data, magic[i], strlen(magic[i])) == 0)
			return true;
	return size >= 2 && data[0] == 0x50; /* zstd's frames to be skipped */
}

static void run(const uint8_t *data, size_t size, const char *path)
{
	struct qt_maillog m;
	struct qt_spill out;
	struct qt_error err = {0};
	uint64_t n;
	char *text;
	int r;

	qt_spill_init(&out, -1, OUT_MAX);
	REQUIRE(qt_maillog_init(&m, &err) == 0);
	REQUIRE(qt_maillog_add(&m, ID, ID, "Joe@victim.example", ADDRESS,
	    &err) == 0);
	r = qt_maillog_take(&m, path, &out, &err);
	n = qt_spill_size(&out);
	if (r != 0)
		REQUIRE(err.code != QT_OK && err.text[0] != '\0');
	if (r == 0 && n < OUT_MAX) {
		text = malloc((size_t)n + 1);
		REQUIRE(text != NULL);
		REQUIRE(qt_spill_read(&out, 0, text, (size_t)n, &err) == 0);
		REQUIRE(n == 0 || text[n - 1] == '\n');
		REQUIRE((n == 0) == (m.lines == 0));
		if (!packed(data, size))
			check_plain((struct text){(const char *)data, size},
			    (struct text){text, (size_t)n});
		free(text);
	}
	qt_maillog_release(&m);
	qt_spill_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32];
	int fd;

	if (size > FUZZ_MAX)
		return 0;
	fd = fuzz_memory_file(data, size);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	run(data, size, path);
	(void)close(fd);
	return 0;
}

/*
 * archive_report.c - what is said of a finished archive, and how to check it.
 */
#include "archiving.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "qtool/escape.h"

/* How to check and unpack it with what every system has. */
static void put_hints(const char *file, const struct qt_archive_counts *n,
    FILE *out)
{
	const char *slash = strrchr(file, '/');
	const char *name = slash != NULL ? slash + 1 : file;
	struct qt_buf word, dir;

	qt_buf_init(&word, 0);
	qt_buf_init(&dir, 0);
	if (slash != NULL) {
		qt_buf_add(&dir, file, (size_t)(slash - file) + 1);
		qt_buf_adds(&word, "  cd -- ");
		shell_word(&word, qt_buf_str(&dir));
		qt_buf_addc(&word, '\n');
	}
	qt_buf_adds(&word, "  sha256sum -c -- ");
	qt_buf_clear(&dir);
	qt_buf_addf(&dir, "%s.sha256", name);
	shell_word(&word, qt_buf_str(&dir));
	qt_buf_adds(&word, strstr(name, ".zst") != NULL ?
		"\n  tar --warning=no-timestamp --zstd -xf " :
		"\n  tar --warning=no-timestamp -xf ");
	shell_word(&word, name);
	qt_buf_addf(&word,
	    "\n  cd %s\n  sha256sum --quiet --strict -c "
	    "tagmanifest-sha256.txt manifest-sha256.txt\n", n->base);
	(void)fprintf(out, "to check it with plain tools:\n%s",
	    qt_buf_str(&word));
	qt_buf_release(&word);
	qt_buf_release(&dir);
}

void archive_report(const struct ctx *c, const char *file,
    const struct qt_archive_counts *n, FILE *out)
{
	char messages[32], logs[32], bytes[16], packed[16];
	struct qt_buf shown;

	qt_buf_init(&shown, 0);
	qt_escape_term(&shown, file, strlen(file));
	(void)fprintf(out, "archived %s %s and %s %s, %s, in %s (%s)\n",
	    human_count(n->messages, messages),
	    n->messages == 1 ? "message" : "messages",
	    human_count(n->logs, logs), n->logs == 1 ? "log" : "logs",
	    human_bytes((int64_t)n->bytes, bytes),
	    strcmp(file, "-") == 0 ? "standard output" : qt_buf_str(&shown),
	    human_bytes((int64_t)n->archive_bytes, packed));
	(void)fprintf(out, "sha256 %s\n", n->sha256);
	if (!c->quiet && strcmp(file, "-") != 0)
		put_hints(file, n, out);
	qt_buf_release(&shown);
}

void archive_report_json(struct qt_buf *out, const char *file,
    const struct qt_archive_counts *n)
{
	qt_buf_adds(out, "{\"file\": ");
	qt_json_string(out, file);
	qt_buf_addf(out,
	    ", \"base\": \"%s\", \"messages\": %" PRIu64
	    ", \"logs\": %" PRIu64 ", \"bytes\": %" PRIu64
	    ", \"archive_bytes\": %" PRIu64 ", \"sha256\": \"%s\""
	    ", \"gone\": %" PRIu64 ", \"failed\": %" PRIu64
	    ", \"bad_logs\": %" PRIu64 "}",
	    n->base, n->messages, n->logs, n->bytes, n->archive_bytes,
	    n->sha256, n->gone, n->failed, n->bad_logs);
}

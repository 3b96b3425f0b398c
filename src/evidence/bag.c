/*
 * bag.c - README.txt, bagit.txt and bag-info.txt.
 *
 * README.txt is written for somebody who has tar and coreutils, and neither
 * qtool nor Postfix.  Plain ASCII, below 80 columns.
 */
#include "evidence/bag.h"

#include <string.h>
#include <time.h>

#include "qtool/escape.h"

#define PART_MAX 60 /* characters of host and case in the name */

void qt_utc(int64_t seconds, char out[32])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)strlcpy(out, "unknown", 32);
}

/* Append what may stand in a file name anywhere; the rest as '-' between. */
static void add_name(struct qt_buf *out, const char *s)
{
	size_t i;
	bool plain;

	s += strspn(s, "/.-"); /* a spool given as a directory is its host */
	for (i = 0; i < PART_MAX && s[i] != '\0'; i++) {
		plain = (s[i] >= 'a' && s[i] <= 'z') ||
		    (s[i] >= 'A' && s[i] <= 'Z') ||
		    (s[i] >= '0' && s[i] <= '9') ||
		    s[i] == '.' || s[i] == '_' || s[i] == '-';
		qt_buf_addc(out, plain ? s[i] : '-');
	}
}

int qt_bag_base(struct qt_buf *out, const char *host, const char *case_id,
    int64_t now, struct qt_error *err)
{
	time_t t = (time_t)now;
	struct tm tm;
	char stamp[32];

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm) == 0)
		return qt_fail(err, QT_E_USAGE, "clock", "no such time");
	qt_buf_adds(out, "qtool-evidence_");
	add_name(out, host != NULL && host[0] != '\0' ? host : "host");
	qt_buf_addf(out, "_%s", stamp);
	if (case_id != NULL && case_id[0] != '\0') {
		qt_buf_addc(out, '_');
		add_name(out, case_id);
	}
	return qt_buf_check(out, err);
}

void qt_bag_bagit(struct qt_buf *out)
{
	qt_buf_adds(out, "BagIt-Version: 1.0\n"
			 "Tag-File-Character-Encoding: UTF-8\n");
}

static const char *tar_flags(enum qt_packing packing)
{
	switch (packing) {
	case QT_PACK_ZSTD:
		return "--zstd -xf FILE.tar.zst";
	case QT_PACK_GZIP:
		return "-xzf FILE.tar.gz";
	case QT_PACK_XZ:
		return "-xJf FILE.tar.xz";
	case QT_PACK_NONE:
		break;
	}
	return "-xf FILE.tar";
}

/* A value on its line; README.txt is ASCII and holds nothing that moves. */
static void readme_value(struct qt_buf *out, const char *label,
    const char *value)
{
	const unsigned char *p = (const unsigned char *)value;
	size_t n;

	if (value == NULL || value[0] == '\0')
		return;
	qt_buf_addf(out, "  %-9s", label);
	for (n = 0; n < 66 && p[n] != '\0'; n++)
		qt_buf_addc(out, p[n] < ' ' || p[n] > '~' ? '?' : (char)p[n]);
	qt_buf_adds(out, p[n] != '\0' ? "...\n" : "\n");
}

static const char intro[] =
    "MAIL QUEUE EVIDENCE\n"
    "\n"
    "Messages copied from the queue of a Postfix mail server by qtool,\n"
    "together with what is needed to check and to read them.  It is a BagIt\n"
    "bag (RFC 8493).\n"
    "\n";

static const char contents[] =
    "\n"
    "It holds private mail, and very likely spam or malware: do not open the\n"
    "messages in a mail program, and do not pass them on unredacted.\n"
    "\n"
    "WHAT IS WHERE\n"
    "\n"
    "  data/queue/QUEUE/ID         queue files, byte for byte; QUEUE is where\n"
    "                              the message was found\n"
    "  data/queue/defer/ID         why its delivery was put off (also bounce/\n"
    "                              and trace/)\n"
    "  data/odd/NNNN               files whose own name could not be used; it\n"
    "                              is in metadata/messages.jsonl (name_b64)\n"
    "  data/context/               the mail server's configuration\n"
    "  metadata/case.json          who made this, when, where and from what\n"
    "  metadata/messages.jsonl     one line of JSON for each message\n"
    "  metadata/recipients.jsonl   one line of JSON for each recipient\n"
    "  metadata/missing.jsonl      selected, but not in here, and why: gone, not\n"
    "                              readable, left in the queue (only when there\n"
    "                              are any)\n"
    "  manifest-sha256.txt         sums of all files below data/\n"
    "  tagmanifest-sha256.txt      sums of the other files\n"
    "\n"
    "Names and owners of files are as stored here; modes, owners and times as\n"
    "they were in the queue are in messages.jsonl (member stat).  The time of\n"
    "modification of a deferred message is when it would be tried next, not\n"
    "when it arrived.\n"
    "\n"
    "HOW TO CHECK\n"
    "\n"
    "Nothing is damaged or altered when these print nothing but OK:\n"
    "\n"
    "  sha256sum -c FILE.sha256\n";

static const char checks[] =
    "  sha256sum --quiet --strict -c tagmanifest-sha256.txt\n"
    "  sha256sum --quiet --strict -c manifest-sha256.txt\n"
    "\n"
    "and nothing was added when this (in bash) prints nothing:\n"
    "\n"
    "  diff <(cut -c67- manifest-sha256.txt) \\\n"
    "       <(find data -type f | LC_ALL=C sort)\n"
    "\n"
    "The table agrees with the files (no output):\n"
    "\n"
    "  jq -r '.sha256+\"  \"+.path' metadata/messages.jsonl |\n"
    "      sha256sum --quiet --strict -c\n"
    "\n"
    "HOW TO READ\n"
    "\n"
    "  postcat data/queue/deferred/ID             any Postfix, one message\n"
    "  jq -r '[.queue_id,.sasl_username,.client_address,.sender]|@tsv' \\\n"
    "      metadata/messages.jsonl                who sent what from where\n"
    "  jq -r .sasl_username metadata/messages.jsonl | sort | uniq -c\n";

void qt_bag_readme(struct qt_buf *out, const struct qt_bag *bag)
{
	char when[32];

	qt_utc(bag->started, when);
	qt_buf_adds(out, intro);
	readme_value(out, "host", bag->host);
	readme_value(out, "queue", bag->queue_dir);
	readme_value(out, "begun", when);
	readme_value(out, "case", bag->case_id);
	qt_buf_adds(out, contents);
	/* deferred messages: the time of the next try is to come */
	qt_buf_addf(out,
	    "  tar --warning=no-timestamp %s\n  cd qtool-evidence_*\n",
	    tar_flags(bag->packing));
	qt_buf_adds(out, checks);
}

/* "Label: value" on one line, whatever the value. */
static void info(struct qt_buf *out, const char *label, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	qt_buf_addf(out, "%s: ", label);
	qt_escape_term(out, value, strlen(value));
	qt_buf_addc(out, '\n');
}

void qt_bag_info(struct qt_buf *out, const struct qt_bag *bag)
{
	char when[32];

	qt_utc(bag->started, when);
	info(out, "External-Description",
	    "Messages copied from a Postfix mail queue, with their logs");
	info(out, "External-Identifier", bag->case_id);
	qt_buf_addf(out, "Bagging-Date: %.10s\n", when);
	info(out, "Bag-Software-Agent", "qtool " QTOOL_VERSION);
	qt_buf_addf(out, "Payload-Oxum: %llu.%llu\n",
	    (unsigned long long)bag->bytes, (unsigned long long)bag->files);
	info(out, "Internal-Sender-Identifier", bag->host);
	info(out, "Internal-Sender-Description", bag->queue_dir);
}

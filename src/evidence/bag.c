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
    "Messages from the queue of a Postfix mail server, archived by qtool,\n"
    "together with what is needed to check and to read them.  It is a BagIt\n"
    "bag (RFC 8493).\n"
    "\n";

static const char warning[] =
    "\n"
    "It holds private mail, and very likely spam or malware: do not open the\n"
    "messages in a mail program, and do not pass them on unredacted.\n";

static const char redacted[] =
    "\n"
    "Names were taken out of it (level \"%s\"): r-XXXXXXXXXXXXXXXX stands for\n"
    "the name in a recipient's address, u-... for a user's, s-... for a subject.\n"
    "The same token is the same name, here and in what else was made with the\n"
    "same key.  Who has the key, which is not in here, can tell which token a\n"
    "name has (HMAC-SHA-256 over it in lower case).\n"
    "Encoded parts in which a name could hide are left out, as are the queue\n"
    "files and their logs.  It very likely holds spam or malware all the same.\n";

static const char queue_files[] =
    "  data/queue/QUEUE/ID         queue files, byte for byte; QUEUE is where\n"
    "                              the message was found\n"
    "  data/queue/defer/ID         why its delivery was put off (also bounce/\n"
    "                              and trace/)\n";

static const char eml_files[] =
    "  data/eml/QUEUE/ID.eml       messages as mail programs have them\n";

static const char odd_files[] =
    "  data/odd/NNNN               files whose own name could not be used; it\n"
    "                              is in metadata/messages.jsonl (name_b64)\n";

static const char maillog_file[] =
    "  data/context/maillog.txt    lines of the mail log that are about the\n"
    "                              messages, accounts and their addresses\n";

static const char context_files[] =
    "  data/context/               the mail server's configuration\n";

static const char showq_file[] =
    "  data/context/showq.jsonl    what Postfix itself said of its whole queue\n"
    "                              (postqueue -j), a message a line\n";

static const char tag_files[] =
    "  metadata/case.json          who made this, when, where and from what\n"
    "  metadata/messages.jsonl     one line of JSON for each message\n"
    "  metadata/recipients.jsonl   one line of JSON for each recipient\n"
    "  metadata/missing.jsonl      selected, but not in here, and why: gone, not\n"
    "                              readable, left in the queue (only when there\n"
    "                              are any)\n"
    "  metadata/custody.jsonl      what was done with it; each line has the sum\n"
    "                              of the one before it (prev)\n";

static const char index_file[] =
    "  metadata/index.sqlite       the same as tables, for sqlite3 (messages,\n"
    "                              recipients, headers) and for qtool -D; made\n"
    "                              of the files, and of no weight against them\n";

static const char sums[] =
    "  manifest-sha256.txt         sums of all files below data/\n"
    "  tagmanifest-sha256.txt      sums of the other files\n";

static const char sums_512[] =
    QT_README_SHA512 "        the same by SHA-512\n"
    "  tagmanifest-sha512.txt\n";

static const char signature_files[] =
    "  signatures/                 a signature over tagmanifest-sha256.txt\n"
    "                              (ssh-keygen -Y) and the signer's public key\n";

#define program_files \
	"  signatures/                 ...%s.sig: a signature over\n" \
	"                              tagmanifest-sha256.txt by that program\n"

static const char notes[] =
    "\n"
    "Names and owners of files are as stored here; modes, owners and times as\n"
    "they were in the queue are in messages.jsonl (member stat).  The time of\n"
    "modification of a deferred message is when it would be tried next, not\n"
    "when it arrived.\n"
    "\n"
    "Two archives of the same mail differ in what case.json lists under\n"
    "varies, and in nothing else.\n"
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
    "The chain of custody holds together (no output):\n"
    "\n"
    "  diff <(jq -r '.prev // empty' metadata/custody.jsonl) \\\n"
    "       <(sed '$d' metadata/custody.jsonl | while IFS= read -r line; do\n"
    "           printf '%s\\n' \"$line\" | sha256sum | cut -c-64; done)\n"
    "\n"
    "What was done with it since is in FILE.custody.jsonl, if it is there, and\n"
    "goes on with that chain: the first prev in it is the sum of the last line\n"
    "of metadata/custody.jsonl.\n";

static const char checks_512[] =
    "\n"
    "The SHA-512 sums say the same (no output), of the same files:\n"
    "\n"
    "  sha512sum --quiet --strict -c tagmanifest-sha512.txt\n"
    "  sha512sum --quiet --strict -c manifest-sha512.txt\n"
    "  diff <(cut -c67- tagmanifest-sha256.txt manifest-sha256.txt) \\\n"
    "       <(cut -c131- tagmanifest-sha512.txt manifest-sha512.txt)\n";

static const char signature_checks[] =
    "\n"
    "Who signed it.  The file allowed has one line, \"evidence\" and the public\n"
    "key of signatures/signer.pub, once you know from elsewhere that it is the\n"
    "signer's:\n"
    "\n"
    "  (printf 'evidence '; cat signatures/signer.pub) >allowed\n"
    "  ssh-keygen -Y verify -f allowed -I evidence -n qtool-evidence \\\n"
    "      -s signatures/tagmanifest-sha256.txt.sig <tagmanifest-sha256.txt\n"
    "\n"
    "FILE.sha256 is signed likewise: -s FILE.sig <FILE.sha256\n";

#define program_checks \
	"\n" \
	"The program that made signatures/tagmanifest-sha256.txt.%s.sig checks it\n" \
	"by its own means, over tagmanifest-sha256.txt; FILE.sha256 is signed\n" \
	"likewise: FILE.%s.sig\n"

static const char timestamp_checks[] =
    "\n"
    "That it existed before a certain time, when FILE.tsq was posted to a time-\n"
    "stamping authority and its answer FILE.tsr kept:\n"
    "\n"
    "  openssl ts -verify -data tagmanifest-sha256.txt -in FILE.tsr \\\n"
    "      -CAfile AUTHORITY.pem\n";

static const char reading[] =
    "\n"
    "HOW TO READ\n"
    "\n";

static const char reading_queue[] =
    "  postcat data/queue/deferred/ID             any Postfix, one message\n";

static const char reading_tables[] =
    "  jq -r '[.queue_id,.sasl_username,.client_address,.sender]|@tsv' \\\n"
    "      metadata/messages.jsonl                who sent what from where\n"
    "  jq -r .sasl_username metadata/messages.jsonl | sort | uniq -c\n";

static const char reading_bodies[] =
    "\n"
    "Links in the mail; and bodies that are the same (of like ones most bits of\n"
    "body_simhash are equal):\n"
    "\n"
    "  jq -r '.urls[]?' metadata/messages.jsonl | sort | uniq -c | sort -rn\n"
    "  jq -r '.body_sha256 // empty' metadata/messages.jsonl | sort | uniq -dc\n";

static const char reading_index[] =
    "  sqlite3 -readonly metadata/index.sqlite \\\n"
    "      'SELECT sasl_username, client_address, count(*), sum(rcpt_total)\n"
    "       FROM messages GROUP BY 1, 2 ORDER BY 4 DESC'\n";

static void readme_head(struct qt_buf *out, const struct qt_bag *bag)
{
	char when[32];

	qt_utc(bag->started, when);
	qt_buf_adds(out, intro);
	readme_value(out, "host", bag->host);
	readme_value(out, "queue", bag->queue_dir);
	readme_value(out, "begun", when);
	readme_value(out, "case", bag->case_id);
	readme_value(out, "title", bag->title);
	if (bag->redact != QT_REDACT_NONE)
		qt_buf_addf(out, redacted, qt_redact_name(bag->redact));
	else
		qt_buf_adds(out, warning);
}

static void readme_files(struct qt_buf *out, const struct qt_bag *bag)
{
	const bool plain = bag->redact == QT_REDACT_NONE;

	qt_buf_adds(out, "\nWHAT IS WHERE\n\n");
	if (plain)
		qt_buf_adds(out, queue_files);
	if (bag->eml)
		qt_buf_adds(out, eml_files);
	qt_buf_adds(out, odd_files);
	if (plain && bag->spool != NULL && bag->spool->live)
		qt_buf_adds(out, context_files);
	if (bag->maillog)
		qt_buf_adds(out, maillog_file);
	if (bag->showq != NULL)
		qt_buf_adds(out, showq_file);
	qt_buf_adds(out, tag_files);
	if (bag->index)
		qt_buf_adds(out, index_file);
	qt_buf_adds(out, sums);
	if (bag->sha512)
		qt_buf_adds(out, sums_512);
	if (bag->signer != NULL)
		qt_buf_adds(out, signature_files);
	if (bag->sign_program != NULL)
		qt_buf_addf(out, program_files, bag->sign_program);
	qt_buf_adds(out, notes);
}

void qt_bag_readme(struct qt_buf *out, const struct qt_bag *bag)
{
	readme_head(out, bag);
	readme_files(out, bag);
	/* deferred messages: the time of the next try is to come */
	qt_buf_addf(out,
	    "  tar --warning=no-timestamp %s\n  cd qtool-evidence_*\n",
	    tar_flags(bag->packing));
	qt_buf_adds(out, checks);
	if (bag->sha512)
		qt_buf_adds(out, checks_512);
	if (bag->signer != NULL)
		qt_buf_adds(out, signature_checks);
	if (bag->sign_program != NULL)
		qt_buf_addf(out, program_checks, bag->sign_program,
		    bag->sign_program);
	if (bag->timestamp)
		qt_buf_adds(out, timestamp_checks);
	qt_buf_adds(out, reading);
	if (bag->redact == QT_REDACT_NONE)
		qt_buf_adds(out, reading_queue);
	qt_buf_adds(out, reading_tables);
	if (bag->index)
		qt_buf_adds(out, reading_index);
	if (bag->redact == QT_REDACT_NONE)
		qt_buf_adds(out, reading_bodies);
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

/* "Name <address>", either part of which may be missing. */
static void contact(struct qt_buf *out, const char *s)
{
	const char *open = s != NULL ? strchr(s, '<') : NULL;
	const char *close = open != NULL ? strchr(open, '>') : NULL;
	struct qt_buf part;
	size_t n;

	if (s == NULL)
		return;
	qt_buf_init(&part, 0);
	n = close != NULL ? (size_t)(open - s) : strlen(s);
	while (n != 0 && s[n - 1] == ' ')
		n--;
	qt_buf_add(&part, s, n);
	info(out, close == NULL && strchr(s, '@') != NULL ? "Contact-Email" :
	    "Contact-Name", qt_buf_str(&part));
	if (close != NULL) {
		qt_buf_clear(&part);
		qt_buf_add(&part, open + 1, (size_t)(close - open) - 1);
		info(out, "Contact-Email", qt_buf_str(&part));
	}
	qt_buf_release(&part);
}

void qt_bag_info(struct qt_buf *out, const struct qt_bag *bag)
{
	char when[32];

	qt_utc(bag->started, when);
	info(out, "Source-Organization", bag->organization);
	contact(out, bag->contact);
	info(out, "External-Description", bag->title != NULL ? bag->title :
	    "Messages from a Postfix mail queue, with their logs");
	info(out, "External-Identifier", bag->case_id);
	qt_buf_addf(out, "Bagging-Date: %.10s\n", when);
	info(out, "Bag-Software-Agent", "qtool " QTOOL_VERSION);
	qt_buf_addf(out, "Payload-Oxum: %llu.%llu\n",
	    (unsigned long long)bag->bytes, (unsigned long long)bag->files);
	if (bag->txid != 0)
		qt_buf_addf(out, "Bag-Group-Identifier: transaction %llu\n",
		    (unsigned long long)bag->txid);
	info(out, "Internal-Sender-Identifier", bag->host);
	info(out, "Internal-Sender-Description", bag->queue_dir);
}

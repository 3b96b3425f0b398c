/*
 * case.c - metadata/case.json and the mail server's configuration: what the
 * running system says about itself and about who runs qtool (RFC 3227 asks for
 * where, when, by whom, and how the clock stood).
 *
 * With a given time (reproducible archives) everything that differs between
 * two runs is left out: the end, the clock, the boot.
 */
#include "evidence/bag.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/proc.h"
#include "evidence/hash.h"
#include "evidence/showq.h"
#include "qtool/archive.h"
#include "qtool/escape.h"

#define POSTCONF_MAX ((size_t)4 << 20)
#define LINE_MAX_BYTES ((size_t)4096)

/* Members after the first are set apart by a comma and their own line. */
static void key(struct qt_buf *out, const char *name)
{
	qt_buf_addf(out, "%s\n  \"%s\": ",
	    out->len != 0 && out->data[out->len - 1] != '{' ? "," : "", name);
}

static void text(struct qt_buf *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	key(out, name);
	qt_json_string(out, value);
}

static void number(struct qt_buf *out, const char *name, uint64_t value)
{
	key(out, name);
	qt_buf_addf(out, "%llu", (unsigned long long)value);
}

/* A small file of one line; false when there is none. */
static bool read_line(const char *path, struct qt_buf *line)
{
	if (qt_slurp(AT_FDCWD, path, LINE_MAX_BYTES, line, NULL) != 0)
		return false;
	if (line->len != 0 && line->data[line->len - 1] == '\n')
		line->data[--line->len] = '\0';
	return line->len != 0;
}

/* The machine's identity by its sum: it tells machines apart, no more. */
static int machine(struct qt_buf *out, struct qt_error *err)
{
	struct qt_digest d;
	struct qt_buf id;
	unsigned char sum[QT_SHA256_SIZE];
	char hex[QT_SHA256_HEX];
	int r;

	qt_buf_init(&id, 2 * LINE_MAX_BYTES);
	r = qt_digest_init(&d, err);
	if (r == 0 && read_line("/etc/machine-id", &id)) {
		qt_digest_add(&d, id.data, id.len);
		r = qt_digest_final(&d, sum, err);
		if (r == 0) {
			qt_digest_hex(sum, hex);
			text(out, "machine_id_sha256", hex);
		}
	}
	qt_digest_release(&d);
	qt_buf_release(&id);
	return r;
}

static void system_facts(struct qt_buf *out)
{
	struct utsname u;

	if (uname(&u) != 0)
		return;
	key(out, "uname");
	qt_buf_adds(out, "{\"sysname\": ");
	qt_json_string(out, u.sysname);
	qt_buf_adds(out, ", \"nodename\": ");
	qt_json_string(out, u.nodename);
	qt_buf_adds(out, ", \"release\": ");
	qt_json_string(out, u.release);
	qt_buf_adds(out, ", \"machine\": ");
	qt_json_string(out, u.machine);
	qt_buf_adds(out, "}");
}

/* Who: the effective user, and the login behind sudo or su. */
static void operator_facts(struct qt_buf *out)
{
	const char *sudo = getenv("SUDO_USER");
	struct passwd pw, *found = NULL;
	struct qt_buf line;
	char space[4096];

	key(out, "operator");
	qt_buf_addf(out, "{\"uid\": %u", (unsigned)geteuid());
	if (getpwuid_r(geteuid(), &pw, space, sizeof space, &found) == 0 &&
	    found != NULL) {
		qt_buf_adds(out, ", \"user\": ");
		qt_json_string(out, pw.pw_name);
	}
	if (sudo != NULL) {
		qt_buf_adds(out, ", \"sudo_user\": ");
		qt_json_string(out, sudo);
	}
	qt_buf_init(&line, 2 * LINE_MAX_BYTES);
	/* 4294967295: no login, a boot or cron job */
	if (read_line("/proc/self/loginuid", &line) &&
	    strcmp(line.data, "4294967295") != 0) {
		qt_buf_adds(out, ", \"login_uid\": ");
		qt_json_string(out, line.data);
	}
	qt_buf_release(&line);
	qt_buf_adds(out, "}");
}

void qt_bag_actor(struct qt_buf *out)
{
	const char *sudo = getenv("SUDO_USER");
	struct passwd pw, *found = NULL;
	char space[4096];

	if (getpwuid_r(geteuid(), &pw, space, sizeof space, &found) == 0 &&
	    found != NULL)
		qt_buf_adds(out, pw.pw_name);
	else
		qt_buf_addf(out, "uid %u", (unsigned)geteuid());
	if (sudo != NULL && sudo[0] != '\0')
		qt_buf_addf(out, " (sudo: %.200s)", sudo);
}

/* How far the clock can be trusted, by the kernel's own word. */
static void clock_facts(struct qt_buf *out)
{
	struct timex tx = {.modes = 0};
	struct timespec boot;
	int state = adjtimex(&tx);

	if (state < 0 || clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
		return;
	key(out, "clock");
	qt_buf_addf(out,
	    "{\"synchronized\": %s, \"max_error_us\": %ld, "
	    "\"seconds_since_boot\": %lld}",
	    state == TIME_ERROR || (tx.status & STA_UNSYNC) != 0 ? "false" :
								   "true",
	    tx.maxerror, (long long)boot.tv_sec);
}

void qt_archive_program(char sha256[QT_SHA256_HEX])
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	unsigned char sum[QT_SHA256_SIZE];
	char block[65536];
	struct qt_digest d;
	struct qt_error ignored;
	size_t got = 0;
	int r;

	sha256[0] = '\0';
	r = fd >= 0 ? qt_digest_init(&d, &ignored) : -1;
	if (r == 0) {
		do {
			r = qt_read_all(fd, block, sizeof block, &got);
			if (r == 0)
				qt_digest_add(&d, block, got);
		} while (r == 0 && got == sizeof block);
		if (r == 0 && qt_digest_final(&d, sum, &ignored) == 0)
			qt_digest_hex(sum, sha256);
		qt_digest_release(&d);
	}
	qt_close_quiet(&fd);
}

/* What differs between two archives of the same mail, and so proves nothing. */
static void varies(struct qt_buf *out, const struct qt_bag *bag)
{
	key(out, "varies");
	if (bag->fixed_clock) {
		qt_buf_adds(out, "[]");
		return;
	}
	qt_buf_addf(out, "[\"the name of the directory\", "
	    "\"README.txt: begun\", "
	    "\"metadata/case.json: started, finished, clock, boot_id, operator, "
	    "transaction, uname\", "
	    "\"metadata/custody.jsonl: time, actor\", "
	    "\"metadata/messages.jsonl: stat.ctime_ns, stat.nlink, "
	    "locked_at_capture\", \"metadata/index.sqlite: in_delivery, ctime_ns, "
	    "nlink\", "
	    "\"bag-info.txt: Bagging-Date\", "
	    "\"tagmanifest-sha256.txt%s and signatures, which are over these\", "
	    "\"times of the files that are not below data/queue\"",
	    bag->sha512 ? ", tagmanifest-sha512.txt" : "");
	if (bag->showq != NULL)
		qt_buf_addf(out, ", \"data/context/showq.jsonl, and with it "
		    "its line in manifest-sha256.txt%s, the sum of that in "
		    "metadata/custody.jsonl, payload_bytes and Payload-Oxum\", "
		    "\"metadata/case.json: showq_messages, showq_begun, "
		    "showq_ended\"",
		    bag->sha512 ? " and manifest-sha512.txt" : "");
	qt_buf_addc(out, ']');
}

/* What could not be helped: RFC 3227 and ISO 27037 want it named. */
static void changes(struct qt_buf *out, const struct qt_bag *bag)
{
	char when[32];

	qt_utc(bag->started, when);
	key(out, "changes");
	qt_buf_adds(out, "[{\"what\": \"access times of the files may be of this "
	    "reading, where their file system keeps them\"}");
	if (!bag->moved) {
		qt_buf_addc(out, ']');
		return;
	}
	qt_buf_addf(out, ", {\"what\": \"messages were moved out of the queue; "
	    "their change times are of that\", \"when\": \"%s\", \"by\": "
	    "\"qtool, transaction %llu\", \"why\": ", when,
	    (unsigned long long)bag->txid);
	qt_json_string(out, bag->reason);
	qt_buf_adds(out, "}, {\"what\": \"delivery agents may have marked "
	    "recipients done in messages they had open before; such messages "
	    "are told by locked_at_capture\", \"when\": null, \"by\": "
	    "\"Postfix\", \"why\": \"delivery was in progress\"}]");
}

/* Which key redacted it, without the key. */
static int key_facts(struct qt_buf *out, const struct qt_bag *bag,
    struct qt_error *err)
{
	unsigned char sum[QT_SHA256_SIZE];
	char hex[QT_SHA256_HEX];
	struct qt_digest d;
	int r;

	text(out, "redaction", qt_redact_name(bag->redact));
	if (bag->key == NULL)
		return 0;
	if (qt_digest_init(&d, err) != 0)
		return -1;
	qt_digest_add(&d, "qtool key id", 12);
	qt_digest_add(&d, bag->key->bytes, sizeof bag->key->bytes);
	r = qt_digest_final(&d, sum, err);
	qt_digest_release(&d);
	if (r != 0)
		return -1;
	qt_digest_hex(sum, hex);
	hex[16] = '\0';
	text(out, "redaction_key_id", hex);
	text(out, "left_out", "queue files, their logs and postconf; "
	    "data/eml has the messages without the names");
	return 0;
}

static const char *fs_name(long type)
{
	static const struct {
		long magic;
		const char *name;
	} known[] = {{0xef53, "ext"}, {0x58465342, "xfs"},
	    {0x9123683e, "btrfs"}, {0x01021994, "tmpfs"}, {0x6969, "nfs"},
	    {0x794c7630, "overlay"}, {0x2fc12fc1, "zfs"},
	    {0xf2f52010, "f2fs"}, {0x65735546, "fuse"}};
	size_t i;

	for (i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].magic == type)
			return known[i].name;
	return NULL;
}

static void file_system(struct qt_buf *out, const struct qt_spool *s)
{
	char number_text[32];
	struct statfs f;
	const char *name;

	if (fstatfs(s->dirfd, &f) != 0)
		return;
	name = fs_name((long)f.f_type);
	(void)snprintf(number_text, sizeof number_text, "0x%lx",
	    (unsigned long)f.f_type);
	text(out, "file_system", name != NULL ? name : number_text);
}

static void log_facts(struct qt_buf *out, const struct qt_bag *bag)
{
	if (bag->log_files == 0)
		return;
	number(out, "mail_log_files", bag->log_files);
	number(out, "mail_log_lines", bag->log_lines);
	number(out, "mail_log_lines_too_long", bag->log_skipped);
}

/* What Postfix was asked, and when: the queue was another one a moment later. */
static void showq_facts(struct qt_buf *out, const struct qt_bag *bag)
{
	const struct qt_showq *q = bag->showq;
	char when[32];

	if (q == NULL)
		return;
	text(out, "showq_command", q->command);
	number(out, "showq_messages", q->messages);
	if (bag->fixed_clock)
		return;
	qt_utc(q->begun, when);
	text(out, "showq_begun", when);
	qt_utc(q->ended, when);
	text(out, "showq_ended", when);
}

static void run_facts(struct qt_buf *out, const struct qt_bag *bag)
{
	struct qt_buf line;
	char when[32];

	qt_utc(bag->started, when);
	text(out, "started", when);
	text(out, "time_zone", tzname[0]);
	if (bag->fixed_clock)
		return;
	qt_utc((int64_t)time(NULL), when);
	text(out, "finished", when);
	clock_facts(out);
	qt_buf_init(&line, 2 * LINE_MAX_BYTES);
	if (read_line("/proc/sys/kernel/random/boot_id", &line))
		text(out, "boot_id", line.data);
	qt_buf_release(&line);
}

static void queue_facts(struct qt_buf *out, const struct qt_bag *bag)
{
	const struct qt_spool *s = bag->spool;

	text(out, "queue_directory", bag->queue_dir);
	if (s == NULL)
		return;
	file_system(out, s);
	text(out, "config_directory", s->config_dir);
	text(out, "mail_version", s->mail_version);
	key(out, "postfix_running");
	qt_buf_adds(out, qt_spool_running(s) ? "true" : "false");
}

static void count_facts(struct qt_buf *out, const struct qt_bag *bag)
{
	const char *comma = "";
	int q;

	number(out, "messages", bag->messages);
	number(out, "logs", bag->logs);
	number(out, "payload_files", bag->files);
	number(out, "payload_bytes", bag->bytes);
	number(out, "missing", bag->missing);
	key(out, "queues");
	qt_buf_addc(out, '{');
	for (q = 0; q < QT_Q_MESSAGES; q++) {
		if (bag->by_queue[q] == 0)
			continue;
		qt_buf_addf(out, "%s\"%s\": %llu", comma,
		    qt_queue_name((enum qt_queue)q),
		    (unsigned long long)bag->by_queue[q]);
		comma = ", ";
	}
	qt_buf_addc(out, '}');
}

int qt_bag_case(struct qt_buf *out, const struct qt_bag *bag,
    struct qt_error *err)
{
	qt_buf_addc(out, '{');
	text(out, "case", bag->case_id);
	text(out, "title", bag->title);
	text(out, "reason", bag->reason);
	text(out, "keep_until", bag->keep_until);
	text(out, "tool", "qtool " QTOOL_VERSION);
	text(out, "program_sha256", bag->program);
	text(out, "command", bag->command);
	text(out, "selection", bag->selection);
	text(out, "mode", bag->moved ? "move" : "copy");
	if (bag->txid != 0)
		number(out, "transaction", bag->txid);
	if (key_facts(out, bag, err) != 0)
		return -1;
	changes(out, bag);
	text(out, "host", bag->host);
	system_facts(out);
	if (machine(out, err) != 0)
		return -1;
	operator_facts(out);
	queue_facts(out, bag);
	run_facts(out, bag);
	count_facts(out, bag);
	log_facts(out, bag);
	showq_facts(out, bag);
	if (bag->sha512)
		text(out, "sha512_sums", "manifest-sha512.txt and "
		    "tagmanifest-sha512.txt, for sha512sum -c");
	varies(out, bag);
	qt_buf_adds(out, "\n}\n");
	return qt_buf_check(out, err);
}

/* What one call of postconf prints, under a heading. */
static void postconf(struct qt_buf *out, const struct qt_spool *spool,
    const char *flag)
{
	const char *argv[5] = {"postconf", flag, NULL};
	struct qt_error err;
	struct qt_buf text_out;

	if (spool->config_dir != NULL) {
		argv[1] = "-c";
		argv[2] = spool->config_dir;
		argv[3] = flag;
	}
	qt_buf_init(&text_out, 2 * POSTCONF_MAX);
	qt_buf_addf(out, "# postconf %s\n", flag);
	if (qt_proc_capture(argv, POSTCONF_MAX, &text_out, NULL, &err) == 0)
		qt_buf_add(out, qt_buf_str(&text_out), text_out.len);
	else
		qt_buf_addf(out, "# failed: %s\n", err.text);
	qt_buf_release(&text_out);
	qt_buf_addc(out, '\n');
}

void qt_archive_postconf(struct qt_buf *out, const struct qt_spool *spool)
{
	if (spool->mail_version != NULL)
		qt_buf_addf(out, "# mail_version = %s\n\n",
		    spool->mail_version);
	postconf(out, spool, "-n");
	postconf(out, spool, "-Mf");
}

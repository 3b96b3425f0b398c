/*
 * postconf.c - spools found through Postfix's own tools.
 *
 * One run of postconf a configuration; "-x" expands $names, and the form
 * "name = value" is asked for rather than values alone, so that an empty value
 * cannot shift the rest by a line.
 */
#include <ctype.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/io.h"
#include "base/proc.h"
#include "source/spool_priv.h"

#define OUTPUT_MAX ((size_t)1 << 20) /* of postconf and postmulti */
#define DEPTH_MAX 16u		     /* beyond any hash_queue_depth in use */

static const char hint[] = "name a queue directory with -Q to read it as it "
			   "lies";

/* The value of a parameter in postconf's output; NULL when it is missing. */
static const char *find_value(const char *text, const char *name, size_t *len)
{
	size_t n = strlen(name), line;

	for (; *text != '\0'; text += line + (text[line] == '\n')) {
		line = strcspn(text, "\n");
		if (line < n + 2 || strncmp(text, name, n) != 0 ||
		    strncmp(text + n, " =", 2) != 0)
			continue;
		text += n + 2;
		line -= n + 2;
		while (line > 0 && *text == ' ') {
			text++;
			line--;
		}
		*len = line;
		return text;
	}
	return NULL;
}

/* *field becomes the value; NULL when it is missing or empty. */
static int get_text(const char *text, const char *name, char **field,
    struct qt_error *err)
{
	size_t len = 0;
	const char *value = find_value(text, name, &len);
	char *copy = NULL;

	if (value != NULL && len > 0) {
		copy = strndup(value, len);
		if (copy == NULL)
			return qt_fail_mem(err);
	}
	free(*field);
	*field = copy;
	return 0;
}

static bool get_bool(const char *text, const char *name)
{
	size_t len = 0;
	const char *value = find_value(text, name, &len);

	return value != NULL && len == 3 && strncasecmp(value, "yes", 3) == 0;
}

/* Seconds of "5d", "12h"; a bare number is days, as for the two lifetimes.  0
 * when it is no such thing. */
static int64_t get_time(const char *text, const char *name)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = {1, 60, 3600, 86400, 604800};
	size_t len = 0;
	const char *value = find_value(text, name, &len), *u;
	int64_t n = 0;
	size_t i;

	if (value == NULL)
		return 0;
	for (i = 0; i < len && isdigit((unsigned char)value[i]) &&
	     n < INT32_MAX; i++)
		n = n * 10 + (value[i] - '0');
	if (i == 0 || i + 1 < len)
		return 0;
	if (i == len)
		return n * 86400;
	u = strchr(units, tolower((unsigned char)value[i]));
	return u != NULL && *u != '\0' ? n * seconds[u - units] : 0;
}

/* hash_queue_depth for the queues in hash_queue_names, 0 for the rest. */
static void get_depths(struct qt_spool *s, const char *text)
{
	static const char blanks[] = ", \t";
	size_t len = 0, word;
	const char *v = find_value(text, "hash_queue_depth", &len);
	unsigned depth = 1; /* Postfix's default and least */
	const char *end;
	char name[32];

	if (v != NULL && len > 0)
		depth = (unsigned)strtoul(v, NULL, 10);
	if (depth < 1)
		depth = 1;
	if (depth > DEPTH_MAX)
		depth = DEPTH_MAX;
	v = find_value(text, "hash_queue_names", &len);
	for (end = v != NULL ? v + len : v; v < end; v += word) {
		word = strspn(v, blanks);
		if (word > 0)
			continue;
		word = strcspn(v, ", \t\n");
		if (word >= sizeof name)
			continue;
		memcpy(name, v, word);
		name[word] = '\0';
		if (qt_queue_by_name(name) < QT_Q_COUNT)
			s->depth[qt_queue_by_name(name)] = depth;
	}
	s->depth[QT_Q_MAILDROP] = 0; /* pickup and postdrop know no hashing */
}

/* Whether "3.11.2", "3.12-20260821" is 3.11 or later. */
static bool version_at_least(const char *version, long major, long minor)
{
	char *end;
	long a, b = 0;

	if (version == NULL)
		return false;
	a = strtol(version, &end, 10);
	if (*end == '.')
		b = strtol(end + 1, NULL, 10);
	return a > major || (a == major && b >= minor);
}

/* Debian lets myorigin be a file's name, whose first word is the value. */
static int resolve_myorigin(struct qt_spool *s, struct qt_error *err)
{
	struct qt_buf b;
	struct qt_error ignored;
	int rc = 0;

	if (s->myorigin == NULL || s->myorigin[0] != '/')
		return 0;
	qt_buf_init(&b, (size_t)64 << 10);
	if (qt_slurp(AT_FDCWD, s->myorigin, (size_t)4 << 10, &b,
		&ignored) == 0 && b.len > 0)
		b.data[strcspn(b.data, " \t\r\n")] = '\0';
	rc = qt_spool_set(&s->myorigin,
	    b.data != NULL && b.data[0] != '\0' ? b.data : NULL, err);
	qt_buf_release(&b);
	return rc;
}

/* User and group IDs of mail_owner; the directories' when it is unknown here
 * (a spool moved from another machine). */
static int resolve_owner(struct qt_spool *s, struct qt_error *err)
{
	struct passwd pw, *found = NULL;
	char buf[4096];

	if (s->mail_owner == NULL &&
	    qt_spool_set(&s->mail_owner, "postfix", err) != 0)
		return -1;
	if (getpwnam_r(s->mail_owner, &pw, buf, sizeof buf, &found) == 0 &&
	    found != NULL) {
		s->owner_uid = found->pw_uid;
		s->owner_gid = found->pw_gid;
	} else {
		(void)qt_spool_owner_from_dirs(s);
	}
	return 0;
}

int qt_spool_set_version(struct qt_spool *s, const char *version,
    struct qt_error *err)
{
	if (qt_spool_set(&s->mail_version, version, err) != 0)
		return -1;
	s->orig_address = version_at_least(s->mail_version, 3, 11);
	return 0;
}

/* Everything postconf said, into the spool. */
static int apply(struct qt_spool *s, const char *text, struct qt_error *err)
{
	if (get_text(text, "config_directory", &s->config_dir, err) != 0 ||
	    get_text(text, "myhostname", &s->host, err) != 0 ||
	    get_text(text, "mydomain", &s->mydomain, err) != 0 ||
	    get_text(text, "myorigin", &s->myorigin, err) != 0 ||
	    get_text(text, "mail_owner", &s->mail_owner, err) != 0 ||
	    get_text(text, "mail_version", &s->mail_version, err) != 0 ||
	    resolve_myorigin(s, err) != 0 || resolve_owner(s, err) != 0)
		return -1;
	if (s->host == NULL && qt_spool_set(&s->host, s->queue_dir, err) != 0)
		return -1;
	s->live = true;
	s->long_ids = get_bool(text, "enable_long_queue_ids");
	s->smtputf8 = get_bool(text, "smtputf8_enable");
	s->orig_address = version_at_least(s->mail_version, 3, 11);
	s->max_lifetime = get_time(text, "maximal_queue_lifetime");
	s->bounce_lifetime = get_time(text, "bounce_queue_lifetime");
	get_depths(s, text);
	return 0;
}

/* Run postconf; out gets "name = value" lines. */
static int run_postconf(const char *config_dir, struct qt_buf *out,
    struct qt_error *err)
{
	static const char *const names[] = {"config_directory",
	    "queue_directory", "hash_queue_names", "hash_queue_depth",
	    "myhostname", "mydomain", "myorigin", "mail_owner",
	    "enable_long_queue_ids", "smtputf8_enable",
	    "maximal_queue_lifetime", "bounce_queue_lifetime", "mail_version",
	    "multi_instance_directories"};
	const size_t n = sizeof names / sizeof names[0];
	const char *argv[sizeof names / sizeof names[0] + 5];
	struct qt_error why;
	size_t i = 0;

	argv[i++] = "postconf";
	if (config_dir != NULL) {
		argv[i++] = "-c";
		argv[i++] = config_dir;
	}
	argv[i++] = "-x";
	memcpy(&argv[i], names, sizeof names);
	argv[i + n] = NULL;
	if (qt_proc_capture(argv, OUTPUT_MAX, out, NULL, &why) == 0)
		return 0;
	if (why.code == QT_E_GONE)
		return qt_fail(err, QT_E_SYS, "postconf",
		    "Postfix is not installed here (there is no postconf); %s",
		    hint);
	if (why.code == QT_E_NOMEM)
		return qt_fail_mem(err);
	return qt_fail(err, QT_E_LIBRARY, "postconf",
	    "Postfix's configuration cannot be read: %.200s; %s", why.text,
	    hint);
}

/* Add the spool that postconf's output is about. */
static int add_output(struct qt_spools *list, const char *text,
    struct qt_error *err)
{
	struct qt_spool *s;
	char *dir = NULL;
	int rc;

	if (get_text(text, "queue_directory", &dir, err) != 0)
		return -1;
	if (dir == NULL || dir[0] != '/') {
		free(dir);
		return qt_fail(err, QT_E_LIBRARY, "postconf",
		    "postconf names no queue_directory; %s", hint);
	}
	rc = qt_spool_new(&s, dir, err);
	free(dir);
	if (rc != 0)
		return -1;
	if (apply(s, text, err) != 0) {
		qt_spool_free(s);
		return -1;
	}
	return qt_spools_take(list, s, err);
}

int qt_spools_add_config(struct qt_spools *list, const char *config_dir,
    struct qt_error *err)
{
	struct qt_buf out;
	char *abs = NULL;
	int rc;

	/* Postfix's programs refuse a relative one */
	if (config_dir != NULL && config_dir[0] != '/') {
		abs = realpath(config_dir, NULL);
		if (abs == NULL)
			return qt_fail(err, QT_E_USAGE, config_dir,
			    "there is no such configuration directory");
		config_dir = abs;
	}
	qt_buf_init(&out, 0);
	rc = run_postconf(config_dir, &out, err);
	if (rc == 0)
		rc = add_output(list, qt_buf_str(&out), err);
	qt_buf_release(&out);
	free(abs);
	return rc;
}

/* ---- all instances ---- */

/* An instance that cannot be had is left out, with the reason. */
static int leave_out(struct qt_spools *list, const struct qt_error *why,
    struct qt_error *err)
{
	struct qt_error *v;

	if (why->code == QT_E_NOMEM)
		return qt_fail_mem(err);
	v = reallocarray(list->left, list->nleft + 1, sizeof *v);
	if (v == NULL)
		return qt_fail_mem(err);
	v[list->nleft++] = *why;
	list->left = v;
	return 0;
}

/* Add a configuration directory given as bytes. */
static int add_config_n(struct qt_spools *list, const char *dir, size_t len,
    struct qt_error *err)
{
	char *copy = strndup(dir, len);
	struct qt_error why = {0};
	int rc = 0;

	if (copy == NULL)
		return qt_fail_mem(err);
	if (qt_spools_add_config(list, copy, &why) != 0)
		rc = leave_out(list, &why, err);
	free(copy);
	return rc;
}

/* postmulti -l: name, group, y or n, configuration directory a line. */
static int add_postmulti(struct qt_spools *list, const char *text,
    struct qt_error *err)
{
	static const char blanks[] = " \t";
	size_t len;
	const char *p, *next;

	for (; *text != '\0'; text = next) {
		len = strcspn(text, "\n");
		next = text + len + (text[len] == '\n');
		p = text;
		for (int field = 0; field < 3; field++) {
			p += strcspn(p, " \t\n");
			p += strspn(p, blanks);
		}
		len = strcspn(p, "\n");
		while (len > 0 && strchr(blanks, p[len - 1]) != NULL)
			len--;
		if (len > 0 && add_config_n(list, p, len, err) != 0)
			return -1;
	}
	return 0;
}

/*
 * Without postmulti's word (it refuses when it finds no default configuration,
 * and older ones when multi_instance_enable is off): the primary instance and
 * what its multi_instance_directories lists, which is where postmulti looks.
 */
static int add_primary(struct qt_spools *list, struct qt_error *err)
{
	struct qt_error why = {0};
	struct qt_buf out;
	size_t len = 0, word;
	const char *v, *end;
	int rc;

	qt_buf_init(&out, 0);
	rc = run_postconf(NULL, &out, err);
	if (rc == 0 && add_output(list, qt_buf_str(&out), &why) != 0)
		rc = leave_out(list, &why, err);
	v = rc == 0 ? find_value(qt_buf_str(&out),
			  "multi_instance_directories", &len) : NULL;
	for (end = v != NULL ? v + len : v; rc == 0 && v < end; v += word) {
		word = strspn(v, ", \t");
		if (word > 0)
			continue;
		word = strcspn(v, ", \t\n");
		rc = add_config_n(list, v, word, err);
	}
	qt_buf_release(&out);
	return rc;
}

int qt_spools_add_all(struct qt_spools *list, struct qt_error *err)
{
	static const char *const argv[] = {"postmulti", "-l", NULL};
	struct qt_error ignored;
	struct qt_buf out;
	int rc;

	qt_buf_init(&out, 0);
	if (qt_proc_capture(argv, OUTPUT_MAX, &out, NULL, &ignored) == 0 &&
	    out.len > 0)
		rc = add_postmulti(list, qt_buf_str(&out), err);
	else
		rc = add_primary(list, err);
	qt_buf_release(&out);
	if (rc == 0 && list->n == 0 && list->nleft != 0) {
		if (err != NULL)
			*err = list->left[0];
		return -1;
	}
	return rc;
}

/*
 * columns.h - the columns of every table: one list each, from which come the
 * declaration for SQLite, qt_db_columns(), the indices the tables switch on,
 * and what a column costs.
 *
 * X(ID, name, type, want, need, hidden, help)
 *   want: QT_WANT_ bits, what the scanner has to load
 *   need: DV_ bits, what derive.c has to work out of it
 *
 * SQLite tells which columns a statement uses in 64 bits, the last of which
 * stands for all columns from 63 on: what is cheap comes last.
 */
#ifndef QUERY_COLUMNS_H
#define QUERY_COLUMNS_H

#include <stdint.h>

#include "qtool/db.h"

enum { /* derived values, worked out in the scanner's threads */
	DV_SENDER_DOMAIN = 1 << 0,
	DV_SENDER_ORG = 1 << 1,
	DV_RCPT_DOMAINS = 1 << 2, /* rcpt_domain, rcpt_domains */
	DV_RECIPIENTS = 1 << 3,
	DV_CLASS = 1 << 4,
	DV_FROM = 1 << 5,	 /* from_addr, from_domain */
	DV_FIELDS = 1 << 6,	 /* the other columns made of headers */
	DV_REPORT = 1 << 7,	 /* bounce_of, bounce_sender */
	DV_TODO_RCPTS = 1 << 8,
	DV_TODO_DOMAINS = 1 << 9,
	DV_HEADERS_TEXT = 1 << 10,
	DV_REASONS = 1 << 11,
	DV_SENDER_SHOWN = 1 << 12,
	DV_AS_JSON = 1 << 13,
	DV_LINE = 1 << 14 /* qt_db_row_line() */
};

#define STAT QT_WANT_STAT
#define MSG (QT_WANT_STAT | QT_WANT_MSG)
#define RCPTS (MSG | QT_WANT_RCPTS)
#define HDRS (MSG | QT_WANT_HEADERS)
#define LOGS (MSG | QT_WANT_LOGS)
#define BOTHLOGS (LOGS | QT_WANT_BOUNCES)
#define DIAGS (BOTHLOGS | QT_WANT_DIAGS)
/* as_json: all that its members take */
#define WHOLE (RCPTS | HDRS | LOGS | QT_WANT_LOCKS)
#define WHOLE_NEED (DV_SENDER_DOMAIN | DV_SENDER_ORG | DV_RCPT_DOMAINS | \
	DV_RECIPIENTS | DV_CLASS | DV_FROM | DV_FIELDS | DV_REPORT | \
	DV_SENDER_SHOWN | DV_AS_JSON)
/* A line of an archive's table: the same without what it leaves out. */
#define LINE_WANT (QT_WANT_STAT | QT_WANT_MSG | QT_WANT_RCPTS | \
	QT_WANT_HEADERS | QT_WANT_LOGS)
#define LINE_NEED (DV_SENDER_DOMAIN | DV_SENDER_ORG | DV_RCPT_DOMAINS | \
	DV_CLASS | DV_FROM | DV_FIELDS | DV_REPORT | DV_LINE)

#define MESSAGES_COLUMNS(X) \
	X(M_HOST, "host", "TEXT", 0, 0, false, \
	    "the instance's myhostname, or the directory that was given") \
	X(M_QUEUE_NAME, "queue_name", "TEXT", 0, 0, false, \
	    "queue directory: maildrop, active, incoming, deferred, hold, " \
	    "corrupt, saved") \
	X(M_QUEUE_ID, "queue_id", "TEXT", 0, 0, false, \
	    "queue ID: the file's name") \
	X(M_PATH, "path", "TEXT", 0, 0, false, \
	    "the file below the queue directory, as found") \
	X(M_STATE, "state", "TEXT", MSG, 0, false, \
	    "ok, unfinished, corrupt, misplaced or foreign") \
	X(M_ERROR, "error", "TEXT", MSG, 0, false, \
	    "why the state is not ok") \
	X(M_ERROR_OFFSET, "error_offset", "INTEGER", MSG, 0, false, \
	    "byte offset of the error in the file") \
	X(M_DEV, "dev", "INTEGER", STAT, 0, false, "device number") \
	X(M_INODE, "inode", "INTEGER", STAT, 0, false, "inode number") \
	X(M_MODE, "mode", "INTEGER", STAT, 0, false, \
	    "st_mode: file type and permission bits") \
	X(M_FILE_SIZE, "file_size", "INTEGER", STAT, 0, false, \
	    "bytes of the queue file") \
	X(M_MTIME, "mtime", "INTEGER", STAT, 0, false, \
	    "modification time; in deferred that is the next attempt") \
	X(M_FORCED_EXPIRE, "forced_expire", "BOOLEAN", STAT, 0, false, \
	    "postsuper -e or -f was used on it") \
	X(M_ARRIVAL_TIME, "arrival_time", "INTEGER", MSG, 0, false, \
	    "when the message arrived; mtime when the file does not tell") \
	X(M_ARRIVAL_USEC, "arrival_usec", "INTEGER", MSG, 0, false, \
	    "microseconds of the arrival") \
	X(M_CREATE_TIME, "create_time", "INTEGER", MSG, 0, false, \
	    "when this queue file was made; a requeue renews it") \
	X(M_MESSAGE_SIZE, "message_size", "INTEGER", MSG, 0, false, \
	    "size as postqueue has it") \
	X(M_SENDER, "sender", "TEXT", MSG, 0, false, \
	    "envelope sender; empty for the null sender") \
	X(M_SENDER_DOMAIN, "sender_domain", "TEXT", MSG, DV_SENDER_DOMAIN, \
	    false, "its domain, lower case, A-label form") \
	X(M_SENDER_ORG, "sender_org", "TEXT", MSG, DV_SENDER_ORG, false, \
	    "its registrable domain") \
	X(M_SASL_USERNAME, "sasl_username", "TEXT", MSG, 0, false, \
	    "login name the message was submitted with") \
	X(M_SASL_METHOD, "sasl_method", "TEXT", MSG, 0, false, \
	    "authentication mechanism") \
	X(M_SASL_SENDER, "sasl_sender", "TEXT", MSG, 0, false, \
	    "AUTH= parameter of MAIL FROM") \
	X(M_CLIENT_ADDRESS, "client_address", "TEXT", MSG, 0, false, \
	    "address of the client, as Postfix logs it") \
	X(M_CLIENT_NAME, "client_name", "TEXT", MSG, 0, false, \
	    "name of the client, as Postfix logs it") \
	X(M_CLIENT_PORT, "client_port", "TEXT", MSG, 0, false, \
	    "port of the client, as Postfix logs it") \
	X(M_HELO_NAME, "helo_name", "TEXT", MSG, 0, false, \
	    "name the client said in HELO or EHLO") \
	X(M_PROTOCOL_NAME, "protocol_name", "TEXT", MSG, 0, false, \
	    "SMTP, ESMTP, QMQP and so on") \
	X(M_MESSAGE_ORIGIN, "message_origin", "TEXT", MSG, 0, false, \
	    "name[address] of the client, or local") \
	X(M_LOG_IDENT, "log_ident", "TEXT", MSG, 0, false, \
	    "queue ID used for logging: the first one, behind a filter") \
	X(M_PEER_ADDRESS, "peer_address", "TEXT", MSG, 0, false, \
	    "address of the machine that was connected") \
	X(M_PEER_NAME, "peer_name", "TEXT", MSG, 0, false, \
	    "name of the machine that was connected") \
	X(M_PEER_PORT, "peer_port", "TEXT", MSG, 0, false, \
	    "port of the machine that was connected") \
	X(M_RCPT_TOTAL, "rcpt_total", "INTEGER", MSG, 0, false, \
	    "recipients, finished ones too, not those cancelled") \
	X(M_RCPT_TODO, "rcpt_todo", "INTEGER", MSG, 0, false, \
	    "recipients still to do") \
	X(M_RCPT_DONE, "rcpt_done", "INTEGER", MSG, 0, false, \
	    "recipients delivered or bounced") \
	X(M_RCPT_DOMAIN, "rcpt_domain", "TEXT", RCPTS, DV_RCPT_DOMAINS, false, \
	    "the recipients' domain when they have only one") \
	X(M_RCPT_DOMAINS, "rcpt_domains", "JSON", RCPTS, DV_RCPT_DOMAINS, \
	    false, "all recipients' domains, sorted, as an array") \
	X(M_RECIPIENTS, "recipients", "JSON", RCPTS | LOGS, DV_RECIPIENTS, \
	    false, "recipients still to do, as postqueue -j has them") \
	X(M_CLASS, "class", "TEXT", MSG, DV_CLASS, false, \
	    "authenticated, forged, bounce, reinjected, local, relayed, unknown") \
	X(M_SUBJECT, "subject", "TEXT", HDRS, DV_FIELDS, false, \
	    "Subject, decoded") \
	X(M_FROM_ADDR, "from_addr", "TEXT", HDRS, DV_FROM, false, \
	    "the first address of From") \
	X(M_FROM_DOMAIN, "from_domain", "TEXT", HDRS, DV_FROM, false, \
	    "its domain, lower case, A-label form") \
	X(M_REPLY_TO, "reply_to", "TEXT", HDRS, DV_FIELDS, false, \
	    "the first address of Reply-To") \
	X(M_MESSAGE_ID, "message_id", "TEXT", HDRS, DV_FIELDS, false, \
	    "Message-ID, with its angle brackets") \
	X(M_MAILER, "mailer", "TEXT", HDRS, DV_FIELDS, false, \
	    "X-Mailer or User-Agent, decoded") \
	X(M_CONTENT_TYPE, "content_type", "TEXT", HDRS, DV_FIELDS, false, \
	    "Content-Type") \
	X(M_BOUNCE_OF, "bounce_of", "TEXT", MSG, DV_REPORT, false, \
	    "queue ID that a delivery report says it is about") \
	X(M_BOUNCE_SENDER, "bounce_sender", "TEXT", MSG, DV_REPORT, false, \
	    "sender of the mail that a delivery report is about") \
	X(M_DELAY_REASON, "delay_reason", "TEXT", LOGS, 0, false, \
	    "reason of the last deferral") \
	X(M_DSN, "dsn", "TEXT", LOGS, 0, false, \
	    "enhanced status code of the last deferral") \
	X(M_IN_DELIVERY, "in_delivery", "BOOLEAN", STAT | QT_WANT_LOCKS, 0, \
	    false, "a process holds a lock on it") \
	X(M_BODY, "body", "TEXT", MSG | QT_WANT_BODY, 0, false, \
	    "text after the header, at most 16 MiB") \
	X(M_SHA256, "sha256", "TEXT", STAT | QT_WANT_HASH, 0, false, \
	    "SHA-256 of the queue file") \
	X(M_SENDER_SHOWN, "sender_shown", "TEXT", MSG, DV_SENDER_SHOWN, true, \
	    "sender as postqueue prints it") \
	X(M_SHOWQ_TIME, "showq_time", "INTEGER", MSG, 0, true, \
	    "arrival time as postqueue prints it") \
	X(M_TODO_RCPTS, "todo_rcpts", "JSON", RCPTS, DV_TODO_RCPTS, true, \
	    "addresses still to do, as an array") \
	X(M_TODO_DOMAINS, "todo_domains", "JSON", RCPTS, DV_TODO_DOMAINS, \
	    true, "domains still to do, sorted, as an array") \
	X(M_HEADERS_TEXT, "headers_text", "TEXT", HDRS, DV_HEADERS_TEXT, true, \
	    "the header, one unfolded field a line") \
	X(M_DELAY_REASONS, "delay_reasons", "JSON", BOTHLOGS, DV_REASONS, true, \
	    "distinct reasons in the defer and bounce logs, as an array") \
	X(M_AS_JSON, "as_json", "JSON", WHOLE, WHOLE_NEED, true, \
	    "the message as list --format json prints it") \
	X(M_ODD, "odd", "TEXT", MSG, 0, true, \
	    "what is odd about the file though Postfix accepts it") \
	X(M_RCPT_CANCELLED, "rcpt_cancelled", "INTEGER", MSG, 0, true, \
	    "recipients a Milter took out") \
	X(M_MTIME_NS, "mtime_ns", "INTEGER", STAT, 0, true, \
	    "modification time in nanoseconds") \
	X(M_CTIME_NS, "ctime_ns", "INTEGER", STAT, 0, true, \
	    "inode change time in nanoseconds") \
	X(M_UID, "uid", "INTEGER", STAT, 0, true, "owner of the file") \
	X(M_GID, "gid", "INTEGER", STAT, 0, true, "group of the file") \
	X(M_NLINK, "nlink", "INTEGER", STAT, 0, true, "hard links to the file") \
	X(M_CONFIG_DIR, "config_dir", "TEXT", 0, 0, true, \
	    "the instance's configuration directory") \
	X(M_QUEUE_DIR, "queue_dir", "TEXT", 0, 0, true, \
	    "the instance's queue directory")

#define RECIPIENTS_COLUMNS(X) \
	X(R_QUEUE_NAME, "queue_name", "TEXT", 0, 0, false, "as in messages") \
	X(R_QUEUE_ID, "queue_id", "TEXT", 0, 0, false, "as in messages") \
	X(R_ADDRESS, "address", "TEXT", RCPTS, 0, false, \
	    "recipient after rewriting") \
	X(R_DOMAIN, "domain", "TEXT", RCPTS, 0, false, \
	    "its domain, lower case, A-label form") \
	X(R_ORG, "org", "TEXT", RCPTS, 0, false, "its registrable domain") \
	X(R_ORIG_ADDRESS, "orig_address", "TEXT", RCPTS, 0, false, \
	    "recipient before rewriting") \
	X(R_STATE, "state", "TEXT", RCPTS, 0, false, \
	    "todo, done (delivered or bounced) or cancelled (by a Milter)") \
	X(R_OFFSET, "offset", "INTEGER", RCPTS, 0, false, \
	    "offset of its record in the queue file: its identity in the logs") \
	X(R_NOTIFY, "notify", "TEXT", RCPTS, 0, false, \
	    "DSN NOTIFY: NEVER, or a list of SUCCESS, FAILURE, DELAY") \
	X(R_DELAY_REASON, "delay_reason", "TEXT", RCPTS | BOTHLOGS, 0, false, \
	    "reason of its last deferral") \
	X(R_DSN, "dsn", "TEXT", RCPTS | BOTHLOGS, 0, false, \
	    "enhanced status code of its last log entry") \
	X(R_ACTION, "action", "TEXT", RCPTS | DIAGS, 0, false, \
	    "action of its last log entry: delayed, failed") \
	X(R_REMOTE_MTA, "remote_mta", "TEXT", RCPTS | DIAGS, 0, false, \
	    "the server that said so") \
	X(R_BOUNCE_REASON, "bounce_reason", "TEXT", RCPTS | BOTHLOGS, 0, true, \
	    "why it was bounced, until the notice is queued") \
	X(R_DIAGNOSTIC, "diagnostic", "TEXT", RCPTS | DIAGS, 0, true, \
	    "the remote server's reply") \
	X(R_DSN_ORCPT, "dsn_orcpt", "TEXT", RCPTS, 0, true, \
	    "DSN ORCPT: type;address") \
	X(R_HOST, "host", "TEXT", 0, 0, true, "as in messages")

#define HEADERS_COLUMNS(X) \
	X(H_QUEUE_NAME, "queue_name", "TEXT", 0, 0, false, "as in messages") \
	X(H_QUEUE_ID, "queue_id", "TEXT", 0, 0, false, "as in messages") \
	X(H_N, "n", "INTEGER", HDRS, 0, false, "its place in the header, from 1") \
	X(H_NAME, "name", "TEXT", HDRS, 0, false, "field name as written") \
	X(H_VALUE, "value", "TEXT", HDRS, 0, false, \
	    "field value, unfolded, not decoded") \
	X(H_HOST, "host", "TEXT", 0, 0, true, "as in messages")

#define RECORDS_COLUMNS(X) \
	X(C_QUEUE_NAME, "queue_name", "TEXT", 0, 0, false, "as in messages") \
	X(C_QUEUE_ID, "queue_id", "TEXT", 0, 0, false, "as in messages") \
	X(C_OFFSET, "offset", "INTEGER", MSG, 0, false, \
	    "offset in the file, as postcat -o prints it") \
	X(C_SEGMENT, "segment", "TEXT", MSG, 0, false, \
	    "envelope, content or extracted") \
	X(C_TYPE, "type", "TEXT", MSG, 0, false, \
	    "record type: one letter of rec_type.h") \
	X(C_LENGTH, "length", "INTEGER", MSG, 0, false, "bytes of the value") \
	X(C_DATA, "data", "BLOB", MSG, 0, false, \
	    "the value's bytes, at most 64 KiB of them") \
	X(C_LABEL, "label", "TEXT", MSG, 0, true, \
	    "postcat's name of the record type") \
	X(C_HOST, "host", "TEXT", 0, 0, true, "as in messages")

#define COLUMN_ID(id, name, type, want, need, hidden, help) id,
enum { MESSAGES_COLUMNS(COLUMN_ID) M_COUNT };
enum { RECIPIENTS_COLUMNS(COLUMN_ID) R_COUNT };
enum { HEADERS_COLUMNS(COLUMN_ID) H_COUNT };
enum { RECORDS_COLUMNS(COLUMN_ID) C_COUNT };
#undef COLUMN_ID

/* One table's columns, as columns.c keeps them. */
struct columns {
	const char *table;
	const struct qt_column *v; /* n of them, then one of name NULL */
	const unsigned *need;	   /* DV_ bits, n of them; NULL: none */
	int n;
};

/* The columns of a table, NULL when there is none of that name. */
const struct columns *columns_find(const char *table);
/* Whether SQLite's mask of used columns has column i. */
bool columns_has(uint64_t used, int i);
/* QT_WANT_ and DV_ bits of the columns in the mask. */
unsigned columns_want(const struct columns *c, uint64_t used);
unsigned columns_need(const struct columns *c, uint64_t used);
/* CREATE TABLE for sqlite3_declare_vtab(). */
void columns_declare(struct qt_buf *out, const struct columns *c);

#undef STAT
#undef MSG
#undef RCPTS
#undef HDRS
#undef LOGS
#undef BOTHLOGS
#undef DIAGS
#undef WHOLE

#endif

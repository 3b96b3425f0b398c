/*
 * derive.h - the columns that are worked out of what the scanner loaded, in its
 * worker threads, and only those a statement uses.
 */
#ifndef QUERY_DERIVE_H
#define QUERY_DERIVE_H

#include "qtool/scan.h"

enum msg_class {
	CLASS_UNKNOWN, CLASS_AUTHENTICATED, CLASS_FORGED, CLASS_BOUNCE,
	CLASS_REINJECTED, CLASS_LOCAL, CLASS_RELAYED, CLASS_COUNT
};
const char *class_name(enum msg_class c);
/* The class of that name, CLASS_COUNT when there is none. */
enum msg_class class_by_name(const char *name);

/* Strings in the row's arena; NULL: unknown, or not asked for. */
struct derived {
	enum msg_class class;
	const char *sender_domain, *sender_org, *sender_shown;
	const char *rcpt_domain;
	/* JSON */
	const char *rcpt_domains, *recipients, *todo_rcpts, *todo_domains,
	    *delay_reasons, *as_json, *line;
	size_t line_len;
	bool decoded; /* subject and mailer are */
	/* from the header, raw bytes cut at a NUL */
	const char *subject, *from_addr, *from_domain, *reply_to, *message_id,
	    *mailer, *content_type;
	const char *headers_text; /* in text form */
	size_t headers_len;
	/* from a delivery report */
	const char *bounce_of, *bounce_sender;
};

/* What a scan's workers are told; not changed while it runs. */
struct derive {
	unsigned need; /* DV_ bits */
};

/* The finish hook of qt_scan_opts; ctx is a struct derive.  0 or negative. */
int derive_row(struct qt_row *row, struct qt_finish_tmp *tmp, void *ctx);

/* ---- derive_rcpt.c ---- */
void derive_recipients(struct qt_row *row, struct derived *d, unsigned need,
    struct qt_finish_tmp *tmp);
/*
 * The order in which the column recipients has them, *n places in msg.rcpt:
 * first those of the defer log (of: the place that each of its entries is
 * about), then the others.  Only where each address is printed as it is, and
 * each entry names that of its recipient.  order has room for all of both;
 * false: out of memory.
 */
bool derive_order(struct qt_row *row, const uint32_t *of, uint32_t *order,
    size_t *n);

/* ---- derive_header.c ---- */
void derive_header(struct qt_row *row, struct derived *d, unsigned need);
/* The first addr-spec of a header's value (RFC 5322 3.4), NULL none. */
const char *addr_spec(struct qt_arena *a, const char *value, size_t len);

/* ---- report.c ---- */

/*
 * A delivery report as bounce(8) writes it, a piece of a line at a time.
 * Source: Postfix src/bounce/bounce_notify_util.c, RFC 3464.
 */
#define REPORT_LINE 1024
struct report {
	int where;	       /* enum of report.c */
	bool is_status;	       /* the part's header says delivery-status */
	char line[REPORT_LINE]; /* so far; what is longer is cut */
	size_t len;
	char queue_id[256], sender[REPORT_LINE]; /* "" not found */
	bool have_sender, done;
};
void report_add(struct report *r, const char *bytes, size_t len, bool eol);
/* Read it from the row's file, open as fd (or body); fills d where something is
 * found. */
void derive_report(struct qt_row *row, struct derived *d, int fd);

#endif

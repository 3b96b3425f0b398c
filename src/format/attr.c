/*
 * attr.c - the names of A records.
 *
 * A scan asks for some twenty names a message, so the table is ordered by
 * length and entered by it; one length has at most eight names.
 *
 * Source: Postfix src/global/mail_proto.h, src/global/rec_attr_map.c; which
 * value counts: src/qmgr/qmgr_message.c.  Of the names that qmgr does not read,
 * the real peer's count first (the receiving daemon wrote it), the origin like
 * the other log_ names and the message ID last.
 */
#include "format/attr.h"

#include <stdbool.h>
#include <string.h>

#include "base/word.h"
#include "qtool/message.h"

#define FIELD(member) ((uint16_t)offsetof(struct qt_msg, member))
#define NAME(text) text, (uint8_t)(sizeof text - 1)

/* Ordered by length; bounds[] below depends on it. */
static const struct qt_attr attrs[] = {
    {NAME("encoding"), QT_ATTR_LAST, FIELD(encoding), 0},
    /* 9 */
    {NAME("log_ident"), QT_ATTR_FIRST, FIELD(log_ident), 0},
    {NAME("helo_name"), QT_ATTR_LEGACY, FIELD(helo_name), FIELD(log_helo_name)},
    {NAME("ret_flags"), QT_ATTR_RET, 0, 0},
    /* 10 */
    {NAME("message_id"), QT_ATTR_LAST, FIELD(message_id), 0},
    /* 11 */
    {NAME("create_time"), QT_ATTR_CTIME, 0, 0},
    {NAME("client_name"), QT_ATTR_LEGACY, FIELD(client_name),
	FIELD(log_client_name)},
    {NAME("client_port"), QT_ATTR_LEGACY, FIELD(client_port),
	FIELD(log_client_port)},
    {NAME("server_port"), QT_ATTR_FIRST, FIELD(server_port), 0},
    {NAME("sasl_method"), QT_ATTR_FIRST, FIELD(sasl_method), 0},
    {NAME("sasl_sender"), QT_ATTR_FIRST, FIELD(sasl_sender), 0},
    {NAME("envelope_id"), QT_ATTR_LAST, FIELD(envelope_id), 0},
    {NAME("trace_flags"), QT_ATTR_TRACE, 0, 0},
    /* 12 */
    {NAME("notify_flags"), QT_ATTR_NOTIFY, 0, 0},
    /* 13 */
    {NAME("dsn_orig_rcpt"), QT_ATTR_ORCPT, 0, 0},
    {NAME("sasl_username"), QT_ATTR_FIRST, FIELD(sasl_username), 0},
    {NAME("log_helo_name"), QT_ATTR_LOG, FIELD(log_helo_name), 0},
    {NAME("protocol_name"), QT_ATTR_LEGACY, FIELD(protocol_name),
	FIELD(log_protocol_name)},
    /* 14 */
    {NAME("client_address"), QT_ATTR_LEGACY, FIELD(client_address),
	FIELD(log_client_address)},
    {NAME("server_address"), QT_ATTR_FIRST, FIELD(server_address), 0},
    /* 15 */
    {NAME("log_client_name"), QT_ATTR_LOG, FIELD(log_client_name), 0},
    {NAME("log_client_port"), QT_ATTR_LOG, FIELD(log_client_port), 0},
    {NAME("rewrite_context"), QT_ATTR_FIRST, FIELD(rewrite_context), 0},
    /* 17 */
    {NAME("log_protocol_name"), QT_ATTR_LOG, FIELD(log_protocol_name), 0},
    /* 18; qmgr does not read the origin, so it stops no legacy name */
    {NAME("log_client_address"), QT_ATTR_LOG, FIELD(log_client_address), 0},
    {NAME("log_message_origin"), QT_ATTR_LAST, FIELD(log_message_origin), 0},
    /* 19 */
    {NAME("reverse_client_name"), QT_ATTR_FIRST, FIELD(reverse_client_name), 0},
};

#define SHORTEST 8u
#define LONGEST 19u
/* Where the names of each length begin; one more for the end. */
static const uint8_t bounds[LONGEST - SHORTEST + 2] = {
    0, 1, 4, 5, 13, 14, 18, 20, 23, 23, 24, 26, 27};
_Static_assert(sizeof attrs / sizeof attrs[0] == 27, "bounds[] follows attrs");

/* Every name has a word at its begin and one at its end: both, and one between
 * where they do not meet, are all of it. */
static bool same_name(const char *name, const char *s, size_t len)
{
	return qt_word_load(name) == qt_word_load(s) &&
	    qt_word_load(name + len - QT_WORD_SIZE) ==
		qt_word_load(s + len - QT_WORD_SIZE) &&
	    (len <= 2 * QT_WORD_SIZE ||
		qt_word_load(name + QT_WORD_SIZE) ==
		    qt_word_load(s + QT_WORD_SIZE));
}
_Static_assert(SHORTEST >= QT_WORD_SIZE && LONGEST <= 3 * QT_WORD_SIZE,
    "three words are all of a name");

const struct qt_attr *qt_attr_begins(const char *payload, size_t len)
{
	const struct qt_attr *a, *end;
	size_t n = SHORTEST, most = len < LONGEST + 1 ? len : LONGEST + 1;

	if (len >= SHORTEST + QT_WORD_SIZE)
		n += qt_word_find(qt_word_load(payload + SHORTEST), '=');
	while (n < most && payload[n] != '=')
		n++;
	if (n >= most)
		return NULL;
	end = attrs + bounds[n - SHORTEST + 1];
	for (a = attrs + bounds[n - SHORTEST]; a < end; a++)
		if (same_name(a->name, payload, n))
			return a;
	return NULL;
}

const struct qt_attr *qt_attr_find(const char *name, size_t len)
{
	const struct qt_attr *a, *end;

	if (len < SHORTEST || len > LONGEST)
		return NULL;
	end = attrs + bounds[len - SHORTEST + 1];
	for (a = attrs + bounds[len - SHORTEST]; a < end; a++)
		if (a->name[0] == name[0] && memcmp(a->name, name, len) == 0)
			return a;
	return NULL;
}

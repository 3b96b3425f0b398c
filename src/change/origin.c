/*
 * origin.c - the lines of a plan that say what was imported:
 *
 *	O seq queue id sha256 [LOG:size:sha256 ...]
 *
 * queue and id are those in the archive, sha256 is that of the message's bytes;
 * LOG is d, b or t (defer, bounce, trace), in this order.
 */
#include "change/origin.h"

#include <stdlib.h>
#include <string.h>

#include "change/field.h"

#define HEX 64 /* digits of a SHA-256 */
#define FIELDS 5 /* without logs */

static const char letters[QT_LOG_KINDS + 1] = "dbt"; /* by QT_LOG_ bit */

const char *qt_origin_id(const struct qt_plan *p, size_t i)
{
	return p->strings + p->origin[i].id;
}

const char *qt_origin_sum(const struct qt_plan *p, size_t i)
{
	return p->strings + p->origin[i].sum;
}

const char *qt_origin_log_sum(const struct qt_plan *p, size_t i, unsigned kind)
{
	return p->strings + p->origin[i].log_sum[kind];
}

bool qt_origin_complete(const struct qt_plan *p)
{
	return p->origins == (p->op == QT_OP_IMPORT ? p->n : 0);
}

static bool is_sum(const char *s)
{
	return strspn(s, "0123456789abcdef") == HEX && s[HEX] == '\0';
}

/* Room for the origin of the last message. */
static int next(struct qt_plan *p, struct qt_plan_origin **o,
    struct qt_error *err)
{
	size_t cap = p->origin_cap == 0 ? 64 : 2 * p->origin_cap;
	struct qt_plan_origin *v;

	if (p->origins == p->origin_cap) {
		v = reallocarray(p->origin, cap, sizeof(*v));
		if (v == NULL)
			return qt_fail_mem(err);
		p->origin = v;
		p->origin_cap = cap;
	}
	*o = &p->origin[p->origins];
	**o = (struct qt_plan_origin){.id = 0};
	return 0;
}

/* ---- lines ---- */

void qt_origin_put(struct qt_buf *b, const struct qt_plan *p, size_t i)
{
	const struct qt_plan_origin *o = &p->origin[i];
	const size_t from = b->len;
	unsigned k;

	qt_buf_addf(b, "O\t%zu\t%s\t%s\t%s", i,
	    qt_queue_name((enum qt_queue)o->queue), qt_origin_id(p, i),
	    qt_origin_sum(p, i));
	for (k = 0; k < QT_LOG_KINDS; k++)
		if ((o->logs & 1u << k) != 0)
			qt_buf_addf(b, "\t%c:%lld:%s", letters[k],
			    (long long)o->log_size[k],
			    qt_origin_log_sum(p, i, k));
	qt_field_seal(b, from);
}

/* "d:120:SUM", of a kind from least on: 0, 1 it is none. */
static int take_log(struct qt_plan *p, struct qt_plan_origin *o, unsigned *least,
    const char *field, struct qt_error *err)
{
	const char *at = field[0] != '\0' ? strchr(letters, field[0]) : NULL;
	const char *sum = strrchr(field, ':');
	unsigned k = at != NULL ? (unsigned)(at - letters) : QT_LOG_KINDS;
	char size[24];
	uint64_t n;

	if (k >= QT_LOG_KINDS || k < *least || field[1] != ':' ||
	    sum == field + 1 || (size_t)(sum - field) - 2 >= sizeof(size) ||
	    !is_sum(sum + 1))
		return 1;
	memcpy(size, field + 2, (size_t)(sum - field) - 2);
	size[sum - field - 2] = '\0';
	if (!qt_field_u64(size, INT64_MAX, &n))
		return 1;
	*least = k + 1;
	o->logs |= (uint8_t)(1u << k);
	o->log_size[k] = (int64_t)n;
	return qt_plan_keep(p, sum + 1, &o->log_sum[k], err);
}

int qt_origin_take(struct qt_plan *p, const char **f, int n,
    struct qt_error *err)
{
	enum qt_queue q = n >= FIELDS ? qt_queue_by_name(f[2]) : QT_Q_COUNT;
	struct qt_plan_origin *o;
	unsigned least = 0;
	uint64_t seq;
	int i, r;

	if (p->op != QT_OP_IMPORT || n < FIELDS || q >= QT_Q_MESSAGES ||
	    p->n == 0 || !qt_field_u64(f[1], QT_PLAN_MAX, &seq) ||
	    seq != p->n - 1 || seq != p->origins ||
	    !qt_queue_id_valid(f[3]) || !is_sum(f[4]))
		return 1;
	if (next(p, &o, err) != 0 || qt_plan_keep(p, f[3], &o->id, err) != 0 ||
	    qt_plan_keep(p, f[4], &o->sum, err) != 0)
		return -1;
	o->queue = (uint8_t)q;
	for (i = FIELDS; i < n; i++)
		if ((r = take_log(p, o, &least, f[i], err)) != 0)
			return r;
	p->origins++;
	return 0;
}

/* ---- a message ---- */

static int bad(const struct qt_import *m, struct qt_error *err)
{
	return qt_fail(err, QT_E_USAGE, m->id != NULL ? m->id : "",
	    "is no message that can be restored");
}

static int add_origin(struct qt_plan *p, const struct qt_import *m,
    struct qt_error *err)
{
	struct qt_plan_origin *o;
	unsigned k;

	if (next(p, &o, err) != 0 || qt_plan_keep(p, m->id, &o->id, err) != 0 ||
	    qt_plan_keep(p, m->message.sha256, &o->sum, err) != 0)
		return -1;
	o->queue = (uint8_t)m->queue;
	/* pickup makes a new message of it, that nobody has tried */
	for (k = 0; k < QT_LOG_KINDS && m->to != QT_Q_MAILDROP; k++) {
		if (m->log[k].sha256 == NULL)
			continue;
		if (!is_sum(m->log[k].sha256) || m->log[k].size < 0)
			return bad(m, err);
		o->logs |= (uint8_t)(1u << k);
		o->log_size[k] = m->log[k].size;
		if (qt_plan_keep(p, m->log[k].sha256, &o->log_sum[k], err) != 0)
			return -1;
	}
	p->origins++;
	return 0;
}

int qt_plan_add_import(struct qt_plan *p, const struct qt_import *m,
    struct qt_error *err)
{
	struct qt_plan_item it = {.size = m->message.size,
	    .mtime_ns = m->mtime_ns, .mode = 0700, .queue = (uint8_t)m->to};
	char path[QT_PLAN_PATH_SIZE];
	enum qt_queue q;
	size_t id_at;

	if (p->op != QT_OP_IMPORT || m->id == NULL ||
	    !qt_queue_id_valid(m->id) || m->queue >= QT_Q_MESSAGES ||
	    (m->to != QT_Q_HOLD && m->to != QT_Q_MAILDROP) ||
	    m->message.sha256 == NULL || !is_sum(m->message.sha256))
		return bad(m, err);
	/* until it has a file and a name of its own */
	(void)snprintf(path, sizeof(path), "%s/%s", qt_queue_name(m->to), m->id);
	if (!qt_plan_path_valid(path, &q, &id_at))
		return bad(m, err);
	it.id_at = (uint8_t)id_at;
	if (qt_plan_append(p, &it, path, err) != 0)
		return -1;
	if (add_origin(p, m, err) == 0)
		return 0;
	p->bytes -= p->v[--p->n].size;
	return -1;
}

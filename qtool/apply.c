/*
 * apply.c - qtool apply: a plan that --plan wrote, carried out.
 *
 * It holds each message's identity as it was judged.  What has changed since
 * is not that message any more: left alone, and named.
 */
#include "carry.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "qtool/escape.h"

static void put_line(FILE *out, const char *label, const char *text)
{
	struct qt_buf b;

	if (text == NULL)
		return;
	qt_buf_init(&b, 0);
	qt_escape_cell(&b, text, strlen(text));
	(void)fprintf(out, "  %-18s%s\n", label, qt_buf_str(&b));
	qt_buf_release(&b);
}

static void show(struct ctx *c, const struct qt_plan *plan)
{
	enum qt_op op = qt_plan_op(plan);
	FILE *out = human_out(c);
	uint64_t queue[QT_Q_COUNT] = {0};
	char count[48], size[16], when[32], age[16], source[24];
	size_t i;

	for (i = 0; i < qt_plan_count(plan); i++)
		queue[qt_plan_queue_of(plan, i)]++;
	(void)fprintf(out, "%s%s %s, %s (", c->dry_run ? "would " : "",
	    qt_op_name(op), messages_text(qt_plan_count(plan), count),
	    human_bytes(qt_plan_bytes(plan), size));
	put_queues(out, queue);
	(void)fputs(")\n", out);
	if (qt_plan_created(plan) != 0)
		(void)fprintf(out, "  %-18s%s, %s ago\n", "planned",
		    human_time(qt_plan_created(plan), when),
		    human_age((int64_t)time(NULL) - qt_plan_created(plan), age));
	put_line(out, "by", qt_plan_operator(plan));
	put_line(out, "on", qt_plan_host(plan));
	put_line(out, "command", qt_plan_command(plan));
	put_line(out, "note", qt_plan_reason(plan));
	if (qt_plan_source(plan) == 0)
		return;
	(void)snprintf(source, sizeof(source), "%" PRIu64, qt_plan_source(plan));
	put_line(out, "from transaction", source);
}

/* --expect and --max; 0, or the exit status. */
static int guard(struct ctx *c, const struct qt_plan *plan)
{
	uint64_t n = qt_plan_count(plan);

	if (c->expect >= 0 && n != (uint64_t)c->expect)
		say_why(c, "refused: the plan is of %" PRIu64 ", and --expect "
		    "says %" PRId64, n, c->expect);
	else if (c->max >= 0 && n > (uint64_t)c->max)
		say_why(c, "refused: the plan is of %" PRIu64 ", and --max says "
		    "%" PRId64, n, c->max);
	else
		return 0;
	return EXIT_REFUSED;
}

/* What was looked at when the plan was made is not looked at again. */
static void say_release(const struct qt_plan *plan)
{
	char age[16];

	if (qt_plan_op(plan) == QT_OP_RELEASE && qt_plan_created(plan) != 0)
		remark("what is too old to be released was looked for when this "
		       "was planned, %s ago",
		    human_age((int64_t)time(NULL) - qt_plan_created(plan), age));
}

static int ask_and_carry(struct ctx *c, struct qt_plan *plan)
{
	const char *verb = qt_op_name(qt_plan_op(plan));
	const struct carry k = {.how = {.op = qt_plan_op(plan)}};
	int status;

	c->answer->matched = c->answer->planned = (int64_t)qt_plan_count(plan);
	c->answer->bytes = qt_plan_bytes(plan);
	if ((status = guard(c, plan)) != 0 ||
	    (!c->dry_run && (status = check_can_ask(c, verb)) != 0))
		return status;
	if (c->dry_run ? !answer_wanted(c) : !c->yes)
		show(c, plan);
	say_release(plan);
	if (c->dry_run)
		return EXIT_DONE;
	status = ask_count(c, qt_plan_count(plan), verb);
	return status != 0 ? status : carry_plan(c, &k, plan, NULL);
}

static int prepare(struct ctx *c, struct qt_plan *plan, const char *file,
    struct qt_error *err)
{
	if (qt_plan_op(plan) == QT_OP_ARCHIVE)
		return qt_fail(err, QT_E_REFUSED, file,
		    "the plan of an archive cannot be applied: it has no archive");
	if (qt_plan_bind(plan, c->spools.v[0], err) != 0)
		return -1;
	return c->reason != NULL ? qt_plan_set_reason(plan, c->reason, err) : 0;
}

static int apply(struct ctx *c, const char *file)
{
	struct qt_error err = {0};
	struct qt_plan *plan = NULL;
	int status;

	c->answer->plan = file;
	c->wait_left = c->wait_s;
	if (qt_change_allowed(c->spools.v[0], &err) != 0 ||
	    qt_plan_load(&plan, file, &err) != 0 ||
	    prepare(c, plan, file, &err) != 0)
		status = change_failed(c, &err, false);
	else
		status = ask_and_carry(c, plan);
	qt_plan_free(plan);
	return status;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct answer a;

	(void)argc;
	answer_begin(c, &a);
	return answer_end(c, apply(c, argv[0]));
}

static const struct qt_option own_table[] = {
    ANSWER_OPTION,
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Apply", own_table},
    {"Change", change_options},
    {"Output", plain_options},
};

const struct cmd cmd_apply = {
    .name = "apply",
    .summary = "carry out a plan that --plan wrote",
    .operands = "FILE",
    .about =
	"Carries out exactly the plan in FILE, in one transaction: what hold,\n"
	"release, requeue, restore or delete wrote with --plan.  It is shown\n"
	"first, with who made it when and by which command, and the number of\n"
	"messages has to be typed.  A message that is gone, or is not as it was\n"
	"when it was planned, is left alone and named (exit status 3); with\n"
	"--strict that aborts the whole.",
    .examples =
	"  qtool delete --sasl joe@victim.example --plan /root/joe.plan\n"
	"  qtool apply -n /root/joe.plan\n"
	"  qtool apply /root/joe.plan --strict",
    .groups = groups,
    .ngroups = 3,
    .needs = NEED_ONE_SPOOL,
    .answers = true,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};

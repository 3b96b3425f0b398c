/*
 * each.c - a command that changes one queue, for several of them.
 *
 * A hand changes one queue and can reach no other (roles.c): so each queue has
 * a process of its own, one after the other, and what fails in one of them
 * keeps none of the others from its turn.
 */
#include "answer.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qtool/escape.h"

/* In the new process: as if this queue alone had been named. */
static int run_one(struct ctx *c, size_t i, int argc, char **argv)
{
	struct qt_error err = {0};
	const struct qt_spool *s;
	int status;

	qt_spools_keep(&c->spools, i);
	c->spools.nleft = 0; /* the parent says it */
	s = c->spools.v[0];
	c->all_instances = false;
	c->sources[0] = s->config_dir != NULL ?
	    (struct source){FROM_CONFIG, s->config_dir} :
	    (struct source){FROM_SPOOL, s->queue_dir};
	c->nsources = 1;
	if (open_rest(c, c->cmd->needs, &err) != 0)
		return answer_not_begun(c, &err);
	status = c->cmd->run(c, argc, argv);
	progress_end(c);
	return status;
}

static int run_child(struct ctx *c, size_t i, int argc, char **argv)
{
	int status = run_one(c, i, argc, argv);

	if (fflush(stdout) != 0) {
		remark("standard output: what was done could not be written");
		if (status == EXIT_DONE)
			status = EXIT_PARTLY;
	}
	roles_release(c);
	return status;
}

/* -1: it could not be run. */
static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_process(struct ctx *c, size_t i, int argc, char **argv)
{
	struct qt_error err = {0};
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(run_child(c, i, argc, argv));
	if (pid < 0) {
		(void)qt_fail_sys(&err, "fork", c->spools.v[i]->queue_dir);
		return complain(&err);
	}
	status = wait_for(pid);
	if (status < 0) {
		remark("%s: did not come to its end",
		    c->spools.v[i]->queue_dir);
		status = EXIT_PARTLY;
	}
	return status;
}

static void say_which(const struct qt_spool *s)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_escape_term(&b, s->queue_dir, strlen(s->queue_dir));
	(void)printf("%s:\n", qt_buf_str(&b));
	qt_buf_release(&b);
}

int run_each(struct ctx *c, int argc, char **argv)
{
	int all = -1, status;
	size_t i;

	for (i = 0; i < c->spools.n && *c->stop == 0; i++) {
		if (c->format != QT_FMT_JSON && !c->quiet)
			say_which(c->spools.v[i]);
		status = run_process(c, i, argc, argv);
		all = all == -1 || all == status ? status : EXIT_PARTLY;
	}
	if (i == c->spools.n)
		return all;
	remark("interrupted: %zu of %zu queues had their turn", i, c->spools.n);
	return EXIT_PARTLY;
}

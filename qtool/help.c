/*
 * help.c - qtool help, qtool --help, qtool COMMAND --help: all of it from the
 * command entries and their option tables, so that it cannot differ from what
 * the parser takes.  scripts/check-manual compares the manual with it.
 */
#include "cmd.h"

#include <string.h>

const struct cmd *find_command(const char *name)
{
	size_t i;

	for (i = 0; commands[i] != NULL; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

/* The text on stdout; the exit status. */
static int put(const struct qt_buf *b, FILE *out)
{
	struct qt_error err;

	if (qt_buf_check(b, &err) != 0)
		return complain(&err);
	/* a write error is found when main() flushes */
	(void)fwrite(qt_buf_str(b), 1, b->len, out);
	return EXIT_DONE;
}

static void usage(struct qt_buf *b, const struct cmd *cmd)
{
	qt_buf_addf(b, "usage: qtool [-c DIR | -Q DIR]... %s [options]%s%s\n",
	    cmd->name, *cmd->operands != '\0' ? " " : "", cmd->operands);
}

int print_help(const struct cmd *cmd)
{
	struct qt_buf b;
	int status;

	qt_buf_init(&b, 0);
	qt_buf_addf(&b, "qtool %s - %s\n\n", cmd->name, cmd->summary);
	usage(&b, cmd);
	if (cmd->about != NULL)
		qt_buf_addf(&b, "\n%s\n", cmd->about);
	qt_options_help(&b, cmd->groups, cmd->ngroups);
	if (cmd->examples != NULL)
		qt_buf_addf(&b, "\nExamples:\n%s\n", cmd->examples);
	status = put(&b, stdout);
	qt_buf_release(&b);
	return status;
}

int print_overview(FILE *out)
{
	static const struct qt_option_group global = {
	    "Options before the command", global_options};
	struct qt_buf b;
	size_t i;
	int status;

	qt_buf_init(&b, 0);
	qt_buf_adds(&b,
	    "usage: qtool [-c DIR | -Q DIR]... [--all-instances] COMMAND ...\n\n"
	    "See a Postfix queue by login, sender or anything else, and take "
	    "mail out of it\nin transactions that can be undone.\n\nCommands:\n");
	for (i = 0; commands[i] != NULL; i++)
		qt_buf_addf(&b, "  %-10s %s\n", commands[i]->name,
		    commands[i]->summary);
	qt_options_help(&b, &global, 1);
	qt_buf_adds(&b,
	    "\nStart with:  qtool status\nMore:        qtool help COMMAND, "
	    "man qtool\n");
	status = put(&b, out);
	qt_buf_release(&b);
	return status;
}

static int run(struct ctx *c, int argc, char **argv)
{
	const struct cmd *cmd;

	(void)c;
	if (argc == 0)
		return print_overview(stdout);
	cmd = find_command(argv[0]);
	if (cmd == NULL) {
		remark("%s: no such command; see qtool help", argv[0]);
		return EXIT_USAGE;
	}
	return print_help(cmd);
}

static const struct qt_option_group groups[] = {{"General", plain_options}};

const struct cmd cmd_help = {
    .name = "help",
    .summary = "what the commands do and their options",
    .operands = "[COMMAND]",
    .about = "Without a command: the list of them.",
    .groups = groups,
    .ngroups = 1,
    .max_operands = 1,
    .run = run,
};

/*
 * mkqueue - build a queue from fixtures.
 *
 *	mkqueue [-el] [-o OWNER] [-d DEPTH] SPOOL FIXTURE...
 *
 * Makes SPOOL's directories as Postfix has them where they are missing, puts
 * every fixture into its queue, and prints a line each:
 *
 *	fixture TAB queue TAB queue ID [TAB expected state]
 *
 * Fixture text: fixtures/README.md.  The expected state is printed with -e;
 * -l leaves out what would hurt a running Postfix.  Works without root: the
 * files are then the caller's.
 */
#include <unistd.h>

#include "tools/fixture.h"

struct options {
	const char *owner;
	unsigned depth;
	bool live_only, show_expect;
};

static int usage(void)
{
	fputs("usage: mkqueue [-el] [-o OWNER] [-d DEPTH] SPOOL FIXTURE...\n",
	    stderr);
	return 2;
}

static int complain(const struct qt_error *err)
{
	fprintf(stderr, "mkqueue: %s: %s\n", err->where, err->text);
	return 1;
}

/* A queue ID may be any bytes: the line stays a line. */
static void print_name(const char *id)
{
	for (; *id != '\0'; id++) {
		unsigned char c = (unsigned char)*id;

		if (c < 0x20 || c == 0x7f || c == '\\')
			printf("\\x%02X", c);
		else
			putchar(c);
	}
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int build(const struct place *p, const struct options *o,
    const char *path, struct qt_error *err)
{
	struct fixture *f = malloc(sizeof *f);
	char id[PLACE_ID_SIZE];
	int rc;

	if (f == NULL)
		return qt_fail_mem(err);
	fixture_init(f);
	rc = fixture_load(f, path, err);
	if (rc == 0 && (f->live || !o->live_only)) {
		rc = fixture_place(f, p, id, err);
		if (rc == 0) {
			printf("%s\t%s\t", base_name(path), f->queue);
			print_name(id);
			if (o->show_expect)
				printf("\t%s", f->expect);
			putchar('\n');
		}
	}
	fixture_release(f);
	free(f);
	return rc;
}

int main(int argc, char **argv)
{
	struct options o = {.depth = 1};
	struct place p;
	struct qt_error err;
	int c, rc = 0;

	while ((c = getopt(argc, argv, "elo:d:")) != -1)
		switch (c) {
		case 'e':
			o.show_expect = true;
			break;
		case 'l':
			o.live_only = true;
			break;
		case 'o':
			o.owner = optarg;
			break;
		case 'd':
			o.depth = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			return usage();
		}
	if (optind >= argc)
		return usage();
	if (place_open(&p, argv[optind], o.owner, o.depth, &err) != 0)
		return complain(&err);
	for (int i = optind + 1; i < argc && rc == 0; i++)
		rc = build(&p, &o, argv[i], &err);
	place_close(&p);
	if (rc != 0)
		return complain(&err);
	return fflush(stdout) == 0 ? 0 : 1;
}

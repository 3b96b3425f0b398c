/*
 * status_held.c - which protections the reading of mail is under: as the kernel
 * says it, and what is missing (SECURITY.md).
 */
#include "status.h"

#include <pwd.h>

#include "qtool/escape.h"

#define CAPS 64

/* A user's name, or its number where it has none. */
static void put_user(struct qt_buf *b, uid_t uid)
{
	struct passwd pw, *found = NULL;
	char room[4096];

	if (getpwuid_r(uid, &pw, room, sizeof(room), &found) == 0 &&
	    found != NULL)
		qt_buf_adds(b, found->pw_name);
	else
		qt_buf_addf(b, "user %u", (unsigned)uid);
}

/* The capabilities that are left, each between before and after. */
static void put_caps(struct qt_buf *b, uint64_t caps, const char *before,
    const char *after, const char *sep)
{
	const char *next = "";
	unsigned i;

	for (i = 0; i < CAPS; i++) {
		if ((caps >> i & 1) == 0)
			continue;
		qt_buf_addf(b, "%s%s", next, before);
		if (qt_capability_name(i) != NULL)
			qt_buf_adds(b, qt_capability_name(i));
		else
			qt_buf_addf(b, "%u", i);
		qt_buf_adds(b, after);
		next = sep;
	}
}

void held_text(struct qt_buf *b, const struct qt_confined *h)
{
	qt_buf_adds(b, "read as ");
	put_user(b, h->uid);
	qt_buf_adds(b, h->caps != 0 ? " with " : " without capabilities");
	put_caps(b, h->caps, "cap_", "", " and ");
	if (h->landlock != 0)
		qt_buf_addf(b, ", Landlock ABI %d", h->landlock);
	else
		qt_buf_adds(b, ", no Landlock in this kernel");
	qt_buf_adds(b, h->seccomp ? ", seccomp" :
				    ", no seccomp filters in this kernel");
	if (!h->no_new_privs)
		qt_buf_adds(b, ", new privileges possible");
}

void held_json(struct qt_buf *b, const struct qt_confined *h)
{
	struct qt_buf user;

	qt_buf_init(&user, 0);
	put_user(&user, h->uid);
	qt_buf_adds(b, "{\"user\": ");
	qt_json_string(b, qt_buf_str(&user));
	qt_buf_addf(b, ", \"uid\": %u, \"capabilities\": [", (unsigned)h->uid);
	put_caps(b, h->caps, "\"", "\"", ", ");
	qt_buf_addf(b, "], \"landlock_abi\": %d, \"seccomp\": %s, "
	    "\"no_new_privs\": %s}", h->landlock,
	    h->seccomp ? "true" : "false", h->no_new_privs ? "true" : "false");
	qt_buf_release(&user);
}

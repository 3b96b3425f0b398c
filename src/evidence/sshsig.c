/*
 * sshsig.c - signatures by ssh-keygen -Y sign (OpenSSH's PROTOCOL.sshsig).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/proc.h"
#include "qtool/archive.h"

#define NAMESPACE "qtool-evidence"
#define PUBLIC_MAX ((size_t)16 << 10)
#define SIGNATURE_MAX ((size_t)64 << 10)

/* What ssh-keygen needs of our environment. */
static const char *agent(char *room, size_t size)
{
	const char *sock = getenv("SSH_AUTH_SOCK");
	int n;

	if (sock == NULL || sock[0] != '/')
		return NULL;
	n = snprintf(room, size, "SSH_AUTH_SOCK=%s", sock);
	return n > 0 && (size_t)n < size ? room : NULL;
}

static int keygen(const char *const argv[], const void *bytes, size_t len,
    size_t max, struct qt_buf *out, struct qt_error *err)
{
	char env[512];
	const struct qt_proc_input in = {.bytes = bytes, .len = len,
	    .env = {agent(env, sizeof env)}};

	return qt_proc_filter(argv, &in, max, out, err);
}

/* ---- the public key ---- */

/* One line "TYPE BASE64 [COMMENT]", without its end; false: it is none. */
static bool is_public(struct qt_buf *b)
{
	static const char *const types[] = {"ssh-", "ecdsa-", "sk-"};
	size_t i, n = strcspn(qt_buf_str(b), "\r\n");

	if (n == 0 || b->len > n + 2)
		return false;
	for (i = 0; i < n; i++)
		if ((unsigned char)b->data[i] < ' ' || b->data[i] == 127)
			return false;
	b->data[n] = '\0';
	b->len = n;
	for (i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strncmp(b->data, types[i], strlen(types[i])) == 0 &&
		    strchr(b->data, ' ') != NULL)
			return true;
	return false;
}

static bool read_public(const char *file, struct qt_buf *pub)
{
	struct qt_error ignored;

	return qt_slurp(AT_FDCWD, file, PUBLIC_MAX, pub, &ignored) == 0 &&
	    is_public(pub);
}

int qt_sshsig_public(const char *key, struct qt_buf *pub, struct qt_error *err)
{
	const char *const argv[] = {"ssh-keygen", "-y", "-f", key, NULL};
	char *beside;
	bool have;

	if (asprintf(&beside, "%s.pub", key) < 0)
		return qt_fail_mem(err);
	have = read_public(key, pub) || read_public(beside, pub);
	free(beside);
	if (have)
		return 0;
	if (keygen(argv, NULL, 0, PUBLIC_MAX, pub, err) != 0)
		return -1;
	return is_public(pub) ? 0 :
	    qt_fail(err, QT_E_LIBRARY, key, "ssh-keygen gives no public key");
}

/* ---- whose signature it is ---- */

static int sextet(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' :
	    c >= 'a' && c <= 'z'    ? c - 'a' + 26 :
	    c >= '0' && c <= '9'    ? c - '0' + 52 :
	    c == '+'		    ? 62 :
	    c == '/'		    ? 63 :
				      -1;
}

/* Base64 from s to end, passing over line ends; how many bytes. */
static size_t decode(const char *s, const char *end, unsigned char *out,
    size_t max)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;
	int v;

	for (; s < end && n < max; s++) {
		v = sextet(*s);
		if (v < 0)
			continue;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (unsigned char)(bits >> have);
		}
	}
	return n;
}

/* SSHSIG, u32 version, string public key: is it that one? */
static bool made_by(const char *sig, const char *pub)
{
	static const char open[] = "-----BEGIN SSH SIGNATURE-----";
	unsigned char have[4096], want[2048];
	const char *key = strchr(pub, ' ');
	size_t nh, nw, len;

	if (strncmp(sig, open, sizeof open - 1) != 0 || key == NULL)
		return false;
	sig += sizeof open - 1;
	key++;
	nh = decode(sig, sig + strcspn(sig, "-"), have, sizeof have);
	nw = decode(key, key + strcspn(key, " "), want, sizeof want);
	if (nh < 14 || memcmp(have, "SSHSIG\0\0\0\1", 10) != 0)
		return false;
	len = (size_t)have[10] << 24 | (size_t)have[11] << 16 |
	    (size_t)have[12] << 8 | have[13];
	return len == nw && len <= nh - 14 && memcmp(have + 14, want, nw) == 0;
}

int qt_sshsig_sign(const char *key, const char *pub, const void *bytes,
    size_t len, struct qt_buf *sig, struct qt_error *err)
{
	const char *const argv[] = {"ssh-keygen", "-q", "-Y", "sign", "-n",
	    NAMESPACE, "-f", key, NULL};

	if (keygen(argv, bytes, len, SIGNATURE_MAX, sig, err) != 0)
		return -1;
	return made_by(qt_buf_str(sig), pub) ? 0 :
	    qt_fail(err, QT_E_LIBRARY, key,
		"ssh-keygen made no signature of its public key");
}

/*
 * manifest.h - the list of files and their sums by one algorithm, sorted by
 * path, in bounded memory.
 */
#ifndef QTOOL_EVIDENCE_MANIFEST_H
#define QTOOL_EVIDENCE_MANIFEST_H

#include "evidence/hash.h"
#include "evidence/spill.h"
#include "qtool/buf.h"

struct qt_manifest {
	struct qt_buf text;	/* lines not yet in a run: "SUM  PATH\0" */
	uint32_t *line;		/* offsets of them in text; owned */
	size_t nlines, cap;
	struct qt_spill sorted; /* runs, one behind the other */
	uint64_t *run;		/* where each begins; owned */
	size_t nruns;
	size_t limit;		/* bytes of text before a run is made */
	size_t sum;		/* bytes of a sum */
	uint64_t size;		/* bytes of all lines, with their newlines */
	uint64_t files;
};

void qt_manifest_init(struct qt_manifest *m, enum qt_hash hash, int dirfd,
    size_t memory_max);
void qt_manifest_release(struct qt_manifest *m);
/*
 * path: one line, as sha256sum would print it unescaped; sum: of the list's
 * algorithm.
 */
int qt_manifest_add(struct qt_manifest *m, const char *path,
    const unsigned char *sum, struct qt_error *err) QT_MUST_CHECK;
/* Bytes that emit will give. */
uint64_t qt_manifest_size(const struct qt_manifest *m);
/* The lines of sha256sum or sha512sum, sorted by path's bytes (LC_ALL=C). */
int qt_manifest_emit(struct qt_manifest *m, qt_bytes_fn *fn, void *ctx,
    struct qt_error *err) QT_MUST_CHECK;

#endif

# bag.bash - archives looked at with plain tools, for the tests of archive.  OUT is
# the directory that they are made in.

# Everything the plain tools can say about the archive $1; leaves its bag in $BAG.
check_bag() {
	mkdir -p "$BATS_TEST_TMPDIR/bag"
	tar --warning=no-timestamp -xf "$1" -C "$BATS_TEST_TMPDIR/bag" --no-same-owner
	BAG=$(echo "$BATS_TEST_TMPDIR"/bag/qtool-evidence_*)
	cd "$BAG"
	sha256sum --quiet --strict -c tagmanifest-sha256.txt
	sha256sum --quiet --strict -c manifest-sha256.txt
	# nothing beside what is listed
	diff <(cut -c67- manifest-sha256.txt) \
	    <(find data -type f | LC_ALL=C sort)
	diff <(cut -c67- tagmanifest-sha256.txt) \
	    <(find . -path ./data -prune -o -type f -print | sed 's,^\./,,' |
		grep -v '^tagmanifest\|^signatures/' | LC_ALL=C sort)
	# the lines of JSON agree with the files
	jq -r '.sha256 + "  " + .path' metadata/messages.jsonl |
	    sha256sum --quiet --strict -c
	jq -r '.logs[] | .sha256 + "  " + .path' metadata/messages.jsonl >"$BATS_TEST_TMPDIR/logs"
	[ ! -s "$BATS_TEST_TMPDIR/logs" ] ||
	    sha256sum --quiet --strict -c "$BATS_TEST_TMPDIR/logs"
	jq -es 'all(.path | startswith("data/"))' metadata/messages.jsonl >/dev/null
	jq -e . metadata/case.json >/dev/null
	# Payload-Oxum
	[ "$(sed -n 's/^Payload-Oxum: //p' bag-info.txt)" = \
	    "$(find data -type f -printf '%s\n' | awk '{s += $1} END {printf "%d.%d", s, NR}')" ]
	# names that every tar and file system takes
	! find . | LC_ALL=C grep '[^A-Za-z0-9._/-]'
}

no_file_left() {
	[ -z "$(ls -A "$OUT")" ] || { ls -la "$OUT"; return 1; }
}

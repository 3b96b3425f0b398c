# rows.bash - every row that a source has, to be compared with another's.

# columns TABLE NOT...: all columns, hidden ones too, but those.
columns() {
	local table=$1
	shift
	{
		"$QTOOL" query --columns "$table" --format jsonl | jq -r .name
		case $table in
		messages)
			printf '%s\n' sender_shown showq_time todo_rcpts todo_domains \
			    headers_text delay_reasons odd rcpt_cancelled mtime_ns \
			    ctime_ns uid gid nlink config_dir queue_dir
			;;
		recipients) printf '%s\n' host bounce_reason diagnostic dsn_orcpt ;;
		records) printf '%s\n' host label ;;
		headers) printf '%s\n' host ;;
		esac
	} | grep -vxF "$(printf '%s\n' none "$@")" | paste -sd,
}

# rows FILE NOT -- SOURCE...: all tables of a source, sorted, without the columns
# of NOT (words); what it says goes to FILE.err.
rows() {
	local to=$1 not=$2 t
	shift 3
	for t in messages recipients headers records; do
		# shellcheck disable=SC2086 # words
		"$QTOOL" "$@" query --quiet --format jsonl \
		    "SELECT $(columns $t $not) FROM $t" 2>>"$to.err" ||
		    [ $? -eq 3 ] || return 1
	done | LC_ALL=C sort >"$to"
}

same() { # FILE FILE
	cmp "$1" "$2" || { diff "$1" "$2" | head -n 6 | cut -c1-400; false; }
}

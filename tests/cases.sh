# cases.sh - what the tests of the command share: one case after the other.
#
# 1. A case runs one or more commands in `try`, which leaves status, $out and
#    $err; the lines that follow say what they must be; case_is ends it.
# 2. A line "ok" or "not ok" per case; cases_end makes the status.
# 3. $tmp is a folder that goes when the test ends.

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failures=0
count=0
problem=
status=0

# try COMMAND...: runs it; what the checks below look at is its result.
try()
{
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
	out=$(cat "$tmp/out")
	err=$(cat "$tmp/err")
}

# wrong TEXT: the present case fails.
wrong()
{
	problem+="# $*"$'\n'
}

ends_with()
{
	[ "$status" = "$1" ] || wrong "status $status, not $1"
}

# prints PATTERN, complains PATTERN: a pattern of [[ = ]] for all of it.
prints()
{
	[[ $out = $1 ]] || wrong "stdout does not match: $1"
}

complains()
{
	[[ $err = $1 ]] || wrong "stderr does not match: $1"
}

is_quiet()
{
	[ -z "$err" ] || wrong "stderr is not empty"
}

# case_is TEXT: ends a case.
case_is()
{
	count=$((count + 1))
	if [ -z "$problem" ]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		printf %s "$problem"
		echo "$out" | sed 's/^/# stdout: /'
		echo "$err" | sed 's/^/# stderr: /'
		failures=$((failures + 1))
	fi
	problem=
}

# cases_end: how many passed; false if any did not.
cases_end()
{
	echo "$((count - failures)) passed, $failures failed"
	[ $failures = 0 ]
}

# command.sh - what the tests of the zbmalloc command begin with; sourced.
#
# 1. ZBMALLOC is the built command (default: $ZBM_BUILD/zbmalloc), ZBM_LIB
#    the library that it is to use.
# 2. Cases are written as tests/cases.sh says.

set -u
set -m	# a job in the background does not ignore SIGINT
export LC_ALL=C
source=$(cd "$(dirname "$0")/.." && pwd)
command=${ZBMALLOC:-${ZBM_BUILD:?}/zbmalloc}
cc=${CC:-cc}
. "$source/tests/cases.sh"
export ZBMALLOC_LIBRARY=${ZBM_LIB:?}
unset ZBMALLOC_OPTIONS LD_PRELOAD

library=$(readlink -f "$ZBM_LIB")

# A summary is one line, which begins with our name.
shows_summary()
{
	[ "$(grep -c . "$tmp/err")" = 1 ] || wrong "not one line on stderr"
	[[ $err = zbmalloc* && $err != *"no summary"* ]] || wrong "no summary"
}

# build NAME FLAGS...: makes $tmp/NAME of the C text on stdin.
build()
{
	local name=$1

	shift
	if ! "$cc" -x c - "$@" -o "$tmp/$name" 2>"$tmp/err"; then
		echo "not ok - cannot build $name: $(cat "$tmp/err")"
		exit 1
	fi
}

# lib.sh - what scripts share; those that need it source it first.
#
# 1. It leaves the caller in the root of the sources.
# 2. What runs here is quiet: output goes to a file, and is shown on failure.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
jobs=$(nproc)

say()
{
	echo "$*" >&2
}

die()
{
	say "${0##*/}: $*"
	exit 1
}

# quietly LOG COMMAND...: appends the output to LOG; its end tells of failure.
quietly()
{
	local log=$1

	shift
	"$@" >>"$log" 2>&1 </dev/null && return
	say "failed: $*"
	tail -n 40 "$log" >&2
	say "the whole output: $log"
	return 1
}

# need_packages WHAT: those of scripts/setup, or the end.
need_packages()
{
	scripts/setup --what "$1" </dev/null ||
		die "the packages could not be installed"
}

# bootstrap_if_stale LOG: ./configure, unless it is newer than what makes it.
bootstrap_if_stale()
{
	[ -x configure ] && [ -f Makefile.in ] &&
		[ configure -nt configure.ac ] &&
		[ Makefile.in -nt Makefile.am ] &&
		[ Makefile.in -nt tests/lists.am ] &&
		[ Makefile.in -nt tests/rules.am ] && return
	quietly "$1" scripts/bootstrap
}

# configure_build FOLDER LOG [ARGUMENT...]: configures out of tree, again only
# when the arguments or ./configure changed. For the system's shell: to configure
# and to build all takes a third less than with bash, which it would find.
configure_build()
{
	local folder=$1 log=$2

	shift 2
	mkdir -p "$folder"
	if [ -f "$folder/Makefile" ] &&
		[ "$folder/config.status" -nt configure ] &&
		[ "$(cat "$folder/configured-with" 2>&1)" = "$*" ]; then
		return
	fi
	(cd "$folder" && CONFIG_SHELL=/bin/sh quietly "$log" \
		"$root/configure" "$@") || return
	echo "$*" >"$folder/configured-with"
}

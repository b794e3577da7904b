#!/bin/bash
# cli_test.sh - the zbmalloc command: statuses, messages, environment.
#
#	ZBMALLOC=PATH ZBM_LIB=PATH tests/cli_test.sh
#
# What it takes is told in tests/command.sh. The summary and signals have a
# file of their own, summary_test.sh.

. "$(dirname "$0")/command.sh"

general_tests()
{
	try "$command"
	ends_with 125
	complains 'Usage:*'
	case_is "without arguments it shows the usage and fails"

	try "$command" help
	ends_with 0
	is_quiet
	prints 'Usage:*zbmalloc run*'
	case_is "help goes to stdout"

	try "$command" run --help
	ends_with 0
	prints 'Usage:*'
	case_is "run --help is help"

	try "$command" version
	ends_with 0
	prints 'zbmalloc [0-9]*.[0-9]*.[0-9]*'
	case_is "version is a number"

	try "$command" version extra
	ends_with 125
	prints ''
	complains "*version takes no arguments*'extra'*"
	case_is "version takes no arguments"

	try "$command" python3
	ends_with 125
	complains "*no command 'python3'*zbmalloc run -- python3*"
	case_is "a forgotten run is explained"

	try sh -c '"$1" options >/dev/full' sh "$command"
	ends_with 125
	complains '*standard output: No space left*'
	case_is "output that cannot be written is a failure"
}

options_tests()
{
	local name

	try "$command" options
	ends_with 0
	is_quiet
	for name in verbose=0 summary=0 validate=0 'thp=never|auto|always|system' \
		window=0.. decay_ms=0..3600000 cache=0..1G \
		'numa=off|local|interleave' 'tier=near|far' \
		node_limit=NODE:SIZE,... 'deepbind=0|1' 'stats=0|1|FILE'; do
		prints "*$name*"
	done
	prints '*OPTION *DEFAULT *MEANING*'
	case_is "options lists names, values and defaults"

	try "$command" options extra
	ends_with 125
	complains "*no arguments*'extra'*"
	case_is "options takes no arguments"

	try "$source/scripts/gen-options-man" --check "$command" \
		"$source/man/zbmalloc.1"
	ends_with 0
	case_is "the manual page has the options of the table"

	sed 's/^\.BI thp= .*/.BI thp= no/' "$source/man/zbmalloc.1" \
		>"$tmp/page.1"
	try "$source/scripts/gen-options-man" --check "$command" "$tmp/page.1"
	ends_with 1
	try "$source/scripts/gen-options-man" "$command" "$tmp/page.1"
	ends_with 0
	try cmp "$tmp/page.1" "$source/man/zbmalloc.1"
	ends_with 0
	case_is "a manual page with other options is found and mended"

	for name in zbmalloc.1 zbmalloc.3; do
		try groff -man -ww -z "$source/man/$name"
		ends_with 0
		is_quiet
		case_is "$name renders without a warning"
	done
}

run_tests()
{
	try "$command" run -- bash -c 'echo "$@"; exit 7' bash a 'b c'
	ends_with 7
	is_quiet
	prints 'a b c'
	case_is "run gives output and status of the program"

	try "$command" run bash -c 'cat /proc/$$/maps'
	ends_with 0
	prints "*$library*"
	case_is "the library is mapped in the program"

	try "$command" run -- bash -c 'kill -TERM $$'
	ends_with 143
	case_is "a program that dies of a signal is seen to"

	try "$command" run ls --nonsense
	complains '*ls: *--nonsense*'
	case_is "options behind the program are the program's"

	try "$command" run
	ends_with 125
	complains '*run needs a program*'
	case_is "run without a program is a usage error"

	try "$command" run --nonsense true
	ends_with 125
	complains '*--nonsense*usage: zbmalloc run*'
	case_is "an unknown option of run is a usage error"

	mkdir -m 000 "$tmp/shut"
	try env PATH="$tmp/shut:$PATH" "$command" run no_such_program_here
	ends_with 127
	complains "zbmalloc: 'no_such_program_here' is in no folder of PATH*"
	case_is "a program that PATH does not have is 127"

	try "$command" run "$tmp/nothing"
	ends_with 127
	complains '*No such file*'
	case_is "a path that does not exist is 127"

	try "$command" run "$tmp"
	ends_with 126
	complains '*is a folder*'
	case_is "a folder is 126"

	echo text >"$tmp/text"
	chmod 644 "$tmp/text"
	try "$command" run "$tmp/text"
	ends_with 126
	complains '*Permission denied*chmod*'
	try env PATH="$tmp:$PATH" "$command" run text
	ends_with 126
	complains "*$tmp/text cannot be executed*"
	case_is "a file without the right to execute is 126"

	try env -u PATH "$command" run true
	ends_with 0
	is_quiet
	case_is "without PATH the default folders are searched"

	printf '#!/bin/sh\necho script "$1"\nexit 3\n' >"$tmp/script"
	printf 'echo plain\nexit 4\n' >"$tmp/plain"
	printf '#!%s/nothing\n' "$tmp" >"$tmp/broken"
	chmod 755 "$tmp/script" "$tmp/plain" "$tmp/broken"
	try env -C "$tmp" PATH=":$PATH" "$command" run script argument
	ends_with 3
	is_quiet
	prints 'script argument'
	case_is "an empty entry of PATH is the current folder"

	try "$command" run "$tmp/plain"
	ends_with 4
	prints plain
	case_is "a script without a first line is run by the shell"

	for option in '' --summary; do
		try "$command" run $option -- "$tmp/broken"
		ends_with 126
		complains '*broken exists, but the interpreter*'
		case_is "a missing interpreter is 126 (run $option)"
	done
}

environment_tests()
{
	local name

	try "$command" run -o verbose=0 -o thp=never,cache=1 -- \
		printenv ZBMALLOC_OPTIONS
	prints 'verbose=0,thp=never,cache=1'
	is_quiet
	case_is "-o may be repeated"

	try env ZBMALLOC_OPTIONS=cache=2 "$command" run -o cache=3 \
		printenv ZBMALLOC_OPTIONS
	prints 'cache=2,cache=3'
	case_is "-o is added behind ZBMALLOC_OPTIONS"

	try "$command" run printenv ZBMALLOC_OPTIONS
	ends_with 1
	case_is "without -o no options are set"

	try "$command" run -o verbos=1 true
	ends_with 0
	complains "*ZBMALLOC_OPTIONS: 'verbos=1' ignored*there are verbose,*"
	case_is "the library reports an unknown option"

	echo 'int other;' | build other.so -shared -fPIC
	try env LD_PRELOAD="$tmp/other.so" "$command" run printenv LD_PRELOAD
	prints "$library:$tmp/other.so"
	is_quiet
	case_is "LD_PRELOAD is kept, behind the library"

	try "$command" run "$command" run printenv LD_PRELOAD
	prints "$library"
	case_is "run in run names the library once"

	try env ZBMALLOC_LIBRARY="$tmp/no.so" "$command" run true
	ends_with 125
	complains "*ZBMALLOC_LIBRARY names '$tmp/no.so'*No such file*"
	case_is "a library that is not there is refused"

	cp "$library" "$tmp/half.so"
	truncate -s 100000 "$tmp/half.so"
	cp "$library" "$tmp/alien.so"
	printf '\376\377' | dd of="$tmp/alien.so" bs=1 seek=18 conv=notrunc \
		2>"$tmp/err"
	for name in /etc/passwd "$tmp" /dev/null /bin/true "$tmp/other.so" \
		"$tmp/half.so" "$tmp/alien.so"; do
		try env ZBMALLOC_LIBRARY="$name" "$command" run true
		ends_with 125
		complains "*names '$name', which is no libzbmalloc.so*"
	done
	case_is "what is not the library is refused"

	mkdir "$tmp/a b"
	cp "$library" "$tmp/a b/lib.so"
	try env ZBMALLOC_LIBRARY="$tmp/a b/lib.so" "$command" run true
	ends_with 125
	complains "*'$tmp/a b/lib.so' has a space*"
	case_is "a path that LD_PRELOAD cannot hold is refused"

	mkdir -p "$tmp/prefix/bin" "$tmp/prefix/lib"
	cp "$command" "$tmp/prefix/bin/zbmalloc"
	cp "$library" "$tmp/prefix/lib/libzbmalloc.so"
	try env -u ZBMALLOC_LIBRARY "$tmp/prefix/bin/zbmalloc" run \
		printenv LD_PRELOAD
	prints "$tmp/prefix/lib/libzbmalloc.so"
	mkdir "$tmp/prefix/bin/.libs"
	cp "$library" "$tmp/prefix/bin/.libs/libzbmalloc.so"
	try env -u ZBMALLOC_LIBRARY "$tmp/prefix/bin/zbmalloc" run \
		printenv LD_PRELOAD
	prints "$tmp/prefix/bin/.libs/libzbmalloc.so"
	case_is "the library is found beside the command"
}

# with_file TEXT COMMAND...: with TEXT in /etc/zbmalloc.conf, which then is all
# of /etc, in a namespace of its own; as who is no root, in one where it is.
with_file()
{
	try unshare $namespace sh -c 'mount -t tmpfs none /etc &&
		printf "%s\n" "$1" >/etc/zbmalloc.conf && shift && exec "$@"' \
		sh "$@"
}

file_tests()
{
	local namespace

	for namespace in -m -rm ''; do
		[ -z "$namespace" ] || unshare $namespace \
			mount -t tmpfs none /etc 2>"$tmp/err" && break
	done
	if [ -z "$namespace" ]; then
		echo "# /etc/zbmalloc.conf is not tried: $(cat "$tmp/err")"
		return
	fi
	with_file 'summary=1' env LD_PRELOAD="$library" true
	ends_with 0
	shows_summary
	with_file 'no_such=1' env LD_PRELOAD="$library" cat /dev/null
	complains "zbmalloc: /etc/zbmalloc.conf:1: 'no_such=1' ignored*"
	case_is "a program has the options of /etc/zbmalloc.conf"

	with_file 'summary=1' env LD_PRELOAD="$library" \
		ZBMALLOC_OPTIONS=summary=0 true
	is_quiet
	case_is "the environment wins over /etc/zbmalloc.conf"
}

obstacle_tests()
{
	echo 'int main(void) { return 5; }' | build static -static
	try "$command" run "$tmp/static"
	ends_with 5
	complains "*$tmp/static runs without zbmalloc: it is statically linked*"
	case_is "a static program runs, with a warning"

	echo 'int main(void) { return 6; }' | build pie -static-pie
	try "$command" run "$tmp/pie"
	ends_with 6
	complains '*runs without zbmalloc: it is statically linked*'
	case_is "a static PIE runs, with a warning"

	# What tells a program that Go's linker made: a note, and no libc's.
	build go -static -nostdlib -DNR_EXIT=60 <<-'END'
		__attribute__((section(".note.go.buildid"), aligned(4), used))
		static const struct {
			unsigned int name_size, size, type;
			char name[4], id[8];
		} note = { 4, 8, 4, "Go", "build" };

		void _start(void)
		{
			__asm__ volatile("syscall" : : "a"(NR_EXIT), "D"(4));
			__builtin_unreachable();
		}
	END
	if [ "$(uname -m)" = x86_64 ]; then
		try "$command" run "$tmp/go"
		ends_with 4
		complains '*runs without zbmalloc: it is a Go program*no malloc*'
		case_is "a program of Go is not told to link the library"
	fi

	try "$command" run --summary "$tmp/static"
	ends_with 5
	complains '*statically linked*no summary: */static ran without*'
	case_is "a static program has no summary, and why is said"

	printf '#!%s\n' "$tmp/static" >"$tmp/script"
	chmod 755 "$tmp/script"
	try "$command" run "$tmp/script"
	ends_with 5
	complains '*script runs without zbmalloc: it is statically*'
	case_is "a script is judged by its interpreter"

	sanitizer_tests

	# e_machine, at byte 18
	cp /bin/true "$tmp/alien"
	printf '\376\377' | dd of="$tmp/alien" bs=1 seek=18 conv=notrunc \
		2>"$tmp/err"
	try "$command" run "$tmp/alien"
	ends_with 126
	complains '*another type of machine*Exec format error*'
	case_is "a program of another machine is 126"

	setuid_test
}

sanitizer_tests()
{
	local name

	for name in address thread; do
		"$cc" -x c - -fsanitize=$name -o "$tmp/$name" 2>"$tmp/err" \
			<<-'END' || continue
			#include <stdlib.h>
			int main(void)
			{
				free(malloc(100));
				return 6;
			}
		END
		"$tmp/$name" 2>"$tmp/err"
		[ $? = 6 ] || continue
		try "$command" run --summary "$tmp/$name"
		ends_with 6
		complains '*runs without zbmalloc: it is built with a sanitizer*'
		case_is "a program with -fsanitize=$name runs, with a warning"
	done
}

# A setuid copy of id(1) of another user; where the file system ignores setuid
# there must be no warning either.
setuid_test()
{
	local program=$tmp/id other

	chmod 755 "$tmp"
	cp "$(type -P id)" "$program"
	if [ "$(id -u)" = 0 ]; then
		chown 65534 "$program"
		chmod 4755 "$program"
	else
		program=$(type -P su)
	fi
	try "$program" -u
	other=$out
	try "$command" run "$program" -u
	if [ "$other" = "$(id -u)" ]; then
		is_quiet
	else
		complains '*runs without zbmalloc: it is setuid*'
	fi
	case_is "a setuid program runs, with a warning"
}

general_tests
options_tests
run_tests
environment_tests
file_tests
obstacle_tests
cases_end

#!/bin/bash
# cli_test.sh - the zbmalloc command: statuses, messages, environment, signals.
#
#	ZBMALLOC=PATH ZBM_LIB=PATH tests/cli_test.sh
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

summary_tests()
{
	local name start pid

	try "$command" run --summary -- bash -c 'ls / >"$0"; exit 7' /dev/null
	ends_with 7
	shows_summary
	case_is "--summary shows one line, and the status of the program"

	try "$command" run --summary -o summary=0 -- env true
	ends_with 0
	shows_summary
	case_is "--summary wins over -o summary=0"

	try "$command" run --summary -- bash -c 'exec 2>&-; exit 0'
	shows_summary
	case_is "the summary does not need the program's stderr"

	try "$command" run --summary -- bash -c 'kill -KILL $$'
	ends_with 137
	complains '*no summary: bash was ended by signal 9 (Killed)'
	case_is "a killed program has no summary"

	# What the shell calls 128 + N may be either.
	build end <<-'END'
		#include <stdio.h>
		#include <sys/wait.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			int status;

			if (!fork()) {
				execv(argv[1], argv + 1);
				_exit(99);
			}
			wait(&status);
			printf(WIFSIGNALED(status) ? "signal %d\n" :
			       "status %d\n", WIFSIGNALED(status) ?
			       WTERMSIG(status) : WEXITSTATUS(status));
			return argc < 2;
		}
	END
	for name in KILL TERM INT QUIT HUP ABRT SEGV CHLD; do
		# bash ignores some of them.
		try "$tmp/end" "$command" run --summary -- sh -c \
			"kill -$name \$\$; exit 5"
		if [ $name = CHLD ]; then
			prints 'status 5'
		else
			prints "signal $(kill -l $name)"
		fi
	done
	try "$tmp/end" "$command" run -- bash -c 'kill -TERM $$'
	prints 'signal 15'
	try "$tmp/end" "$command" run --summary -- bash -c 'exit 143'
	prints 'status 143'
	case_is "the command ends by the signal that the program ended by"

	build quit <<-'END'
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(void)
		{
			syscall(SYS_exit_group, 8);
		}
	END
	try "$command" run --summary "$tmp/quit"
	ends_with 8
	complains 'zbmalloc: no summary: */quit did not report;*_exit*exec*'
	case_is "a program that leaves without exit has no summary"

	start=$SECONDS
	try "$command" run --summary -- bash -c \
		'sleep 30 >/dev/null 2>&1 & echo $!; exit 3'
	kill "$out"
	ends_with 3
	shows_summary
	[ $((SECONDS - start)) -lt 20 ] || wrong "it waited for the sleep"
	case_is "a grandchild that lives on is not waited for"

	try bash -c 'trap "" CHLD; exec "$0" run --summary -- env false' \
		"$command"
	ends_with 1
	shows_summary
	case_is "an ignored SIGCHLD does not lose the status"

	try "$command" run --summary no_such_program_here
	ends_with 127
	complains '*is in no folder of PATH*'
	case_is "with --summary a missing program is 127 too"
}

exit_tests()
{
	build last.so -shared -fPIC <<-'END'
		#include <stdlib.h>
		#include <unistd.h>
		static void *kept;
		void last(void) { kept = malloc(100); }
		__attribute__((destructor)) static void end(void)
		{
			free(kept);
			if (write(2, "last words\n", 11) < 0)
				_exit(1);
		}
	END
	echo 'void last(void); int main(void) { last(); return 9; }' |
		build last -L"$tmp" -l:last.so -Wl,-rpath,"$tmp"
	try "$command" run -o summary=1,validate=1 "$tmp/last"
	ends_with 9
	complains $'last words\nzbmalloc: last*mallocs*'
	case_is "what is told at the end is told after all destructors"

	build late <<-'END'
		#include <dlfcn.h>
		#include <stdlib.h>
		int main(void)
		{
			return dlopen(getenv("ZBM_LIB"), RTLD_NOW) ? 9 : 1;
		}
	END
	try env ZBMALLOC_OPTIONS=summary=1 "$tmp/late"
	ends_with 9
	complains 'zbmalloc: late*mallocs*'
	[ "$(grep -c . "$tmp/err")" = 1 ] || wrong "not one line on stderr"
	case_is "a library that was loaded late tells at the end, once"
}

# wait_for FILE: until it has something, at most 20 s.
wait_for()
{
	local i

	for ((i = 0; i < 400; i++)); do
		[ ! -s "$1" ] || return
		sleep 0.05
	done
	wrong "nothing came within 20 s"
}

# is_gone PID: within 20 s.
is_gone()
{
	local i

	for ((i = 0; i < 400; i++)); do
		kill -0 "$1" 2>"$tmp/gone" || return
		sleep 0.05
	done
	wrong "$1 still runs"
	kill "$1"
}

signal_tests()
{
	local name pid

	for name in INT TERM HUP QUIT USR1 USR2 ALRM PIPE VTALRM XCPU IO SEGV \
		RTMIN+3; do
		: >"$tmp/out"
		"$command" run --summary -- bash -c "
			trap 'echo got $name; exit 9' $name
			echo ready
			while :; do sleep 0.05; done" \
			>"$tmp/out" 2>"$tmp/err" </dev/null &
		pid=$!
		wait_for "$tmp/out"
		kill -"$name" "$pid"
		wait "$pid"
		status=$?
		out=$(cat "$tmp/out")
		err=$(cat "$tmp/err")
		ends_with 9
		prints "*got $name"
		shows_summary
		case_is "SIG$name is passed on to the program"
	done

	: >"$tmp/out"
	"$command" run --summary -- bash -c 'echo $$; exec sleep 30' \
		>"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	wait_for "$tmp/out"
	kill -USR1 "$pid"
	wait "$pid"
	status=$?
	err=$(cat "$tmp/err")
	ends_with 138
	complains '*no summary: bash was ended by signal 10*'
	is_gone "$(cat "$tmp/out")"
	case_is "a signal that ends zbmalloc ends the program"

	: >"$tmp/out"
	"$command" run --summary -- bash -c 'echo $$; exec sleep 30' \
		>"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	wait_for "$tmp/out"
	kill -KILL "$pid"
	wait "$pid" 2>"$tmp/err"
	is_gone "$(cat "$tmp/out")"
	case_is "a program does not outlive a zbmalloc that is killed"

	try bash -c 'trap "" INT
		exec "$0" run --summary -- bash -c "kill -INT \$\$; exit 4"' \
		"$command"
	ends_with 4
	shows_summary
	case_is "a signal that was ignored stays ignored"

	try "$command" run --summary -- grep SigBlk /proc/self/status
	prints '*0000000000000000'
	case_is "no signal is blocked in the program"
}

general_tests
options_tests
run_tests
environment_tests
file_tests
obstacle_tests
summary_tests
exit_tests
signal_tests
cases_end

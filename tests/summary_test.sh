#!/bin/bash
# summary_test.sh - zbmalloc run --summary: what it tells, when, and signals.
#
#	ZBMALLOC=PATH ZBM_LIB=PATH tests/summary_test.sh
#
# What it takes is told in tests/command.sh.

. "$(dirname "$0")/command.sh"

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

# begin COMMAND...: in the background, as $pid; it has printed something.
begin()
{
	: >"$tmp/out"
	"$command" run --summary -- "$@" \
		>"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	wait_for "$tmp/out"
}

signal_tests()
{
	local name pid

	for name in INT TERM HUP QUIT USR1 USR2 ALRM PIPE VTALRM XCPU IO SEGV \
		RTMIN+3; do
		begin bash -c "
			trap 'echo got $name; exit 9' $name
			echo ready
			while :; do sleep 0.05; done"
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

	begin bash -c 'echo $$; exec sleep 30'
	kill -USR1 "$pid"
	wait "$pid"
	status=$?
	err=$(cat "$tmp/err")
	ends_with 138
	complains '*no summary: bash was ended by signal 10*'
	is_gone "$(cat "$tmp/out")"
	case_is "a signal that ends zbmalloc ends the program"

	begin bash -c 'echo $$; exec sleep 30'
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

summary_tests
exit_tests
signal_tests
cases_end

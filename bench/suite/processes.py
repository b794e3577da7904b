"""processes - programs that are started, and are gone when they must be.

1. Each has a session of its own: what the terminal sends goes to the suite
   alone, and the suite ends what it has started, with all descendants that
   stay in the session's group.
2. The first of Ctrl-C, SIGTERM and SIGHUP raises Interrupted in the main
   thread; later ones are ignored, so that programs and folders can be removed
   and what was measured can be shown.
"""
import os
import signal
import subprocess

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class TimedOut(Exception):
    """A program that did not do in time what it had to."""


class Interrupted(KeyboardInterrupt):
    """.number is the signal's."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


def catch_signals():
    """Who was started with one of them ignored (nohup) stays so."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupt)


def interrupt(number, _frame):
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Interrupted(number)


def signal_of(interruption):
    return getattr(interruption, "number", signal.SIGINT)


def kill_group(process):
    """The group's leader has not been waited for, so the number is its."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def run_bounded(command, seconds, **options):
    """(status, stdout, stderr) in bytes; TimedOut after the seconds."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, **options)
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise TimedOut(f"timed out after {seconds:g} s") from None
    finally:
        kill_group(process)
        process.stdout.close()
        process.stderr.close()
    return process.returncode, out, err


def say_status(status):
    """None for an exit with 0; the status is that of subprocess."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}" if status else None

"""files - what bench writes: whole, or not at all.

1. A file is written under another name beside its place, and put there when
   all of it is on the disk. A link stays a link, a file's mode its mode.
2. What is no regular file is written to as it is: a pipe, a device, and what
   the suite has open itself, such as /dev/stdout.
"""
import os
import re
import stat
import sys

OPEN = re.compile(r"/dev/(stdin|stdout|stderr)|/(?:dev|proc/self)/fd/(\d+)")
STANDARD = ["stdin", "stdout", "stderr"]


class Refused(Exception):
    """What is asked for cannot be done: a message, and status 2."""


def descriptor_of(path):
    """The number of what is open already, or None."""
    found = OPEN.fullmatch(os.path.normpath(path))
    if not found:
        return None
    return STANDARD.index(found[1]) if found[1] else int(found[2])


def is_standard_output(path):
    return bool(path) and descriptor_of(path) == 1


def is_special(path):
    """Rule 2."""
    if descriptor_of(path) is not None:
        return True
    return os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode)


def same(one, other):
    return not is_special(one) and \
        os.path.realpath(one) == os.path.realpath(other)


def provisional(path):
    return f"{path}.{os.getpid()}.new"


def check_writable(path):
    """Refused, now rather than after an hour."""
    if os.path.isdir(path):
        raise Refused(f"cannot write {path}: a folder")
    try:
        if is_special(path):
            number = descriptor_of(path)
            if number is not None:
                os.fstat(number)
            elif not os.access(path, os.W_OK):
                raise PermissionError(0, "not permitted")
            return
        path = os.path.realpath(path)
        if os.path.exists(path) and not os.access(path, os.W_OK):
            raise PermissionError(0, "not permitted")
        with open(provisional(path), "x", encoding="utf-8"):
            pass
        os.remove(provisional(path))
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror}") from None


def write_special(path, data):
    number = descriptor_of(path)
    sys.stdout.flush()
    with open(path if number is None else os.dup(number), "wb") as file:
        file.write(data)


def write_regular(path, data):
    path = os.path.realpath(path)
    new = provisional(path)
    try:
        with open(new, "xb") as file:
            if os.path.exists(path):
                os.fchmod(file.fileno(),
                    stat.S_IMODE(os.stat(path).st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        if os.path.exists(new):
            os.remove(new)
        raise


def write(path, text):
    """Refused when it cannot be done: then the old file is still there."""
    data = text.encode(errors="backslashreplace")
    try:
        (write_special if is_special(path) else write_regular)(path, data)
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror}") from None

"""Around native libraries that MediaPipe loads: their chatter kept from users, their absence explained."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fhpt_bench.doctor import LIBRARIES
from fhpt_bench.errors import BenchError

_CHATTER = re.compile(rb"(INFO|WARNING)\b|[IW]\d{4} ")
_UNLOADED = re.compile(r"lib([\w.+-]+?)\.so[\d.]*: (cannot open shared object|file too short|invalid ELF header)")
_one_at_a_time = threading.RLock()


@contextmanager
def without_chatter() -> Iterator[None]:
    """Lines of level INFO and WARNING that native code writes to stderr inside are dropped, all others kept.

    No variable or function of MediaPipe 1.2 turns its log off, and it bypasses ``sys.stderr``: so the descriptor is
    led through a file. Whatever else the process writes to stderr meanwhile comes when this ends.
    """
    with _one_at_a_time, tempfile.TemporaryFile() as caught:
        try:
            saved = os.dup(2)
        except OSError:  # a process without stderr hears nothing anyway
            yield
            return
        sys.stderr.flush()
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            if kept := b"".join(line for line in caught if not _CHATTER.match(line)):
                os.write(2, kept)


@contextmanager
def explaining(package: str, fix: str) -> Iterator[None]:
    """A package or shared library that cannot be loaded inside becomes a BenchError that says how to get it."""
    try:
        yield
    except (ImportError, OSError) as error:
        missing = _UNLOADED.search(str(error))
        if missing is None:
            raise BenchError(f"{package} does not load: {error}", fix=fix) from error
        name = missing[1]
        debian = LIBRARIES[name][1] if name in LIBRARIES else f"the package that holds lib{name} (apt-file search)"
        raise BenchError(
            f"{package} needs the system library lib{name}, which does not load ({missing[2]})",
            fix=f"apt-get install {debian} (all of them: fhpt-bench doctor)",
        ) from error

"""Memory that is free but not given back."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache


def give_back() -> None:
    """Return freed memory to the system, where the C library is glibc; nothing elsewhere.

    A batch's arrays are freed in another order than they were made, in several threads, and glibc keeps the holes:
    160 MB after 500 pairs, and slowly more. A call costs milliseconds.
    """
    if (trim := _malloc_trim()) is not None:
        trim(0)


@lru_cache(maxsize=1)
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # musl, macOS, Windows
        return None
    return trim

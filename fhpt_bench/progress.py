"""Progress on stderr for anything over two seconds: rate and time left on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from time import monotonic

Advance = Callable[[int], None]


@contextmanager
def progress(label: str, total: int, *, unit: str = "it", show: bool | None = None) -> Iterator[Advance]:
    """Yield a function that advances the bar by so many units. Shown only on a terminal (or as ``show`` says),
    after two seconds."""
    if not (sys.stderr.isatty() if show is None else show):
        yield lambda _n: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(label, total=total, rate="")
    start, done = monotonic(), 0
    timer = Timer(2, bar.start)  # not at the first advance: that may be long in coming
    timer.daemon = True
    timer.start()

    def advance(n: int) -> None:
        nonlocal done
        done += n
        seconds = monotonic() - start
        bar.update(task, completed=done, rate=f"{done / max(seconds, 1e-9):.1f} {unit}/s")

    try:
        yield advance
    finally:
        timer.cancel()
        timer.join()
        if bar.live.is_started:
            bar.stop()

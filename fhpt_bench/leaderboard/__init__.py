"""Records -> leaderboard: pandas table -> CSV, Markdown, LaTeX, terminal, and one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fhpt_bench.errors import BenchError
from fhpt_bench.leaderboard import reported, reported_forms
from fhpt_bench.leaderboard.gallery import Gallery, GalleryPair
from fhpt_bench.leaderboard.html import to_html
from fhpt_bench.leaderboard.table import table, wide
from fhpt_bench.leaderboard.terminal import to_terminal
from fhpt_bench.leaderboard.text import to_csv, to_latex, to_markdown
from fhpt_bench.paths import atomic
from fhpt_bench.published import Published
from fhpt_bench.record import Record

__all__ = [
    "Gallery", "GalleryPair", "table", "to_csv", "to_html", "to_latex", "to_markdown", "to_terminal", "wide", "write",
]  # fmt: skip


def write(
    records: Sequence[Record],
    out: Path,
    galleries: Mapping[int, Gallery] | None = None,
    published: Sequence[Published] = (),
) -> Path:
    """Write ``leaderboard.html``, ``.csv``, ``.md`` and ``.tex`` into the folder ``out``; the path of the HTML page.

    records: rows in any order; what may not be compared goes into separate tables. galleries: place of a record in
    ``records`` -> its images. published: numbers of papers, in tables of their own below. Each file is written whole
    or not at all; file names never come from a record.
    Raises BenchError where there is neither record nor published number, ``out`` is a file, or it cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise BenchError("the leaderboard needs a folder", where=out, fix="name a folder with --out")
    page = out / "leaderboard.html"
    texts = {
        page: to_html(records, galleries, papers=reported.reported(published, records)),
        out / "leaderboard.csv": reported_forms.with_papers(records, published, "csv"),
        out / "leaderboard.md": reported_forms.with_papers(records, published, "markdown"),
        out / "leaderboard.tex": reported_forms.with_papers(records, published, "latex"),
    }
    for path, text in texts.items():
        try:
            with atomic(path, "w") as file:
                file.write(text)
        except OSError as error:
            raise BenchError(
                f"cannot write: {error.strerror}", where=path, fix="free space, or another --out"
            ) from error
    return page

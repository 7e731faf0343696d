"""One self-contained HTML page: boards, drawings, and a section a model. It makes no outside request.

What a model, a label or a reason says is text, never markup: jinja2 escapes every value, element ids are made of
numbers only, and the page's own policy lets nothing run but the two scripts written here, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jinja2
from markupsafe import Markup

from fhpt_bench.leaderboard.gallery import Gallery, Pictures
from fhpt_bench.leaderboard.glossary import REGIONS
from fhpt_bench.leaderboard.pages import Comparison, Page, compare, page
from fhpt_bench.leaderboard.plots import Plot, plot, strips
from fhpt_bench.leaderboard.view import Board, Column, boards
from fhpt_bench.paths import shipped
from fhpt_bench.record import Record

LIBRARY = "datatables-3.1.2.min.js"
LIBRARY_SHA256 = "2050bcff007823d21472681c2e74b1eaf96893830a92acf9f6bb961a58f5c617"
MAX_BYTES = 10_000_000
"""The pairs shown are made fewer until the page's pictures stay under this."""


@dataclass(frozen=True)
class Fold:
    """Neighbouring columns under one heading; ``open`` ones show at first, the others at the press of a button."""

    label: str
    columns: tuple[int, ...]
    open: bool


@dataclass(frozen=True)
class Section:
    """A board with all that its template needs."""

    board: Board
    folds: tuple[Fold, ...]
    strips: list[list[tuple[float, float, float] | None]]
    plots: tuple[tuple[str, tuple[Plot, ...]], ...]
    """Heading and drawings of each fold, the headline's first."""
    reasons: dict[str, int]
    """Why a cell is empty -> number of its footnote."""
    comparison: Comparison | None

    @property
    def order(self) -> tuple[int, ...]:
        """Places of the columns as they stand on the page."""
        return tuple(i for fold in self.folds for i in fold.columns)


def to_html(
    records: Sequence[Record],
    galleries: Mapping[int, Gallery] | None = None,
    *,
    title: str = "Human pose transfer leaderboard",
    max_bytes: int = MAX_BYTES,
) -> str:
    """The page as text. galleries: place of a record in ``records`` -> its images; rows without one have no pictures.

    The pictures are small WebP copies for looking at, at most ``max_bytes`` together as far as fewer pairs can do that;
    scores were computed on the PNGs.
    """
    galleries = galleries or {}
    all_boards = boards(records)
    pictures = Pictures()
    for counts in ((4, 4), (4, 2), (4, 1), (2, 1), (1, 1), (1, 0)):
        pictures.restart()
        sections = [_section(board, galleries, pictures) for board in all_boards]
        pages = [
            page(board, row, galleries.get(row.index), pictures, counts) for board in all_boards for row in board.rows
        ]
        if pictures.size <= max_bytes:
            break
    return _render(title, records, sections, pages, pictures)


def folds(columns: Sequence[Column]) -> tuple[Fold, ...]:
    """The headline first and open; then other whole-image scores; then each score's regions, folded."""
    lead = tuple(i for i, column in enumerate(columns) if column.headline)
    more = tuple(i for i, column in enumerate(columns) if not column.headline and not column.region)
    found = [Fold("Headline", lead, True)] + ([Fold("More scores", more, False)] if more else [])
    wholes = dict.fromkeys(column.whole for column in columns if column.region and not column.headline)
    for whole in wholes:
        members = tuple(
            i for i, c in enumerate(columns) if c.region and not c.headline and c.whole == whole
        )  # in the order of the record
        column = columns[members[0]]
        setting = f" {column.setting}" if column.setting else ""
        found.append(Fold(f"{column.label}{setting} by region", members, False))
    return tuple(found)


def _section(board: Board, galleries: Mapping[int, Gallery], pictures: Pictures) -> Section:
    why = dict.fromkeys(cell.why for row in board.rows for cell in row.cells if cell.why)
    groups = folds(board.columns)
    drawn = [(fold.label, tuple(p for i in fold.columns if (p := plot(board, i)) is not None)) for fold in groups]
    return Section(
        board,
        groups,
        strips(board),
        tuple((label, plots) for label, plots in drawn if plots),
        {reason: number for number, reason in enumerate(why, 1)},
        compare(board, galleries, pictures),
    )


def _render(
    title: str, records: Sequence[Record], sections: list[Section], pages: list[Page], pictures: Pictures
) -> str:
    folder = shipped("leaderboard")
    library = (folder / "assets" / LIBRARY).read_bytes()
    if hashlib.sha256(library).hexdigest() != LIBRARY_SHA256:
        raise RuntimeError(f"{folder / 'assets' / LIBRARY} is not the file it should be")
    scripts = [library.decode("utf-8"), (folder / "templates" / "page.js").read_text("utf-8")]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.2f}%"
    environment.filters["place_of"] = lambda place, order: 1 + order.index(place)
    environment.filters["compact"] = lambda value: json.dumps(value, separators=(",", ":"))
    return environment.get_template("page.html.j2").render(
        title=title,
        policy=_policy(scripts),
        style=Markup((folder / "templates" / "page.css").read_text("utf-8")),
        scripts=[Markup(script) for script in scripts],
        sections=sections,
        pages=pages,
        pictures=pictures.uris,
        regions=REGIONS,
        newest=max(record.provenance.created for record in records)[:10],
        models=len({record.model.name for record in records if record.model.kind == "model"}),
    )


def _policy(scripts: Sequence[str]) -> str:
    """A content policy that allows these scripts by hash, inline styles, data URIs, and nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )

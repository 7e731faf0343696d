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

from fhpt_bench.leaderboard.breakdowns import Breakdown, breakdowns
from fhpt_bench.leaderboard.curves import Sheet, sheets
from fhpt_bench.leaderboard.families import Family
from fhpt_bench.leaderboard.gallery import Gallery, Pictures
from fhpt_bench.leaderboard.glossary import REGIONS
from fhpt_bench.leaderboard.names import ASIDES, BREAKDOWNS, PARTS, SETTINGS
from fhpt_bench.leaderboard.pages import Comparison, Page, compare, page
from fhpt_bench.leaderboard.plots import Plot, Span, plot, strips
from fhpt_bench.leaderboard.reported import LEGEND, Reported
from fhpt_bench.leaderboard.view import Board, Column, absences, boards, meaning
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
    divided: bool = False
    """The columns are regions or parts, and are headed by them."""


@dataclass(frozen=True)
class Part:
    """One family of a board: a table, and what is folded below it."""

    family: Family
    folds: tuple[Fold, ...]
    lead: int
    """Place in the table (1 is the first score) of the column that the rows come in order of; 0: in another table."""
    plots: tuple[tuple[str, tuple[Plot, ...]], ...]
    """Heading and drawings of each fold, the headline's first."""
    curves: tuple[Sheet, ...]
    breakdowns: tuple[Breakdown, ...]
    reasons: dict[str, int]
    """Why a cell is empty -> number of its footnote."""
    absent: dict[str, tuple[str, ...]]
    """Why no row has a value -> names of the columns that are left out for it."""

    @property
    def order(self) -> tuple[int, ...]:
        """Places of the columns as they stand on the page."""
        return tuple(i for fold in self.folds for i in fold.columns)


@dataclass(frozen=True)
class Section:
    """A board with all that its template needs."""

    board: Board
    parts: tuple[Part, ...]
    strips: list[list[Span | None]]
    glossary: tuple[tuple[str, str], ...]
    comparison: Comparison | None


def to_html(
    records: Sequence[Record],
    galleries: Mapping[int, Gallery] | None = None,
    *,
    title: str = "Human pose transfer leaderboard",
    max_bytes: int = MAX_BYTES,
    papers: Sequence[Reported] = (),
) -> str:
    """The page as text. galleries: place of a record in ``records`` -> its images; rows without one have no pictures.
    papers: tables of published numbers, which stand below the boards.

    The pictures are small WebP copies for looking at, at most ``max_bytes`` together as far as fewer pairs can do that;
    scores were computed on the PNGs.
    """
    galleries = galleries or {}
    all_boards = boards(records) if records or not papers else []
    pictures = Pictures()
    for counts in ((4, 4), (4, 2), (4, 1), (2, 1), (1, 1), (1, 0)):
        pictures.restart()
        sections = [_section(board, galleries, pictures) for board in all_boards]
        pages = [
            page(board, row, galleries.get(row.index), pictures, counts) for board in all_boards for row in board.rows
        ]
        if pictures.size <= max_bytes:
            break
    return _render(title, records, sections, pages, pictures, papers)


def folds(board: Board, places: Sequence[int]) -> tuple[Fold, ...]:
    """The headline first and open; then other scores over everything; then each score's regions or parts, folded.

    Groups of pairs (skin tone, pattern) are not columns: ``breakdowns`` shows them.
    """
    columns = {i: board.columns[i] for i in places if board.columns[i].headline or not board.columns[i].parts.key}
    lead = tuple(i for i, column in columns.items() if column.headline)
    more = tuple(i for i, column in columns.items() if not column.headline and not _divided(column))
    found = [Fold("Headline", lead, True)] if lead else []
    found += [Fold("More scores" if lead else "Scores", more, not lead)] if more else []
    divided = {i: column for i, column in columns.items() if _divided(column) and not column.headline}
    for label in dict.fromkeys(column.label for column in divided.values()):
        members = tuple(i for i, column in divided.items() if column.label == label)
        over = "part" if board.columns[members[0]].family == "structural" else "region"
        found.append(Fold(f"{label} by {over}", members, False, divided=True))
    return tuple(found)


def _divided(column: Column) -> bool:
    """Over a region or a part, not over everything nor beside it."""
    return bool(column.region) and column.parts.group not in ASIDES


def _section(board: Board, galleries: Mapping[int, Gallery], pictures: Pictures) -> Section:
    drawn = tuple(_part(board, family) for family in board.families)
    return Section(board, drawn, strips(board), glossary(board), compare(board, galleries, pictures))


def _part(board: Board, family: Family) -> Part:
    places = board.of(family.key)
    groups = folds(board, [i for i in places if board.measured(i)])
    shown = [i for fold in groups for i in fold.columns]
    divided = breakdowns(board, places)
    told = {line.place for breakdown in divided for split in breakdown.splits for line in split.lines}
    why = dict.fromkeys(row.cells[i].why for i in shown for row in board.rows if row.cells[i].why)
    drawn = [(fold.label, tuple(p for i in fold.columns if (p := plot(board, i)) is not None)) for fold in groups]
    return Part(
        family,
        groups,
        1 + shown.index(board.lead) if board.lead in shown else 0,
        tuple((label, plots) for label, plots in drawn if plots),
        sheets(board, [board.columns[i].name for i in places]),
        divided,
        {reason: number for number, reason in enumerate(why, 1)},
        {why: _names(board, lost) for why, lost in absences(board, [i for i in places if i not in told]).items()},
    )


def _names(board: Board, places: Sequence[int]) -> tuple[str, ...]:
    """Names of columns; the regions or groups of one score, where they are many, as one."""
    wholes: dict[str, list[str]] = {}
    for place in places:
        wholes.setdefault(board.columns[place].whole, []).append(board.columns[place].name)
    short = ([f"{whole}/\u2026 ({len(names)} scores)"] if len(names) > 3 else names for whole, names in wholes.items())
    return tuple(name for names in short for name in names)


def glossary(board: Board) -> tuple[tuple[str, str], ...]:
    """Each word of the board's columns, and what it means: metrics, settings, regions, parts, breakdowns."""
    found: dict[str, str] = {}
    for column in board.columns:
        label, about = meaning(column.parts.metric)
        found.setdefault(label, about)
    for column in board.columns:
        found |= {word: SETTINGS[word] for word in column.parts.setting.split(",") if word in SETTINGS}
    for column in board.columns:
        if column.parts.key:
            title, about = BREAKDOWNS.get(column.parts.key, (column.parts.key, ""))
            found.setdefault(title, about)
        elif _divided(column):
            known, prefix = (PARTS, "points: ") if column.family == "structural" else (REGIONS, "")
            found.setdefault(f"{prefix}{column.region}", f"Over {known.get(column.parts.group, column.parts.group)}.")
    return tuple((word, f"{about[0].upper()}{about[1:].rstrip('.')}.") for word, about in found.items() if about)


def _render(
    title: str,
    records: Sequence[Record],
    sections: list[Section],
    pages: list[Page],
    pictures: Pictures,
    papers: Sequence[Reported],
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
        newest=max((record.provenance.created[:10] for record in records), default="none"),
        papers=papers,
        papers_legend=LEGEND,
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

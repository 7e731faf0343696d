"""What the command line shows: collects records, prints tables, writes the leaderboard with its pictures."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhpt_bench import paths, registry
from fhpt_bench import protocol as protocols
from fhpt_bench.errors import BenchError
from fhpt_bench.published import Published
from fhpt_bench.record import Record, read_record

if TYPE_CHECKING:
    import pandas as pd


def shipped_records(protocol: str | None = None) -> list[Record]:
    """The rows that ship in ``leaderboard/rows/<protocol>/<model>.json``."""
    files = sorted(paths.shipped("leaderboard").glob(f"rows/{protocol or '*'}/*.json"))
    return [read_record(path) for path in files]


def find_record(name: str, protocol: str) -> Record:
    """A run folder, a record file, or the model of a shipped row."""
    if Path(name).exists():
        return read_record(Path(name))
    shipped = {record.model.name: record for record in shipped_records(protocol)}
    if name in shipped:
        return shipped[name]
    raise BenchError(
        f"{name!r} is neither a run folder, nor a record, nor a shipped row",
        fix=f"shipped rows of {protocol}: {', '.join(shipped) or 'none'}",
    )


def beside(record: Record) -> list[Record]:
    """``record`` and the shipped rows that may stand beside it; its own shipped row gives way to it."""
    others = [
        r
        for r in shipped_records(record.protocol.name)
        if r.group == record.group and r.model.name != record.model.name
    ]
    return [*others, record]


def collect(folders: Sequence[Path], protocol: str | None, *, shipped: bool, empty: bool = False) -> list[Record]:
    """Own records, and the shipped rows of models that are not among them; none at all only where ``empty``."""
    own = [read_record(folder) for folder in folders]
    if protocol is not None:
        if not empty:
            protocols.load(protocol)  # unknown names are an error, not an empty table
        own = [r for r in own if r.protocol.name == protocol]
    mine = {(r.group, r.model.name) for r in own}
    rows = [r for r in shipped_records(protocol) if (r.group, r.model.name) not in mine] if shipped else []
    if not rows + own and not empty:
        raise BenchError("no row to show", fix="name run folders, or run a model first: fhpt-bench run --model drn")
    return rows + own


def render(
    records: Sequence[Record],
    format_: str,
    *,
    all_scores: bool = False,
    families: Collection[str] = (),
    published: Sequence[Published] = (),
) -> str:
    """The table as text: terminal, csv, markdown, latex or json. families: only these; JSON holds whole records.

    published: numbers of papers, in tables of their own below; JSON then is ``{"records": ..., "published": ...}``.
    """
    from fhpt_bench.leaderboard import reported_forms

    if format_ == "terminal":
        return _terminal(records, all_scores, families, published)
    if format_ in ("csv", "markdown", "latex"):
        return reported_forms.with_papers(records, published, format_, everything=all_scores, families=families)  # type: ignore[arg-type]
    if format_ == "json":
        if families:
            raise BenchError("json holds whole records: --columns does not apply", fix="--format csv has the columns")
        whole: Any = [r.model_dump(mode="json") for r in records]
        if published:
            whole = {"records": whole, "published": [row.model_dump(mode="json") for row in published]}
        return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    raise BenchError(f"no format is called {format_!r}", fix="terminal, csv, markdown, latex or json")


def _terminal(
    records: Sequence[Record],
    all_scores: bool,
    families: Collection[str] = (),
    published: Sequence[Published] = (),
) -> str:
    import sys

    from rich.console import Console

    from fhpt_bench.leaderboard import reported, reported_forms, to_terminal

    console = Console(width=_width(140), force_terminal=sys.stdout.isatty(), highlight=False)
    with console.capture() as captured:
        if records:
            console.print(to_terminal(records, everything=all_scores, families=families))
        if records and published:
            console.print()
        if published:
            console.print(reported_forms.Shown(reported.reported(published, records)))
    return captured.get()


def _width(piped: int) -> int:
    """Characters a line: the window's, or ``piped`` where stdout is none."""
    import shutil
    import sys

    return shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else piped


def print_leaderboard(record: Record) -> None:
    """The headline table of ``record`` among the shipped rows, and whether its own shipped row agrees."""
    print(_terminal(beside(record), all_scores=False), end="")
    if line := agreement(record):
        print(line)


def agreement(record: Record) -> str:
    """How far ``record`` is from the shipped row of the same model under the same protocol; empty where there is
    none."""
    for row in shipped_records(record.protocol.name):
        if row.group == record.group and row.model.name == record.model.name:
            theirs = {s.name: s.value for s in row.scores}
            far = [
                (abs(s.value - other) / max(abs(other), 1e-12), s.name)
                for s in record.scores
                if s.value is not None and (other := theirs.get(s.name)) is not None
            ]
            worst, name = max(far, default=(0.0, ""))
            if row.model.key != record.model.key:
                return f"the shipped row {row.model.name!r} is of another version of this model"
            return f"shipped row {row.model.name!r}: largest relative difference {worst:.1e} ({name})"
    return ""


def print_comparison(
    table: pd.DataFrame, a: tuple[str, Record], b: tuple[str, Record], *, all_scores: bool = False
) -> None:
    """The result of ``api.compare`` on a terminal."""
    from rich.console import Console

    from fhpt_bench.leaderboard.comparison import comparison

    Console(width=_width(120), highlight=False).print(comparison(table, a, b, everything=all_scores))


def write_html(record: Record, folder: Path, protocol: str | Path | None = None) -> Path:
    """``folder/leaderboard.*``: the record among the shipped rows, with pictures of what can be shown; and
    ``folder/retrieval.html`` where that was measured. protocol: the run's, where it is not a shipped one."""
    from fhpt_bench.leaderboard import retrieval

    try:
        retrieval.write(folder, protocol=protocol)
    except BenchError:  # not part of this protocol, or unavailable: the leaderboard says why
        (folder / "retrieval.html").unlink(missing_ok=True)
    return write_all(beside(record), folder / "leaderboard", [folder])


def write_all(
    records: Sequence[Record], out: Path, folders: Sequence[Path], published: Sequence[Published] = ()
) -> Path:
    """CSV, Markdown, LaTeX and HTML into ``out``; pictures of the runs in ``folders`` and of references. Returns
    the HTML file."""
    from fhpt_bench.leaderboard import write
    from fhpt_bench.pictures import galleries

    page: Path = write(records, out, galleries(records, folders), published)
    return page


def print_rows(rows: Sequence[Mapping[str, Any]], only: Sequence[str] = ()) -> None:
    """A list of equal dicts as a table: all columns, or those of ``only``."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    columns = only or (list(rows[0]) if rows else [])
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(row[column])) for column in columns))
    Console().print(table)


def listing(kind: str | None = None) -> dict[str, dict[str, str]]:
    """kind -> name -> one line about it."""
    from fhpt_bench import weights

    kinds: dict[str, Any] = {
        "generators": lambda: {name: _about("generators", name) for name in registry.names("generators")},
        "protocols": lambda: {name: protocols.load(name).title for name in protocols.names()},
        "metrics": lambda: {name: _about("metrics", name) for name in registry.names("metrics")},
        "datasets": lambda: {name: _about("datasets", name) for name in registry.names("datasets")},
        "features": lambda: {name: _about("features", name) for name in registry.names("features")},
        "weights": lambda: {network.name: network.what for network in weights.known()},
    }
    if kind is not None and kind not in kinds:
        import difflib

        near = difflib.get_close_matches(kind, kinds, n=2)
        raise BenchError(
            f"nothing of the kind {kind!r} can be listed",
            fix=f"did you mean {' or '.join(near)}?" if near else f"one of: {', '.join(kinds)}",
        )
    return {key: make() for key, make in kinds.items() if kind in (None, key)}


def print_listing(listing: Mapping[str, Mapping[str, str]]) -> None:
    """What ``listing`` gives: a line a name, folded under itself where the window is narrow."""
    import textwrap

    width = max(_width(160), 40)
    for title, rows in listing.items():
        print(title)
        left = min(max(map(len, rows), default=0) + 4, width // 2)
        for name, about in rows.items():
            start = f"  {name}".ljust(left)
            print(textwrap.fill(about, width, initial_indent=start, subsequent_indent=" " * left) if about else start)


def _about(kind: registry.Kind, name: str) -> str:
    try:
        return next(iter((registry.find(kind, name).__doc__ or "").strip().splitlines()), "")
    except BenchError as error:
        return f"unavailable: {error.what}"


def weights_rows() -> list[dict[str, str]]:
    """One line a network: state, use, author, licence, where it comes from."""
    from fhpt_bench import weights

    return [
        {
            "network": n.name,
            "state": weights.status(n.name).state,
            "used_by": n.used_by,
            "author": n.author,
            "licence": n.licence,
            "training_data": n.training_data,
            "official_url": n.official_url,
            "carrier": n.carrier,
        }
        for n in weights.known()
    ]


def protocol_weights(protocol: str) -> list[str]:
    """Names of the networks that a protocol's metrics read."""
    from fhpt_bench import features

    metrics = protocols.load(protocol).build()
    read = {name for metric in metrics for need in metric.needs for name in features.networks(need.feature)}
    return sorted(read | {name for metric in metrics for name in getattr(metric, "weights", ())})

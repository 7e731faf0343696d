"""Options that commands share, and the two ways a command speaks: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

Protocol = Annotated[str, typer.Option("--protocol", "-p", help="Protocol's name, or a .toml file.")]
Data = Annotated[str | None, typer.Option("--data", "-d", help="Data set's name or folder (default: the protocol's).")]
Split = Annotated[str, typer.Option(help="Split of the data set.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Run folder (default: runs/<protocol>/<model>).")]
Limit = Annotated[int | None, typer.Option("--limit", "-n", help="Only the first N pairs; such rows are never ranked.")]
AllowMissing = Annotated[
    bool,
    typer.Option("--allow-missing", help="Leave out pairs without an image, or refused; such rows are never ranked."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
BatchSize = Annotated[int, typer.Option(help="Images a forward pass; changes no score.")]
Workers = Annotated[int, typer.Option(help="Threads that decode images; changes no score.")]
Seed = Annotated[int, typer.Option(help="Seed of generators and resampling.")]
AllScores = Annotated[bool, typer.Option("--all", help="Every score, not only the protocol's headline.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def say(text: str) -> None:
    print(text, file=sys.stderr)

"""The command `retrieve`: what a run's images find."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def retrieve(
    run: Annotated[Path, typer.Argument(help="Run folder of `run` or `score`.")],
    backbone: Annotated[str, typer.Option(help="Retrieval network: vgg or resnet.")] = "vgg",
    protocol: Annotated[
        str | None, typer.Option("--protocol", "-p", help="The run's protocol file, where it is not a shipped one.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="HTML file (default: retrieval.html in RUN).")] = None,
) -> None:
    """FHPT's Fig. 9 as a page: generated images, the ten photographs each finds, right and wrong ones marked."""
    from fhpt_bench.leaderboard import retrieval

    print(retrieval.write(run, backbone, protocol, out))

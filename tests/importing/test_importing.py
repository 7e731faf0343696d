"""Published checkpoints: every key is accounted for, nothing is guessed, nothing is run, and the model runs."""

from __future__ import annotations

import json
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from fhpt_bench import api, registry
from fhpt_bench.cli import app
from fhpt_bench.errors import BenchError
from fhpt_bench.importing import import_weights, imported
from fhpt_bench.importing.mapping import by_prefix

sys.path.insert(0, str(Path(__file__).parents[1] / "harness"))
import mini

Files = Callable[..., list[Path]]
Published = dict[str, dict[str, torch.Tensor]]


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.usefixtures("pieces")
def test_two_files_fill_one_network(files: Files, published: Published, order: int, legacy: bool) -> None:
    report = import_weights("pieces", files(legacy=legacy)[::order])
    assert report.fits and report.model == "pieces-4" and report.out == Path("pieces-4.safetensors")
    weights = load_file(report.out)
    g, h = published["G.pth"], published["H.pth"]
    expected = {
        "body.0.weight": g["module.conv.weight"], "body.0.bias": g["module.conv.bias"],
        "again.weight": g["module.conv.weight"], "again.bias": g["module.conv.bias"],
        "body.1.weight": g["module.bn.weight"], "body.1.bias": g["module.bn.bias"],
        "body.1.running_mean": g["module.bn.running_mean"], "body.1.running_var": g["module.bn.running_var"],
        "body.1.num_batches_tracked": torch.tensor(0), "head.weight": h["w"], "head.bias": h["b"],
    }  # fmt: skip
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[key], value) for key, value in expected.items())
    (one,) = (found for found in report.files if found.match and found.match.part.name == "netG")
    assert one.match.dropped == {"noise that nothing reads": 1} and one.match.filled == 1
    about = imported.about(report.out)
    assert (about.baseline, about.config) == ("pieces", "four")
    assert {original.file for original in about.originals} == {"G.pth", "H.pth"}
    assert imported.sha256(report.out) == report.sha256


@pytest.mark.usefixtures("pieces")
def test_again_gives_the_same_bytes_and_nothing_else_is_overwritten(files: Files, tmp_path: Path) -> None:
    first = import_weights("pieces", files())
    assert import_weights("pieces", files()).sha256 == first.sha256
    (tmp_path / "mine").write_text("notes")
    with pytest.raises(BenchError, match="something else"):
        import_weights("pieces", files(), out=tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "notes"


@pytest.mark.usefixtures("pieces")
def test_every_difference_is_listed_and_nothing_is_written(files: Files, published: Published, tmp_path: Path) -> None:
    g = published["G.pth"]
    g["module.extra.a"], g["module.extra.b"] = torch.zeros(1), torch.zeros(1)
    del g["module.bn.bias"]
    g["module.conv.bias"] = torch.zeros(5)
    g["module.bn.weight"][2] = torch.nan
    report = import_weights("pieces", files())
    assert not report.fits and report.out is None and not list(tmp_path.rglob("*.safetensors"))
    found = report.as_json()["files"][0]
    assert found["unknown"] == ("module.extra.a", "module.extra.b")
    assert found["missing"] == ("module.bn.bias",)
    assert found["misshapen"] == ("module.conv.bias: 5, not 4",)
    assert found["unfit"] == ("module.bn.weight: not finite",)
    told = command("import", "pieces", *files())
    assert told.exit_code == 1
    for line in (
        "unknown: module.extra.a",
        "unknown: module.extra.b",
        "missing: module.bn.bias",
        "nothing was written",
    ):
        assert line in told.stdout


@pytest.mark.usefixtures("pieces")
def test_a_part_without_its_file_or_with_two(files: Files, published: Published) -> None:
    g, h = files()
    assert import_weights("pieces", [g]).lacking == ("netH",)
    report = import_weights("pieces", [g, h, h])
    assert not report.fits and report.twice == ("netH",)
    assert "more than once" in command("import", "pieces", g, h, h).stdout
    # Halves of two models do not make one.
    published["H.pth"]["w"] = torch.zeros(3, 8, 1, 1)
    report = import_weights("pieces", files())
    assert not report.fits and report.model == "pieces-4"
    assert report.as_json()["files"][1]["misshapen"] == ("w: 3x8x1x1, not 3x4x1x1",)


@pytest.mark.usefixtures("pieces")
def test_another_known_model_is_called_by_its_name(files: Files, published: Published) -> None:
    published["G.pth"] = {"old": torch.zeros(1)}
    g, _ = files()
    assert "is the old one" in command("import", "pieces", g).stdout
    assert json.loads(command("import", "pieces", g, "--json").stdout)["files"][0]["known_as"] == "the old one"


@pytest.mark.usefixtures("pieces")
def test_weights_of_other_precision_become_float32(files: Files, published: Published) -> None:
    published["G.pth"] = {key: value.double() for key, value in published["G.pth"].items()}
    published["H.pth"] = {key: value.half() for key, value in published["H.pth"].items()}
    weights = load_file(import_weights("pieces", files()).out)
    assert {value.dtype for key, value in weights.items() if "tracked" not in key} == {torch.float32}


def test_where_nothing_is_documented_the_file_is_described(pieces: Path, files: Files) -> None:
    (pieces / "released.py").write_text("def released_keys():\n    return ()\n")
    told = command("import", "pieces", *files())
    assert told.exit_code == 1
    for line in ("module.conv.weight  4x3x3x3", "net  dict", "no keys are documented"):
        assert line in told.stdout


def test_what_cannot_be_imported(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"nothing can be imported for 'drn'[\s\S]*patn"):
        import_weights("drn", [tmp_path])
    with pytest.raises(BenchError, match="no file"):
        import_weights("patn", [])
    with pytest.raises(BenchError, match="no such file"):
        import_weights("patn", [tmp_path / "none"])


class Hostile:
    """Unpickled without care it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (os.system, (f"touch {self.mark}",))


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path: Path, form: str) -> None:
    mark, path = tmp_path / "run", tmp_path / "G.pth"
    content = {"module.conv.weight": torch.zeros(4, 3, 3, 3), "x": Hostile(mark)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(content["x"], protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(BenchError, match=r"refused: it asks for \w+.system") as error:
        import_weights("pieces", [path])
    assert "False" not in str(error.value), "torch's advice to load it unsafely is not passed on"
    assert not mark.exists()
    torch.load(path, weights_only=False) if form != "pickle" else pickle.loads(path.read_bytes())
    assert mark.exists(), "the test's file is as hostile as it should be"


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("form", ["cut", "text", "empty", "list", "squeezed"])
def test_damaged_files_are_refused(tmp_path: Path, files: Files, form: str) -> None:
    g, _ = files()
    if form == "squeezed":  # unpacks to far more than it is
        with zipfile.ZipFile(g) as old, zipfile.ZipFile(tmp_path / "small", "w", zipfile.ZIP_DEFLATED) as new:
            for entry in old.infolist():
                new.writestr(entry.filename, old.read(entry) + b"\0" * 10**6)
        g = tmp_path / "small"
    elif form == "list":
        torch.save([1, 2], g)
    else:
        g.write_bytes({"cut": g.read_bytes()[:-100], "text": b"<html>not found</html>", "empty": b""}[form])
    with pytest.raises(BenchError, match=r"refused|no checkpoint"):
        import_weights("pieces", [g])


@pytest.mark.usefixtures("pieces")
def test_a_tensor_that_claims_more_than_it_holds_is_never_laid_out(files: Files, published: Published) -> None:
    published["G.pth"]["module.conv.bias"] = torch.zeros(1).expand(10**6, 10**6)  # 4 TB
    published["G.pth"]["module.noise.1"] = torch.zeros(1).expand(10**6, 10**6)
    report = import_weights("pieces", files())
    assert report.as_json()["files"][0]["misshapen"] == ("module.conv.bias: 1000000x1000000, not 4",)


@pytest.mark.usefixtures("pieces")
def test_imported_weights_run_under_a_protocol(files: Files, tmp_path: Path) -> None:
    report = import_weights("pieces", files(), out=tmp_path / "theirs.safetensors")
    record = api.run(
        str(report.out),
        protocol=mini.write_protocol(tmp_path),
        data=mini.Mini(),
        limit=3,
        out=tmp_path / "run",
        device="cpu",
    )
    assert record.model.name == "pieces-4" and record.model.source == "weights theirs.safetensors"
    assert record.model.weights_sha256 == report.sha256
    assert record.model.card["imported_from"][0]["file"] == "G.pth"
    assert "samples" not in record.model.card, "what the shipped weights' card says is not theirs"
    network = registry.find("generators", "pieces")(config="four", weights=report.out, sha256=report.sha256)
    (again,) = network.generate([_prompt()])
    import PIL.Image

    made = np.asarray(PIL.Image.open(tmp_path / "run" / "images" / f"{mini.Mini()[0].id}.png"))
    assert np.array_equal(made, again) and made.std() > 1


def _prompt() -> Any:
    from fhpt_bench.types import Prompt

    pair = mini.Mini()[0]
    return Prompt(pair.id, pair.source, pair.target.pose, 0)


@pytest.mark.usefixtures("pieces")
def test_weights_that_do_not_say_what_they_are(tmp_path: Path, files: Files) -> None:
    weights = load_file(import_weights("pieces", files()).out)
    protocol = mini.write_protocol(tmp_path)

    def run(path: Path) -> None:
        api.run(str(path), protocol=protocol, data=mini.Mini(), limit=1, out=tmp_path / "run", device="cpu")

    save_file(weights, tmp_path / "mute.safetensors")
    with pytest.raises(BenchError, match="do not say which baseline"):
        run(tmp_path / "mute.safetensors")
    with pytest.raises(BenchError, match="no such file"):
        run(tmp_path / "none.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    with pytest.raises(BenchError, match="not a safetensors file"):
        run(tmp_path / "junk.safetensors")
    for name in ("os:system", "copy-source", "../pieces"):
        about = imported.About(name="x", baseline=name, config="four", originals=())
        imported.write(tmp_path / "other.safetensors", weights, about)
        with pytest.raises(BenchError, match="unknown baseline"):
            run(tmp_path / "other.safetensors")
        (tmp_path / "other.safetensors").unlink()
    assert not (tmp_path / "run").exists()


def test_prefixes() -> None:
    assert by_prefix(["a.b.x", "a.y"], {"a.": "t.", "a.b.": "u."}) == {"a.b.x": "u.x", "a.y": "t.y"}
    with pytest.raises(KeyError, match=r"c\.z"):
        by_prefix(["c.z"], {"a.": "t."})

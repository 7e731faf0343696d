"""What bad input gets: a clear BenchError that names the thing and the fix, with nothing lost or half-written."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import mini
import numpy as np
import pytest
from filelock import FileLock
from PIL import Image as PILImage

from fhpt_bench import BenchError, api, run, score
from fhpt_bench.harness.folder import check_id
from fhpt_bench.images import write_png
from fhpt_bench.record import read_record

MINI = f"{mini.__file__}:Mini"


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    return mini.write_protocol(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A right folder, to be spoilt."""
    data = mini.Mini()
    for i in range(len(data)):
        write_png(tmp_path / "mine" / f"{data[i].id}.png", data[i].source.image)
    return tmp_path / "mine"


def refused(folder: Path, protocol: Path, *words: str, **more) -> str:
    out = folder.parent / "out"
    with pytest.raises(BenchError) as caught:
        score(folder, protocol=protocol, data=MINI, out=out, **more)
    text = str(caught.value)
    assert caught.value.fix
    for word in words:
        assert word in text
    assert not (out / "record.json").exists()
    return text


def spoil(folder: Path, mode: str, size=(48, 64)) -> Path:
    path = sorted(folder.iterdir())[5]
    PILImage.new(mode, size).save(path)
    return path


def test_a_right_folder_scores(folder, protocol):
    assert score(folder, protocol=protocol, data=MINI, out=folder.parent / "out").data.pairs == 42


def test_run_takes_a_folder_too(folder, protocol):
    record = run(str(folder), protocol=protocol, data=MINI, out=folder.parent / "out")
    assert (record.model.name, record.model.kind) == ("mine", "model")
    assert not (folder.parent / "out" / "images").exists(), "they stay where they are"


def test_missing_image(folder, protocol):
    path = sorted(folder.iterdir())[3]
    path.unlink()
    refused(folder, protocol, "1 missing", path.stem, "41 of 42")


def test_duplicate_and_unmatched_names(folder, protocol):
    path = sorted(folder.iterdir())[3]
    PILImage.new("RGB", (48, 64)).save(path.with_suffix(".jpg"))
    write_png(folder / "stranger.png", np.zeros((64, 48, 3), np.uint8))
    refused(folder, protocol, "1 duplicate", path.stem, "1 unmatched", "stranger")


def test_the_rest_of_the_data_set_is_no_stranger_under_limit(folder, protocol):
    assert score(folder, protocol=protocol, data=MINI, out=folder.parent / "out", limit=5).data.pairs == 5


def test_corrupt_and_truncated_images(folder, protocol):
    path = sorted(folder.iterdir())[7]
    content = path.read_bytes()
    for bad in (b"", b"not an image", content[: len(content) // 2], content[:-20]):
        path.write_bytes(bad)
        refused(folder, protocol, path.name, "not a readable image")


@pytest.mark.parametrize(
    ("mode", "word"),
    [("L", "greyscale"), ("RGBA", "alpha"), ("LA", "alpha"), ("P", "palette"), ("1", "bilevel"), ("I;16", "I;16")],
)
def test_wrong_colours(folder, protocol, mode, word):
    path = spoil(folder, mode)
    refused(folder, protocol, path.name, word)


def test_wrong_size(folder, protocol):
    path = spoil(folder, "RGB", (48, 63))
    refused(folder, protocol, path.name, "63x48", "64x48")


def test_a_huge_header_is_refused_before_it_is_decoded(folder, protocol):
    """A PNG that claims 60,000 x 60,000 pixels must not take 10 GB."""
    path = sorted(folder.iterdir())[0]
    content = bytearray(path.read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") * 2
    import zlib

    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(content))
    refused(folder, protocol, path.name)


def test_empty_or_absent_folder(tmp_path, protocol):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", protocol, "holds no image")
    refused(tmp_path / "nowhere", protocol, "no such folder")
    with pytest.raises(BenchError, match="no such folder"):
        run("no/such/folder", protocol=protocol, data=MINI, out=tmp_path / "o")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "copy-sorce"}, ["copy-source", "copy-sorce"]),
        ({"model": "nonsense"}, ["known:", "blank"]),
        ({"model": "no_such_module:X"}, ["no_such_module"]),
        ({"model": "missing.py:X"}, ["no such file"]),
        ({"model": f"{mini.__file__}:Shft"}, ["Shift"]),
        ({"model": f"{mini.__file__}:CannotBuild"}, ["no weights here"]),
        ({"model": f"{mini.__file__}:NoGenerate"}, ["generate"]),
        ({"model": "truth", "data": "catwlk"}, ["catwalk"]),
        ({"model": "truth", "device": "cuda:99"}, ["cuda:99"]),
        ({"model": "truth", "limit": 0}, ["--limit"]),
        ({"model": "truth", "batch_size": 0}, ["at least 1"]),
        ({"model": "exact-warp"}, ["flow"]),
    ],
)
def test_unknown_names_and_options(tmp_path, protocol, arguments, words):
    with pytest.raises(BenchError) as caught:
        run(**{"protocol": protocol, "data": MINI, "out": tmp_path / "o", **arguments})
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "o").exists(), "every name is resolved before anything is written"


def test_unknown_protocol_metric_and_setting(tmp_path, protocol):
    with pytest.raises(BenchError, match="catwalk-v1"):
        run("truth", protocol="catwalk-v2")
    text = protocol.read_text()
    protocol.write_text(text.replace('use = "ssim"', 'use = "sssim"'))
    with pytest.raises(BenchError, match="did you mean"):
        run("truth", protocol=protocol, data=MINI, out=tmp_path / "o")
    protocol.write_text(text.replace('name = "ssim"', 'name = "ssim"\nwindw = "gauss1"'))
    with pytest.raises(BenchError, match="window"):
        run("truth", protocol=protocol, data=MINI, out=tmp_path / "o")
    protocol.write_text(text + "\nextra = 1\n")
    with pytest.raises(BenchError):
        run("truth", protocol=protocol, data=MINI, out=tmp_path / "o")
    protocol.write_text("name = ")
    with pytest.raises(BenchError, match="not a protocol"):
        run("truth", protocol=protocol, data=MINI, out=tmp_path / "o")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("RaisesLater", "out of thread"),
        ("TooFew", "7 images for 8"),
        ("NotANumber", "NaN"),
        ("WrongShape", "shape"),
        ("Floats", "float32"),
    ],
)
def test_a_model_that_misbehaves(tmp_path, protocol, name, word):
    with pytest.raises(BenchError, match=word):
        run(f"{mini.__file__}:{name}", protocol=protocol, data=MINI, out=tmp_path / "out")
    assert len(list((tmp_path / "out" / "images").glob("*.png"))) == 16, (
        "the finished batches stay, nothing of the bad one"
    )
    assert not (tmp_path / "out" / "record.json").exists()


def test_a_run_folder_has_one_owner(tmp_path, protocol):
    run("copy-source", protocol=protocol, data=MINI, out=tmp_path / "out")
    for other in ({"model": "truth"}, {"seed": 1}, {"limit": 3}, {"split": "val"}):
        with pytest.raises(BenchError, match="belongs to another run"):
            run(**{"model": "copy-source", "protocol": protocol, "data": MINI, "out": tmp_path / "out", **other})
    assert read_record(tmp_path / "out").model.name == "copy-source"


def test_an_edited_model_is_another_model(tmp_path, protocol):
    source = Path(mini.__file__).read_text()
    for text in (source, source.replace("np.roll(prompt.source.image, 2", "np.roll(prompt.source.image, 3")):
        mine = tmp_path / f"m{len(list(tmp_path.glob('m*.py')))}.py"
        mine.write_text(text)
    run(f"{tmp_path}/m0.py:Shift", protocol=protocol, data=MINI, out=tmp_path / "out")
    with pytest.raises(BenchError, match="model_key"):
        run(f"{tmp_path}/m1.py:Shift", protocol=protocol, data=MINI, out=tmp_path / "out")


def test_a_folder_of_something_else_is_left_alone(tmp_path, protocol):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("x")
    with pytest.raises(BenchError, match="not empty"):
        run("truth", protocol=protocol, data=MINI, out=tmp_path / "thesis")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BenchError, match="file"):
        run("truth", protocol=protocol, data=MINI, out=tmp_path / "file")


def test_two_processes_do_not_share_a_run_folder(tmp_path, protocol):
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(BenchError, match="another process"):
        run("truth", protocol=protocol, data=MINI, out=tmp_path / "out")


def test_disk_full(tmp_path, protocol, monkeypatch):
    import fhpt_bench.harness.generate as stage

    real, count = stage.write_png, []

    def full(path, image):
        count.append(path)
        if len(count) > 20:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, image)

    monkeypatch.setattr(stage, "write_png", full)
    with pytest.raises(BenchError, match="No space left"):
        run("copy-source", protocol=protocol, data=MINI, out=tmp_path / "out")
    monkeypatch.setattr(stage, "write_png", real)
    assert run("copy-source", protocol=protocol, data=MINI, out=tmp_path / "out").data.pairs == 42


@pytest.mark.parametrize("bad", ["../up", "a/b", "", ".hidden", "a\\b", "x" * 300, "nul\0", "a..b"])
def test_pair_ids_cannot_leave_the_folder(bad):
    with pytest.raises(BenchError):
        check_id(bad)


@pytest.mark.parametrize("name", ["../../etc/x", "a/b", "..", ".", "<script>", "x" * 400, "名前"])
def test_model_names_cannot_leave_the_runs_folder(name):
    from fhpt_bench.harness.models import slug

    made = slug(name)
    assert "/" not in made
    assert made not in (".", "..")
    assert len(made) < 100
    assert (Path("runs") / made).resolve().parent == Path("runs").resolve()


def test_arrays_of_the_wrong_kind(protocol):
    data = mini.Mini()
    images = [data[i].target.image for i in range(len(data))]
    with pytest.raises(BenchError, match="41 images"):
        api.score(images[:-1], protocol=protocol, data=MINI)
    with pytest.raises(BenchError, match="float32"):
        api.score([i.astype(np.float32) for i in images], protocol=protocol, data=MINI)
    with pytest.raises(BenchError, match="no image"):
        api.score({"x": images[0]}, protocol=protocol, data=MINI)
    with pytest.raises(BenchError, match="people"):
        api.score(images, target=images, people=["a"], protocol=protocol)


def test_the_command_line_prints_one_message_and_exits_with_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "fhpt_bench", "run", "--model", "copy-sorce"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert "copy-source" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_help_is_quick_and_never_imports_torch():
    code = """
import sys
sys.argv = ["fhpt-bench", "--help"]
from fhpt_bench import cli
try:
    cli.main()
except SystemExit:
    pass
assert not {"torch", "numpy", "pandas"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

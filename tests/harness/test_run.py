"""The main job on a small data set: resuming, agreement of options, Python API, records."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import mini
import numpy as np
import pytest

from fhpt_bench import BenchError, compare, run, score
from fhpt_bench.harness.generate import prompt_seed
from fhpt_bench.images import write_png
from fhpt_bench.metrics.ssim import SSIM
from fhpt_bench.record import read_record

MINI = f"{mini.__file__}:Mini"


def model(name: str) -> str:
    return f"{mini.__file__}:{name}"


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    return mini.write_protocol(tmp_path)


def numbers(record) -> list[tuple]:
    return [(s.name, s.value, s.low, s.high, s.pairs, s.excluded, s.sums, s.counts) for s in record.scores]


def test_run_writes_images_rows_and_a_record_that_reads_back(tmp_path, protocol):
    record = run(model("Shift"), protocol=protocol, data=MINI, out=tmp_path / "out")
    assert read_record(tmp_path / "out") == record
    assert len(list((tmp_path / "out" / "images").glob("*.png"))) == 42
    assert record.model.name == "shift"
    assert record.data.pairs == 42
    assert record.people == tuple(f"p{i}" for i in range(6))
    whole = record.score("ssim")
    assert whole.low < whole.value < whole.high
    assert set(record.provenance.seconds) == {"generate", "networks", "measure", "references", "summarise"}
    assert str(tmp_path) not in (tmp_path / "out" / "record.json").read_text()


def test_the_score_is_the_mean_of_what_the_metric_says_of_each_pair(tmp_path, protocol):
    record = run(model("Shift"), protocol=protocol, data=MINI, out=tmp_path / "out")
    from skimage.metrics import structural_similarity

    data, values = mini.Mini(), []
    for i in range(len(data)):
        pair = data[i]
        generated = np.roll(pair.source.image, 2, axis=1)
        values.append(
            structural_similarity(
                pair.target.image,
                generated,
                channel_axis=2,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=255,
            )
        )
    assert record.score("ssim").value == pytest.approx(np.mean(values), abs=1e-6)
    assert isinstance(SSIM(name="ssim").window, str)


def test_batch_size_workers_and_shards_change_nothing(tmp_path, protocol):
    first = run(model("Shift"), protocol=protocol, data=MINI, out=tmp_path / "a", batch_size=8, workers=2)
    other = run(model("Shift"), protocol=protocol, data=MINI, out=tmp_path / "b", batch_size=5, workers=1)
    for a, b in zip(first.scores, other.scores, strict=True):
        if a.value is None:
            assert (a.unavailable, a.name) == (b.unavailable, b.name)
        else:
            assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), rel=1e-6)


def test_seeded_noise_depends_on_the_pair_alone(tmp_path, protocol):
    run(model("Noise"), protocol=protocol, data=MINI, out=tmp_path / "a", batch_size=8)
    run(model("Noise"), protocol=protocol, data=MINI, out=tmp_path / "b", batch_size=3)
    for path in (tmp_path / "a" / "images").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / "images" / path.name).read_bytes()
    assert prompt_seed(0, "x") != prompt_seed(0, "y") != prompt_seed(1, "y")


def test_killed_at_random_moments_it_goes_on_and_ends_with_the_same_bits(tmp_path, protocol):
    whole = run(model("Shift"), protocol=protocol, data=MINI, out=tmp_path / "whole")
    out = tmp_path / "killed"
    command = [
        sys.executable,
        "-m",
        "fhpt_bench",
        "run",
        "--model",
        model("Shift"),
        "--protocol",
        str(protocol),
        "--data",
        MINI,
        "--out",
        str(out),
        "--no-html",
    ]
    clock, kills, seen = random.Random(7), 0, set()
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if kills < 6:  # wait for a sign of work, then strike anywhere in it
            while process.poll() is None and len(list(out.glob("**/*"))) <= len(seen):
                time.sleep(0.01)
            time.sleep(clock.uniform(0, 0.4))
            process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors.decode()
        kills, seen = kills + 1, set(out.glob("**/*"))
    assert kills >= 3, "the test must kill it, or it says nothing"
    assert numbers(read_record(out)) == numbers(whole)
    assert read_record(out).provenance.images_sha256 == whole.provenance.images_sha256
    assert not [p for p in out.glob("**/*.tmp") if p.stat().st_mtime > time.time()]


def test_a_second_run_does_nothing_again(tmp_path, protocol):
    run(model("Shift"), protocol=protocol, data=MINI, out=tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("**/*-*.npy")} | {
        p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("images/*")
    }
    run(model("Shift"), protocol=protocol, data=MINI, out=tmp_path / "out")
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_new_images_under_old_names_get_new_scores(tmp_path, protocol):
    """The trap of caches keyed by file name."""
    run(model("Shift"), protocol=protocol, data=MINI, out=tmp_path / "out")
    folder = tmp_path / "mine"
    folder.mkdir()
    for path in (tmp_path / "out" / "images").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    old = score(folder, protocol=protocol, data=MINI, out=tmp_path / "scored")
    data = mini.Mini()
    for i in range(len(data)):
        write_png(folder / f"{data[i].id}.png", data[i].target.image)
    new = score(folder, protocol=protocol, data=MINI, out=tmp_path / "scored")
    assert old.score("ssim").value < 0.99
    assert new.score("ssim").value == pytest.approx(1.0, abs=1e-9)


def test_a_row_does_not_move_when_another_model_comes(tmp_path, protocol):
    first = run("copy-source", protocol=protocol, data=MINI, out=tmp_path / "a")
    run("truth", protocol=protocol, data=MINI, out=tmp_path / "b")
    again = run("copy-source", protocol=protocol, data=MINI, out=tmp_path / "c")
    assert numbers(first) == numbers(again)
    assert (first.model.kind, read_record(tmp_path / "b").model.kind) == ("reference", "oracle")


def test_arrays_inside_a_training_loop_give_what_the_folder_gives(tmp_path, protocol):
    record = run(model("Shift"), protocol=protocol, data=MINI, out=tmp_path / "out")
    data = mini.Mini()
    pairs = [data[i] for i in range(len(data))]
    images = [np.roll(p.source.image, 2, axis=1) for p in pairs]
    in_order = score(images, protocol=protocol, data=MINI)
    by_id = score({p.id: i for p, i in zip(pairs, images, strict=True)}, protocol=protocol, data=data)
    assert numbers(in_order) == numbers(by_id) == numbers(record)
    given = score(
        images, target=[p.target.image for p in pairs], people=[p.target.person for p in pairs], protocol=protocol
    )
    assert given.score("ssim").value == pytest.approx(record.score("ssim").value, rel=1e-7)
    assert given.data.name == "arrays"


def test_limit_is_in_the_record_and_sets_it_apart(tmp_path, protocol):
    few = run("copy-source", protocol=protocol, data=MINI, out=tmp_path / "a", limit=10)
    whole = run("copy-source", protocol=protocol, data=MINI, out=tmp_path / "b")
    assert (few.data.limit, few.data.pairs, whole.data.limit) == (10, 10, None)
    with pytest.raises(BenchError, match="limit"):
        compare(few, whole)


def test_compare_says_who_is_better_and_ties_with_itself(tmp_path, protocol):
    truth = run("truth", protocol=protocol, data=MINI, out=tmp_path / "a")
    copy = run("copy-source", protocol=protocol, data=MINI, out=tmp_path / "b")
    table = compare(truth, copy).set_index("score")
    assert table.loc["ssim", "verdict"] == "a"
    assert table.loc["ssim", "low"] > 0
    same = compare(tmp_path / "b", copy).set_index("score")
    assert same.loc["ssim", "verdict"] == "tie"
    assert same.loc["ssim", "difference"] == 0


def test_json_on_stdout_and_nothing_else(tmp_path, protocol):
    environment = os.environ | {"FHPT_BENCH_CACHE": str(tmp_path / "cache")}
    command = [
        sys.executable,
        "-m",
        "fhpt_bench",
        "run",
        "--model",
        "copy-source",
        "--protocol",
        str(protocol),
        "--data",
        MINI,
        "--out",
        str(tmp_path / "o"),
        "--json",
        "--no-html",
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert json.loads(done.stdout)["model"]["name"] == "copy-source"
    assert done.stderr == ""

"""Verify: an honest zip holds; a score, rows, an image, a protocol or people that were changed are each found out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import mini
import numpy as np
import pytest
from repack import MINI, array, contents, npy, record, repack

from fhpt_bench import protocol as protocols
from fhpt_bench.harness.summarise import context
from fhpt_bench.submission import Verdict, verify


@pytest.fixture
def check(protocol: Path):
    """Verify with the mini protocol and data, which do not ship."""

    def run(path: Path, **options) -> Verdict:
        return verify(path, **{"data": MINI, "protocol": protocol, "device": "cpu", **options})

    return run


def states(verdict: Verdict) -> dict[str, str]:
    return {check.name: check.state for check in verdict.checks}


def rows_name(path: Path, metric: str) -> str:
    (name,) = [name for name in contents(path) if name.startswith(f"rows/{metric}-")]
    return name


def test_an_honest_zip_holds(packed, check):
    verdict = check(packed, deep=True, pairs=42)
    unknown = {"record": "holds", "protocol": "unchecked"}  # it does not ship, and that is said
    assert states(verdict) == unknown | dict.fromkeys(
        ("files", "protocol file", "pairs", "images", "data", "scores", "rows"), "holds"
    )
    assert verdict.state == "verified in part"
    said = {found.name: found.said for found in verdict.checks}
    assert "unknown: mini-v1" in said["protocol"]
    assert said["rows"].startswith("2 metrics gave 42 pairs the same rows again")
    assert said["images"] == "42 images have the record's hash"


def test_what_is_not_here_is_said_and_never_counted_as_wrong(packed, check, tmp_path):
    verdict = check(packed, protocol=None)
    assert states(verdict)["protocol file"] == states(verdict)["scores"] == "unchecked"
    assert "no protocol called 'mini-v1' ships here; if you trust the one inside" in verdict.checks[3].said
    verdict = check(packed, data=None)
    assert (states(verdict)["data"], states(verdict)["scores"], verdict.state) == (
        "unchecked", "unchecked", "verified in part",
    )  # fmt: skip
    other = mini.Mini("train")
    assert "mini/train has hash" in {c.name: c.said for c in check(packed, data=other).checks}["data"]
    bare = repack(packed, tmp_path / "bare.zip", dict.fromkeys(n for n in contents(packed) if n.startswith("images/")))
    verdict = check(bare, deep=True)
    assert (states(verdict)["images"], states(verdict)["rows"], states(verdict)["scores"]) == (
        "unchecked", "unchecked", "holds",
    )  # fmt: skip


def found_out(verdict: Verdict, name: str, words: str = "") -> None:
    wrong = [check for check in verdict.checks if check.state == "differs"]
    assert verdict.state == "differs"
    assert name in [check.name for check in wrong], verdict.checks
    assert words in " ".join(check.said for check in wrong if check.name == name)


def test_a_byte_that_the_manifest_does_not_know(packed, check, tmp_path):
    name = next(n for n in contents(packed) if n.startswith("images/"))
    found_out(
        check(repack(packed, tmp_path / "a.zip", {name: b"other"}, honest=False)), "files", "not what the manifest says"
    )
    found_out(check(repack(packed, tmp_path / "b.zip", {name: None}, honest=False)), "files", "in the manifest only")
    more = {"images/one-more.png": b"x"}
    found_out(check(repack(packed, tmp_path / "c.zip", more, honest=False)), "files", "is not in the manifest")


def test_a_better_score(packed, check, tmp_path):
    def better(said):
        said["scores"][0] |= {"value": 0.99, "high": 0.995}

    path = repack(packed, tmp_path / "a.zip", record(packed, better))
    found_out(check(path), "scores", "ssim: value is 0.99 in the record")
    found_out(check(path), "record", "its people's sums give")

    def with_sums(said):
        score = said["scores"][0]
        factor = 0.99 / score["value"]
        score |= {"value": 0.99, "low": 0.98, "high": 0.995, "sums": [factor * s for s in score["sums"]]}

    verdict = check(repack(packed, tmp_path / "b.zip", record(packed, with_sums)))
    assert states(verdict)["record"] == "holds", "it agrees with itself"
    found_out(verdict, "scores", "ssim: value")


@pytest.mark.parametrize("part", ["low", "counts", "pairs", "better", "name"])
def test_anything_else_of_a_score(packed, check, tmp_path, part):
    def edit(said):
        score = said["scores"][1]
        other = {
            "low": lambda: score["low"] + 2e-6 * max(1, abs(score["low"])),
            "counts": lambda: [score["counts"][0] + 1, *score["counts"][1:]],
            "pairs": lambda: 41,
            "better": lambda: "lower",
            "name": lambda: "ssim[mine]",
        }[part]()
        score[part] = other

    verdict = check(repack(packed, tmp_path / "a.zip", record(packed, edit)))
    found_out(verdict, "scores", "ssim[mine]: no metric of the protocol gives it" if part == "name" else part)


def test_scores_may_differ_by_rounding_alone(packed, check, tmp_path):
    def edit(said):
        score = said["scores"][0]
        score |= {key: score[key] * (1 + 1e-7) for key in ("value", "low", "high")}

    assert states(check(repack(packed, tmp_path / "a.zip", record(packed, edit))))["scores"] == "holds"


def test_a_score_left_out_and_one_too_many(packed, check, tmp_path):
    gone = repack(packed, tmp_path / "a.zip", record(packed, lambda said: said["scores"].pop(2)))
    found_out(check(gone), "scores", "its rows give it, the record does not")
    extra = {"name": "fid", "value": 1.0, "better": "lower", "pairs": 42}
    more = repack(packed, tmp_path / "b.zip", record(packed, lambda said: said["scores"].append(extra)))
    found_out(check(more), "scores", "fid: no metric of the protocol gives it")


def test_other_rows(packed, check, tmp_path):
    name = rows_name(packed, "ssim")
    values = array(contents(packed)[name])
    values[3, 0] += 0.01
    found_out(check(repack(packed, tmp_path / "a.zip", {name: npy(values)})), "scores", "ssim: ")
    found_out(check(repack(packed, tmp_path / "b.zip", {name: None})), "scores", "has scores, but no rows")
    stranger = {"rows/fid-000000.npy": npy(values)}
    found_out(check(repack(packed, tmp_path / "c.zip", stranger)), "scores", "rows of no metric")


def test_rows_and_scores_changed_together_are_found_by_measuring_again(packed, check, protocol, tmp_path):
    name = rows_name(packed, "ssim")
    values = array(contents(packed)[name]).copy()
    values[:, 0] = np.minimum(values[:, 0] + 0.1, 1)
    metric = next(m for m in protocols.load(protocol).build() if m.name == "ssim")
    scores = [s.model_dump(mode="json") for s in metric.summarise(values, context(mini.Mini(), range(42), 0))]

    def edit(said):
        theirs = {s["name"]: s for s in scores}
        said["scores"] = [theirs.get(s["name"], s) for s in said["scores"]]

    path = repack(packed, tmp_path / "a.zip", {**record(packed, edit), name: npy(values)})
    assert states(check(path))["scores"] == "holds"
    verdict = check(path, deep=True, pairs=3, seed=5)
    found_out(verdict, "rows", "ssim: pair p")
    assert "from its image" in verdict.differences[0]


def test_a_swapped_image(packed, check, tmp_path):
    names = sorted(n for n in contents(packed) if n.startswith("images/"))
    swap = {names[0]: contents(packed)[names[9]], names[9]: contents(packed)[names[0]]}
    found_out(check(repack(packed, tmp_path / "a.zip", swap)), "images", "not those that the record was measured on")

    everything = {**contents(packed), **swap}
    ids = everything["pairs.txt"].decode().split()
    said = "".join(f"{i} {hashlib.sha256(everything[f'images/{i}.png']).hexdigest()}\n" for i in ids)

    def edit(of):
        of["provenance"]["images_sha256"] = hashlib.sha256(said.encode()).hexdigest()

    path = repack(packed, tmp_path / "b.zip", {**swap, **record(packed, edit)})
    assert states(check(path))["images"] == "holds"
    found_out(check(path, deep=True, pairs=42), "rows", "from its image")
    one_less = repack(packed, tmp_path / "c.zip", {names[0]: None})
    found_out(check(one_less), "images", "not one a pair")


def test_another_protocol(packed, check, tmp_path, protocol):
    other = mini.PROTOCOL.replace('use = "ssim"\nname = "ssim"', 'use = "ssim"\nname = "ssim"\nwindow = "uniform7"')
    swapped = repack(packed, tmp_path / "a.zip", {"protocol.toml": other.encode()})
    found_out(check(swapped), "protocol file", "not the one that the record names")

    def edit(said):
        said["protocol"]["sha256"] = hashlib.sha256(other.encode()).hexdigest()

    both = repack(packed, tmp_path / "b.zip", {"protocol.toml": other.encode(), **record(packed, edit)})
    verdict = check(both)
    assert states(verdict)["protocol file"] == states(verdict)["scores"] == "unchecked"
    assert "another than mini-v1 here" in " ".join(c.said for c in verdict.checks)
    mine = tmp_path / "other.toml"
    mine.write_text(other)
    assert states(check(both, protocol=mine))["scores"] == "holds", "rows alone do not tell which window made them"
    found_out(check(both, protocol=mine, deep=True, pairs=2), "rows", "ssim: pair")


def test_a_protocol_that_ships_in_name_only(packed, check, tmp_path):
    shipped = Path(protocols.shipped("protocols") / "catwalk-v1.toml").read_bytes()

    def edit(said):
        said["protocol"] |= {"name": "catwalk-v1", "sha256": hashlib.sha256(shipped).hexdigest()}

    path = repack(packed, tmp_path / "a.zip", {"protocol.toml": shipped, **record(packed, edit)})
    found_out(check(path, protocol=None), "protocol", "another headline")
    found_out(check(path, protocol=None), "scores", "no rows that they come from")


def test_other_people_or_pairs(packed, check, tmp_path):
    ids = contents(packed)["pairs.txt"].decode().split()
    path = repack(packed, tmp_path / "a.zip", {"pairs.txt": "\n".join([ids[1], ids[0], *ids[2:], ""]).encode()})
    found_out(check(path), "data", "not those of the record")
    short = repack(packed, tmp_path / "b.zip", {"pairs.txt": "\n".join(ids[:-1]).encode()})
    found_out(check(short), "pairs", "41 pairs, 42 in the record")

    def edit(said):
        said["people"] = [f"q{i}" for i in range(6)]

    found_out(check(repack(packed, tmp_path / "c.zip", record(packed, edit))), "data")


def test_which_pairs_are_measured_again_is_said_and_can_be_asked_for(packed, check, monkeypatch):
    said = [{c.name: c.said for c in check(packed, deep=True, pairs=2).checks}["rows"] for _ in range(2)]
    assert all("--seed" in line for line in said) and said[0] != said[1]
    monkeypatch.setattr("secrets.randbelow", lambda _: pytest.fail("a seed was given"))
    check(packed, deep=True, pairs=2, seed=1)


def test_a_network_that_is_not_here_is_no_difference(packed, check, tmp_path):
    """An unavailable metric of the record has no rows, and its reason is repeated."""
    wanted = mini.PROTOCOL + '[[metrics]]\nuse = "lpips"\nname = "lpips"\n'
    path = tmp_path / "more.toml"
    path.write_text(wanted)

    def edit(said):
        said["protocol"]["sha256"] = hashlib.sha256(wanted.encode()).hexdigest()
        reason = {"value": None, "better": "neither", "pairs": 0, "unavailable": "no network"}
        said["scores"].append({"name": "lpips", **reason})

    change = {"protocol.toml": wanted.encode(), **record(packed, edit)}
    verdict = check(repack(packed, tmp_path / "a.zip", change), protocol=path)
    assert verdict.state == "verified in part"
    assert [c.said for c in verdict.checks if c.name == "scores"][1] == "not done again: lpips: no network"
    assert json.loads(contents(packed)["record.json"])["scores"][0]["name"] == "ssim"

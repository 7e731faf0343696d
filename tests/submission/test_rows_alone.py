"""A record alone, as it comes into ``leaderboard/rows``: what contradicts itself is found, and CI checks every row."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from repack import MINI, record, repack

from fhpt_bench import cli
from fhpt_bench import protocol as protocols
from fhpt_bench.paths import shipped
from fhpt_bench.submission import verify
from fhpt_bench.submission.rows import known

ROWS = sorted(shipped("leaderboard").glob("rows/*/*.json"))


@pytest.mark.parametrize("path", ROWS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_row_that_ships_or_was_contributed(path: Path):
    """What CI asks of a contributed row: schema, hashes, place, a protocol that is known, numbers that agree."""
    verdict = verify(path)
    assert not verdict.differences
    assert {"record": "holds", "protocol": "holds"}.items() <= {c.name: c.state for c in verdict.checks}.items()


@pytest.fixture
def row(tmp_path: Path) -> dict:
    return json.loads(ROWS[0].read_text(encoding="utf-8"))


def differences(said: dict, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said), encoding="utf-8")
    return " ".join(verify(path).differences)


def edit_score(**change):
    def edit(said):
        score = next(s for s in said["scores"] if s["sums"] is not None and s["low"] is not None)
        score |= change

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (edit_score(value=1e6), "outside its interval"),
        (edit_score(low=None), "half an interval"),
        (edit_score(pairs=0), "rests on 0 pairs"),
        (edit_score(sums=[1.0]), "1 sums for 32 people"),
        (edit_score(value=None), "no value, and no reason"),
        (edit_score(unavailable="why"), "a value, and a reason"),
        (edit_score(without=[1.0]), "1 values without a person"),
        (lambda said: said["model"].update(key=""), "the model's key is no sha256"),
        (lambda said: said["data"].update(sha256="zz"), "the data set's hash is no sha256"),
        (lambda said: said["provenance"].update(images_sha256=""), "the images' hash is no sha256"),
        (lambda said: said["people"].reverse(), "people are none, or not sorted"),
        (lambda said: said["data"].update(limit=7), "limit 7"),
        (lambda said: said["scores"].append(said["scores"][0]), "is there twice"),
        (lambda said: said["protocol"].update(headline={"new": ["pie"]}), "no score pie, and nothing says why"),
    ],
)
def test_a_record_that_contradicts_itself(row, tmp_path, edit, words):
    edit(row)
    assert words in differences(row, tmp_path / "row.json")


def test_a_sum_that_is_not_its_mean(row, tmp_path):
    score = next(s for s in row["scores"] if s["sums"] is not None and s["high"] is not None and s["high"] > s["low"])
    score["value"] = (score["value"] + score["high"]) / 2
    assert "its people's sums give" in differences(row, tmp_path / "row.json")


def test_a_row_in_the_wrong_place_or_of_a_part_or_under_an_unknown_protocol(row, tmp_path):
    place = tmp_path / "rows" / row["protocol"]["name"]
    assert differences(row, place / f"{row['model']['name']}.json") == ""
    assert f"it belongs in rows/{row['protocol']['name']}/" in differences(row, place / "other.json")
    part = {**row, "data": {**row["data"], "limit": row["data"]["pairs"]}}
    assert "never ranked" in differences(part, place / f"{row['model']['name']}.json")
    nowhere = {**row, "data": {**row["data"], "name": "os:system"}}
    assert "nobody could measure the row again" in differences(nowhere, place / f"{row['model']['name']}.json")
    unknown = {**row, "protocol": {**row["protocol"], "sha256": "0" * 64}}
    assert "with hash 000000000000 ships" in differences(unknown, place / f"{row['model']['name']}.json")
    assert differences(unknown, tmp_path / "elsewhere.json") == "", "elsewhere it is only said"


def test_todays_protocol_is_known_and_its_headline_fixed(row, tmp_path):
    today = protocols.load(row["protocol"]["name"])
    row["protocol"] |= {"sha256": today.sha256, "headline": {"mine": [row["scores"][0]["name"]]}}
    assert "another headline" in differences(row, tmp_path / "row.json")
    from fhpt_bench.record import Record

    made = Record.model_validate(row)
    assert known(made) == "ships"
    at = today.at((128, 88))
    ref = made.protocol.model_copy(update={"name": at.name, "sha256": at.sha256})
    assert known(made.model_copy(update={"protocol": ref})) == "ships", "the same protocol at another size"


def command(monkeypatch, capsys, *words: object) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["fhpt-bench", *map(str, words)])
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_commands(finished, packed, protocol, tmp_path, monkeypatch, capsys):
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    options = ("--protocol", protocol, "--data", MINI)
    code, out, _ = command(monkeypatch, capsys, "submit", run, *options, "--json")
    assert code == 0
    said = json.loads(out)
    assert (said["verdict"], said["model"], said["file"]) == ("verified in part", "shift", str(run / "submission.zip"))
    assert said["bytes"] == (run / "submission.zip").stat().st_size
    code, out, _ = command(monkeypatch, capsys, "submit", run, *options, "--images", "--out", tmp_path / "x.zip")
    assert code == 0 and "x.zip (" in out and "images" in out
    code, out, _ = command(monkeypatch, capsys, "verify", tmp_path / "x.zip", run, *options, "--deep", "--pairs", "2")
    assert code == 0
    assert out.count("verified in part: shift") == 2 and "2 pairs the same rows again" in out
    bad = repack(packed, tmp_path / "bad.zip", record(packed, lambda r: r["scores"][0].update(value=0.9999)))
    code, out, _ = command(monkeypatch, capsys, "verify", packed, bad, *options, "--json")
    assert code == 1
    assert [one["verdict"] for one in json.loads(out)] == ["verified in part", "differs"]
    assert {"name", "state", "said"} == set(json.loads(out)[0]["checks"][0])
    (tmp_path / "text.zip").write_text("hello")
    code, out, error = command(monkeypatch, capsys, "verify", tmp_path / "text.zip")
    assert (code, out) == (2, "") and "not a readable zip" in error
    evil = repack(packed, tmp_path / "evil.zip", record(packed, lambda r: r["model"].update(name="\x1b[2Jx")))
    _, out, _ = command(monkeypatch, capsys, "verify", evil, *options)
    assert "\x1b" not in out

"""A model that cannot serve every pair: refused by name, or left out, counted and never ranked."""

from __future__ import annotations

from pathlib import Path

import mini
import pytest
from typer.testing import CliRunner

from fhpt_bench import BenchError, compare, run
from fhpt_bench.api import make
from fhpt_bench.cli import app
from fhpt_bench.generators import CopySource
from fhpt_bench.record import read_record
from fhpt_bench.submission.pack import submit

MINI = f"{mini.__file__}:Mini"
PICKY, NOBODY = f"{__file__}:Picky", f"{__file__}:Nobody"


class Picky(CopySource):
    """Cannot turn anybody's third view, and says so before it is asked for it."""

    def refuses(self, prompt) -> str:
        return "no third view" if prompt.source.id.endswith("-v2") else ""

    def generate(self, prompts):
        assert not any(self.refuses(prompt) for prompt in prompts)
        return super().generate(prompts)


class Nobody(CopySource):
    def refuses(self, prompt) -> str:
        return "never"


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    return mini.write_protocol(tmp_path)


def test_a_refused_pair_is_an_error_that_names_it_before_anything_is_written(tmp_path, protocol):
    with pytest.raises(BenchError, match=r"(?s)6 of 42 pairs \(p0-v2_2_2: no third view; .*--allow-missing") as error:
        run(PICKY, protocol=protocol, data=MINI, out=tmp_path / "out")
    assert "never ranked" in error.value.fix
    assert not (tmp_path / "out").exists()
    with pytest.raises(BenchError, match="6 of 42"):
        make(PICKY, data=MINI, out=tmp_path / "images")
    assert not (tmp_path / "images").exists()


def test_the_rest_can_be_measured_and_is_counted(tmp_path, protocol, capsys):
    record = run(PICKY, protocol=protocol, data=MINI, out=tmp_path / "out", allow_missing=True)
    assert (record.data.pairs, record.data.missing) == (36, 6)
    assert record.model.card["refused"] == {f"p{i}-v2_2_{7 * i + 2}": "no third view" for i in range(6)}
    assert record.score("ssim").pairs == 36
    assert "--allow-missing" in record.provenance.command
    assert "6 of 42 pairs" in capsys.readouterr().err
    assert read_record(tmp_path / "out") == record
    assert len(list((tmp_path / "out" / "images").glob("*.png"))) == 36
    whole = run("copy-source", protocol=protocol, data=MINI, out=tmp_path / "whole")
    with pytest.raises(BenchError, match="compares with none"):
        compare(record, whole)
    with pytest.raises(BenchError, match="never ranked"):
        submit(tmp_path / "out")
    assert make(PICKY, data=MINI, out=tmp_path / "images", allow_missing=True) == 36


def test_who_refuses_all_is_of_no_use(tmp_path, protocol):
    with pytest.raises(BenchError, match=r"(?s)42 of 42.*another model"):
        run(NOBODY, protocol=protocol, data=MINI, out=tmp_path / "out", allow_missing=True)


def test_the_command_line(tmp_path, protocol):
    given = ["--model", PICKY, "--data", MINI, "--out", str(tmp_path / "out")]
    refused = CliRunner().invoke(app, ["generate", *given])
    assert isinstance(refused.exception, BenchError)
    made = CliRunner().invoke(app, ["generate", *given, "--allow-missing"])
    assert made.exit_code == 0, made.output
    assert "36 images" in made.stdout

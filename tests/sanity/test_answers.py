"""What counts as an answer, and the page that shows it. The measured report that ships is tested in test_report.py."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.errors import BenchError
from fhpt_bench.sanity.measure import CLAIMS, Answer, Claim, Dose, Report, Spread, answers, holds, measure
from fhpt_bench.sanity.page import to_html


def made(values: dict[str, list[float]], better: str = "higher", spread: float = 0.02) -> Report:
    """values: score -> truth, three doses, stranger."""
    names = list(values)

    def answer(name: str, i: int) -> Answer:
        value = values[name][i]
        return Answer(value=value, low=value - spread, high=value + spread)

    doses = [(0.25, 1), (0.5, 2), (1.0, 3)]
    return Report(
        protocol="p", protocol_sha256="0" * 64, data="catwalk", data_sha256="1" * 64, pairs=9, people=3,
        headline=tuple(names), better=dict.fromkeys(names, better),
        truth={n: answer(n, 0) for n in names},
        references={"stranger": {n: answer(n, 4) for n in names}, "blank": {n: Answer(value=None) for n in names}},
        doses=tuple(
            Dose(damage="face-replaced", dose=d, unit="of images", answers={n: answer(n, i) for n in names})
            for d, i in doses
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ([0.9, 0.8, 0.7, 0.6, 0.1], True),
        ([0.9, 0.9, 0.9, 0.6, 0.1], True),
        ([0.9, 0.7, 0.8, 0.6, 0.1], False),  # not monotone
        ([0.9, 0.895, 0.89, 0.885, 0.1], False),  # inside the interval of no damage
        ([0.9, 0.91, 0.93, 0.95, 0.1], False),  # better with damage
    ],
)
def test_an_answer_is_monotone_and_beyond_the_interval_of_no_damage(values, seen):
    assert answers(made({"s": values}), "face-replaced", "s") is seen
    flipped = made({"s": [1 - v for v in values]}, better="lower")
    assert answers(flipped, "face-replaced", "s") is seen


def test_the_scale_ends_at_the_worse_reference():
    report = made({"hands": [0.8, 0.7, 0.5, 0.4, 0.75], "odd": [0.8, 0.7, 0.5, 0.4, 0.8]})
    assert report.worst("hands")[0] == "stranger" and report.worst("odd") is None
    blank = {"hands": Answer(value=0.0), "odd": Answer(value=0.0)}
    both = report.model_copy(update={"references": report.references | {"blank": blank}})
    assert both.worst("hands")[0] == "blank"
    assert both.way("hands", 0.4) == pytest.approx(0.5)
    assert both.way("hands", None) is None


def test_blind_is_a_small_share_of_the_way():
    report = made({"ssim": [1.0, 0.999, 0.998, 0.99, 0.5], "other": [1.0, 0.9, 0.8, 0.7, 0.5]})
    assert holds(report, Claim("face-replaced", "ssim", blind=True))
    assert not holds(report, Claim("face-replaced", "other", blind=True))


def test_an_unavailable_score_answers_nothing():
    report = made({"s": [0.9, 0.8, 0.7, 0.6, 0.1]})
    gone = Answer(value=None, unavailable="no network")
    report = report.model_copy(update={"truth": {"s": gone}})
    assert not answers(report, "face-replaced", "s")
    assert "no network" in to_html(report, Catwalk("val"))


def test_the_page_says_what_was_seen_and_escapes_names():
    report = made({"<b>s</b>": [0.9, 0.8, 0.7, 0.6, 0.1], "ssim[gauss1.5]": [1, 0.999, 0.998, 0.99, 0.5]})
    page = to_html(report, Catwalk("val"))
    assert "<b>s</b>" not in page and "&lt;b&gt;s&lt;/b&gt;" in page
    assert re.search(r"Seen:</b> ssim\[gauss1.5\] is blind to face-replaced", page)
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_spread_pairs_hold_all_people():
    data = Catwalk("test")
    spread = Spread(data, 96)
    assert {spread[i].target.person for i in range(96)} == {data[i].target.person for i in range(600)}
    assert len({spread[i].id for i in range(96)}) == 96
    assert spread.sha256 != Spread(data, 95).sha256
    with pytest.raises(BenchError, match="pairs"):
        Spread(data, 601)


def test_an_unknown_damage_is_named(tmp_path):
    with pytest.raises(BenchError, match="scratched"):
        measure(tmp_path, only=["scratched"])


PROTOCOL = """
name = "pixels"
title = "for a test"
frozen = false
data = "catwalk"
size = [256, 176]
headline = ["ssim"]
[[metrics]]
use = "ssim"
name = "ssim"
"""


def test_a_real_measurement_goes_on_where_it_stopped(tmp_path, monkeypatch):
    protocol = tmp_path / "pixels.toml"
    protocol.write_text(PROTOCOL)
    found = measure(tmp_path / "out", protocol=protocol, pairs=6, only=["blur"], show=False)
    assert answers(found, "blur", "ssim")
    assert found.truth["ssim"].value == 1
    assert [d.dose for d in found.of("blur")] == [1, 2, 4]
    monkeypatch.setattr("fhpt_bench.sanity.measure.execute", None)
    assert measure(tmp_path / "out", protocol=protocol, pairs=6, only=["blur"], show=False) == found
    assert np.isfinite(
        [found.way("ssim/foreground", d.answers["ssim/foreground"].value) for d in found.of("blur")]
    ).all()


def test_claims_name_known_damages():
    from fhpt_bench.sanity.damage import DAMAGES

    assert {c.damage for c in CLAIMS} <= {d.name for d in DAMAGES}

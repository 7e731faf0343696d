"""The rows that ship: of today's protocol, data and weights; and what DRN is claimed to reach, over the same people."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from fhpt_bench import compare, protocol, show
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.harness.models import find_model
from fhpt_bench.leaderboard import to_markdown
from fhpt_bench.registry import baseline_folders

ROOT = Path(__file__).parent.parent
ROWS = {record.model.name: record for record in show.shipped_records("catwalk-v1")}
REFERENCES = ("truth", "exact-warp", "copy-source", "stranger", "blank")
BASELINES = (
    "drn", "drn-coarse", "drn-noface", "rate-net", "rate-net-coarse", "patn", "dsc", "intr-flow", "spgnet",
    "incarnation",
)  # fmt: skip
NAMES = (*REFERENCES, *BASELINES)


def test_every_row_of_ours_is_there():
    assert set(NAMES) <= set(ROWS)  # others may have handed theirs in


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_of_todays_protocol_data_and_model(name):
    record, data = ROWS[name], Catwalk()
    assert record.protocol.sha256 == protocol.load("catwalk-v1").sha256, "measure the rows again: make rows"
    assert (record.data.sha256, record.data.pairs, record.data.limit) == (data.sha256, 600, None)
    assert record.model.key == find_model(name, data=data, device="cpu").card.key, "measure it again: make rows"
    assert len(record.people) == 32
    assert record.provenance.command.startswith(f"fhpt-bench run --model {name} ")


@pytest.mark.parametrize("name", NAMES)
def test_every_interval_holds_its_value(name):
    for score in ROWS[name].scores:
        if score.value is None:  # nothing is found on white, no face on a coarse image
            assert name in ("blank", "rate-net-coarse") and score.name.startswith(("kec[detected", "face-")), (
                score.unavailable
            )
        elif score.low is not None:
            assert score.low <= score.value <= score.high, score.name


def verdict(a: str, b: str, score: str) -> str:
    return compare(ROWS[a], ROWS[b]).set_index("score").loc[score, "verdict"]


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("other", ["copy-source", "blank"])
@pytest.mark.parametrize("score", ["lpips[alex]", "lpips[vgg]", "ssim[gauss1.5]/foreground"])
def test_every_baseline_beats_copying_and_white(name, other, score):
    assert verdict(name, other, score) == "a"


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_beats_white_on_kid(name):
    assert verdict(name, "blank", "kid[clean]") == "a"


@pytest.mark.parametrize("name", BASELINES)
def test_what_was_cut_short_says_so(name):
    short = name in ("dsc", "intr-flow", "spgnet", "incarnation")
    assert ROWS[name].model.undertrained == ("12,000 of 48,000 samples" if short else "")
    assert (ROWS[name].model.card["samples"] >= 47_884) == (not short)


def test_what_every_row_should_show_if_the_measures_measure():
    assert verdict("truth", "exact-warp", "lpips[alex]") == "a"
    assert verdict("exact-warp", "drn", "lpips[alex]/visible") == "a", "exact pixels where the source shows them"
    assert verdict("blank", "copy-source", "ssim[gauss1.5]") == "a", "the known failing of whole-image SSIM"
    assert ROWS["copy-source"].score("kid[clean]").value < ROWS["drn"].score("kid[clean]").value, (
        "a copy is a real image"
    )


@pytest.mark.parametrize(
    ("better", "worse", "score"),
    [
        ("truth", "drn", "kec[all]/body"),
        ("truth", "stranger", "kec[all]/hands"),
        ("stranger", "drn", "kec[all]/hands"),  # a real hand in nearly the right pose
        ("drn", "copy-source", "kec[all]/body"),
        ("copy-source", "stranger", "face-distance[target]"),
        ("stranger", "drn-noface", "face-same@eer[target,all]"),  # docs/fine-grained.md: where the rows do not bound
        ("drn", "stranger", "face-same@eer[target,all]"),
        ("drn", "drn-noface", "lpips[alex]"),
        ("drn-noface", "drn-coarse", "lpips[alex]"),
        ("dsc", "drn", "recall@5[vgg,other-views]"),  # a network that moves pixels keeps patterns
        ("drn", "dsc", "kec[all]/body"),
        ("copy-source", "drn", "recall@5[vgg,other-views]"),
        ("drn", "stranger", "recall@5[vgg,other-views]"),
        ("drn", "stranger", "recall@5[resnet,other-views]"),
        ("truth", "drn", "gender-error[vgg]/balanced"),
        ("truth", "stranger", "attrrec-5"),
        ("drn", "stranger", "attrrec-5"),
    ],
)
def test_structural_and_semantic_scores_order_the_rows_as_the_docs_say(better, worse, score):
    assert verdict(better, worse, score) == "a"


def test_drn_turns_men_into_women():
    drn, truth = ROWS["drn-noface"], ROWS["truth"]
    assert drn.score("gender-gap[vgg]").low > truth.score("gender-gap[vgg]").high
    assert drn.score("gender-error[vgg]/men").low > 0.9 and drn.score("gender-error[vgg]/women").high < 0.05


@pytest.fixture(scope="module")
def cards(request) -> ModuleType:
    spec = importlib.util.spec_from_file_location("card_scores", ROOT / "docs" / "card_scores.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("folder", baseline_folders(), ids=lambda folder: folder.name)
def test_the_cards_show_these_rows(cards, folder):
    card = (folder / "README.md").read_text("utf-8")
    assert "<!-- scores -->" in card and card == cards.written(folder, ROWS), "run: python docs/card_scores.py"


def test_the_readme_shows_these_rows():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in to_markdown([ROWS[name] for name in sorted(NAMES)]).splitlines():
        if line.startswith("|"):
            assert line in readme, "fhpt-bench leaderboard --format markdown"

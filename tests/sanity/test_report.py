"""The report that ships: of today's protocol and data, and every claim of docs/sanity.md seen in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhpt_bench import protocol
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.paths import shipped
from fhpt_bench.sanity.damage import DAMAGES
from fhpt_bench.sanity.measure import CLAIMS, Report, Spread, claims, holds

REPORT = Report.model_validate_json((shipped("leaderboard") / "sanity" / "catwalk-v1.json").read_bytes())
DOCS = Path(__file__).parents[2] / "docs" / "sanity.md"


def test_it_is_of_todays_protocol_data_and_damages():
    assert REPORT.protocol_sha256 == protocol.load("catwalk-v1").sha256, "fhpt-bench sanity"
    assert REPORT.data_sha256 == Spread(Catwalk("test"), REPORT.pairs).sha256
    assert [(d.damage, d.dose, d.unit) for d in REPORT.doses] == [
        (damage.name, dose, damage.unit) for damage in DAMAGES for dose in damage.doses
    ]
    assert claims(REPORT) == list(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: f"{c.damage}-{c.score}")
def test_every_claim_is_seen(claim):
    assert holds(REPORT, claim)


def test_the_docs_print_its_numbers():
    text = DOCS.read_text(encoding="utf-8")
    for claim in CLAIMS:
        doses = " → ".join(f"{dose.answers[claim.score].value:.3g}" for dose in REPORT.of(claim.damage))
        assert f"| {claim.damage} | `{claim.score}` |" in text and doses in text

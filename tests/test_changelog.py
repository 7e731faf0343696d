"""Each change of a protocol's or the data set's hash is a line of the CHANGELOG."""

from __future__ import annotations

from pathlib import Path

from fhpt_bench import protocol
from fhpt_bench.datasets.catwalk import Catwalk

TEXT = (Path(__file__).parent.parent / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_protocol_that_ships_stands_in_the_changelog_with_its_hash():
    for name in protocol.names():
        assert f"`{name}`, sha256 `{protocol.load(name).sha256[:12]}..." in TEXT


def test_the_data_set_stands_in_the_changelog_with_its_hash():
    assert f"sha256 of its manifest `{Catwalk().sha256[:12]}..." in TEXT

"""A frozen protocol is superseded, never edited: here stand the hashes of the files as they were released."""

from __future__ import annotations

import pytest

from fhpt_bench import protocol
from fhpt_bench.datasets.deepfashion import DeepFashion
from fhpt_bench.datasets.market1501 import Market1501
from fhpt_bench.leaderboard.names import parse

RELEASED = {
    "catwalk-v1": "2f0ae6d5896a3dc16250171804b65d2f83caf86fa1609eb9cd9d92c94a311ca7",
    "cfld2024": "546ad97b17fb1e2456f292c37392a0da7f8189f958693aae0510ff2077194903",
    "cfld2024-512": "51a8a8c5adbfea00b7bad012a4450531eb9cd4d1435c1691e6db406626104cd0",
    "clean-v1": "051209900d0bb44ddb1fb6824e0da54736ca070753faf7f8806f9cff26460eab",
    "dsc2018": "e399a3ad8e523583015907677cbad78f2bfa2228dd5b5c83705ae07be0ade79f",
    "dsc2018-market": "a92d59aa9c3b3593dc0a1c7f2d2c5af7811679c592b1a6a06d5cb3323e8afa1a",
    "fhpt2021": "39ac619abea75e739a217fbfb2f68b1f534adab2d612fb1e9d6c662fd676d596",
    "gfla2020": "a3a2196da674456a912137e44db82f7d6bb7d99ae10303f931d82a89087da666",
    "gfla2020-market": "5b501987a6dacf48bb2ce6a3e4740d16a26165325e7cb69a0d264737747894af",
    "incarnation2021": "8b03470eae78f567aa90faa90c4ccbb88b28955e671f31b0de88a0202499f909",
    "incarnation2021-market": "1f2da52712c4ba93e2fe97e4da1b7ea8ca54436e337a886c7b9c14eadf715a13",
    "intrflow2019": "79f8140067462f2242cc7df4ee61aa61fd3eb15d6dddedfaa91149068c82f794",
    "patn2019": "5265e76b7809248ab79f263805a8ed3dc4de1a76504faab479569bed851e2622",
    "patn2019-market": "93632b66fafd73da5f2c50a29c2205333744f75bcdf7f6111f4a6255af939af6",
    "pidm2023": "1a67b10f27140202fa98392cbb1c7d1ab20697abcb3961b85b4288b2e271d1a3",
    "rate2020": "dc20d929e2bf77d34b1b9349b742164ead10630dd352d8fed6696eb47b78989f",
    "spgnet2021": "49352018346ae6b1f9f4f42d3b1109977aa2303c9a57356a04cdb89d1ee993cb",
    "spgnet2021-market": "ba8ba92184c3e108d0535bd779bee1d932e281a3662467a0370a66ae963491ba",
}
"""Name -> sha256 of the file. A line may be added. A line that must be changed means: give the protocol a new name."""
OURS = {"catwalk-v1", "clean-v1", "fhpt2021"}
"""With headlines in families, or with what the paper left open."""
FAMILIES = {"patn2019", "rate2020", "dsc2018", "intrflow2019", "spgnet2021", "incarnation2021", "gfla2020"}
FAMILIES |= {"pidm2023", "cfld2024", "cfld2024-512", "clean-v1"}


@pytest.mark.parametrize("name", RELEASED)
def test_no_released_protocol_is_edited(name: str) -> None:
    assert protocol.load(name).sha256 == RELEASED[name], f"{name} is frozen: restore it, and give the new one a name"


def test_every_frozen_protocol_is_listed() -> None:
    frozen = {name for name in protocol.names() if protocol.load(name).frozen}
    assert frozen == set(RELEASED)
    assert set(RELEASED) >= FAMILIES
    assert set(RELEASED) >= {f"{name}-market" for name in ("patn2019", "dsc2018", "spgnet2021", "gfla2020")}


@pytest.mark.parametrize("name", protocol.names())
def test_a_protocol_says_what_a_reader_needs(name: str) -> None:
    found = protocol.load(name)
    assert found.name == name
    assert found.source
    assert len(found.description) > 200
    for spec, metric in zip(found.metrics, found.build(), strict=True):
        assert metric.name == spec.name


@pytest.mark.parametrize("name", sorted(set(RELEASED) - OURS))
def test_a_papers_headline_is_its_columns(name: str) -> None:
    """One headline score a column; of a paper's several SSIMs the first is the one that published numbers stand by."""
    found = protocol.load(name)
    [(group, headline)] = found.headline.items()
    assert group == ""
    assert set(headline) == {spec.name for spec in found.metrics}
    for column in headline:
        assert parse(column).metric in {spec.use for spec in found.metrics}


@pytest.mark.parametrize("name", sorted(set(RELEASED) - {"catwalk-v1", "fhpt2021"}))
def test_defects_are_named_as_defects(name: str) -> None:
    found = protocol.load(name)
    said = " ".join(found.description.split())
    for spec in found.metrics:
        settings = spec.settings
        prepare = {**settings.get("prepare", {}), **settings.get("prepare_generated", {})}
        if settings.get("extractor") == "legacy":
            assert "Defect: the FID is not FID" in said
        if settings.get("data_range") == "prediction":
            assert "data range is max - min of the" in said or "data range of the Gaussian SSIM is max - min" in said
        if settings.get("drop_last"):
            assert "Defect: images go in batches of 64" in said
        if "pad" in prepare:
            assert "padded with white" in said
        if "stored" in prepare or "jpeg" in prepare:
            assert "as JPEG" in said
        if "cut" in prepare:
            assert "lowers 63 of the 256 grey levels" in said
        assert (
            spec.use != "is"
            or "1008 logits without bias" in said
            or "IS as in" in said
            or "IS and PCKh as in" in said
            or "by PATN's script" in said
        )


@pytest.mark.parametrize("name", sorted(set(RELEASED) - {"catwalk-v1"}))
def test_its_data_set_is_prepared_at_its_size(name: str) -> None:
    found = protocol.load(name)
    base, _, whose = found.data.partition("@")
    adapter = {"deepfashion": DeepFashion, "market1501": Market1501}[base]
    assert found.size in adapter.sizes
    assert whose in {"", "dsc"}
    assert (base == "market1501") == ("-market" in name)

"""Names of features: what they mean, and what is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from fhpt_bench import features
from fhpt_bench.errors import BenchError
from fhpt_bench.features import Name, feature_name
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.protocol import MetricSpec, build_metric


def test_a_name_carries_its_settings_there_and_back() -> None:
    prepare = Prepare(crop=(40, 216), resize=(256, 128), filter="bilinear", pad=(256, 256), jpeg=75)
    text = feature_name("inception.pool3", "clean", prepare=prepare)
    name = Name.parse(text)
    assert (name.network, name.settings, name.prepare) == ("inception.pool3", ("clean",), prepare)
    assert Name.parse("vgg16.taps") == Name("vgg16.taps", "vgg16.taps", (), Prepare())
    assert feature_name("vgg16.taps", prepare=Prepare()) == "vgg16.taps"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("inception.pool3[cleen]", "no setting 'cleen'"),
        ("inception.pool3[clean,legacy]", "more than one"),
        ("vgg16.taps[clean]", "no setting 'clean'"),
        ("inception.pool3[clean", "not a feature's name"),
        ("inception.pol3", "did you mean inception.pool3"),
    ],
)
def test_what_is_not_a_name(name: str, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        features.build(name)


def test_the_networks_behind_a_name() -> None:
    assert features.networks("inception.pool3[clean]") == ("inception-fid",)
    assert features.networks("inception.pool3[legacy]") == ("inception-tv",)
    assert features.networks("inception.logits") == ("inception-fid-logits",)
    assert features.networks("vgg16.taps[crop0:9]") == ("vgg16",)


def test_a_network_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("FHPT_BENCH_CACHE", f"{tmp_path}")
    monkeypatch.setenv("FHPT_BENCH_OFFLINE", "1")
    with pytest.raises(BenchError, match=r"inception-fid-logits.*could not be had") as caught:
        features.build("inception.logits")
    assert "weights-inception-2015-12-05-6726825d.pth" in caught.value.fix


def test_every_metric_the_documentation_shows_names_features_that_exist() -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    specs = [spec for block in text.split("```toml")[1:] for spec in tomllib.loads(block.split("```")[0])["metrics"]]
    needs = {n.feature for spec in specs for n in build_metric(MetricSpec(**spec), where="docs/metrics.md").needs}
    assert {"alexnet.taps", "vgg16.l2taps", "inception.pool3[pytorch-fid]", "inception.logits[torch-fidelity]"} <= needs
    for feature in needs:
        assert features.networks(feature)

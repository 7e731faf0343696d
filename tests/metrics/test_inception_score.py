"""Inception Score: answers known by mathematics, torch-fidelity's number, the interval."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

from fhpt_bench import score
from fhpt_bench.errors import BenchError
from fhpt_bench.metrics.inception_score import InceptionScore, split_scores
from fhpt_bench.types import Batch, Context

RNG = np.random.default_rng(0)


def context_for(count: int, people: int = 4, seed: int = 0) -> Context:
    ids = [f"pair{i:03d}" for i in range(count)]
    return Context(ids, [f"p{i % people}" for i in range(count)], ids, ids, seed)


def test_images_that_all_look_alike_score_one() -> None:
    rows = np.tile(RNG.standard_normal(1008), (40, 1)).astype(np.float32)
    mean, deviation = InceptionScore("is").summarise(rows, context_for(40))
    assert mean.value == pytest.approx(1)
    assert deviation.value == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("kinds", [2, 5])
def test_sure_of_each_of_k_kinds_scores_k(kinds: int) -> None:
    rows = np.full((40, 1008), -1000.0, np.float32)
    rows[np.arange(40), np.arange(40) % kinds] = 1000
    [mean, _] = InceptionScore("is", splits=1).summarise(rows, context_for(40))
    assert mean.value == pytest.approx(kinds)


def test_equals_torch_fidelity() -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_fidelity.metric_isc import isc_features_to_metric

    rows = RNG.standard_normal((60, 1008)).astype(np.float32)
    theirs = isc_features_to_metric(torch.from_numpy(rows), 10, shuffle=False)
    logits = rows.astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    ours = split_scores(log_p, 10)
    assert ours.mean() == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert ours.std() == pytest.approx(theirs["inception_score_std"], rel=1e-4)


def test_order_is_seeded_and_does_not_depend_on_how_pairs_come() -> None:
    rows = RNG.standard_normal((40, 1008)).astype(np.float32) * 3
    context = context_for(40)
    value = InceptionScore("is").summarise(rows, context)[0].value
    shuffle = RNG.permutation(40)
    ids = [context.pair_ids[i] for i in shuffle]
    moved = Context(ids, [context.people[i] for i in shuffle], ids, ids, 0)
    assert InceptionScore("is").summarise(rows[shuffle], moved)[0].value == pytest.approx(value, rel=1e-12)
    assert InceptionScore("is").summarise(rows, context_for(40, seed=1))[0].value != value


def test_unshuffled_is_split_in_order_of_ids() -> None:
    rows = RNG.standard_normal((40, 1008)).astype(np.float32) * 3
    metric = InceptionScore("is", shuffle=False, prepare={"stored": 75, "pad": [64, 64]})
    assert metric.needs[0].feature == "inception.logits[torch-fidelity,stored75,pad64x64]"
    logits = rows.astype(np.float64)
    parts = split_scores(logits - np.log(np.exp(logits).sum(1, keepdims=True)), 10)
    order = RNG.permutation(40)
    context = context_for(40)
    ids = [context.pair_ids[i] for i in order]
    moved = Context(ids, [context.people[i] for i in order], ids, ids, 0)
    for mean, deviation in (metric.summarise(rows, context), metric.summarise(rows[order], moved)):
        assert (mean.value, deviation.value) == pytest.approx((parts.mean(), parts.std()))
    assert metric.summarise(rows, context_for(40, seed=1))[0].value == pytest.approx(parts.mean())


def test_interval_and_too_few_images() -> None:
    rows = RNG.standard_normal((40, 1008)).astype(np.float32) * 3
    mean, deviation = InceptionScore("is").summarise(rows, context_for(40))
    assert (mean.name, deviation.name) == ("is", "is/std")
    assert (mean.better, deviation.better) == ("higher", "neither")
    assert mean.low is not None
    assert mean.high is not None
    assert mean.low < mean.value < mean.high
    order = np.random.default_rng(0).permutation(40)
    parts = split_scores(log_softmax(rows.astype(np.float64), axis=1)[order], 10)
    assert (mean.value, deviation.value) == pytest.approx((parts.mean(), parts.std()))
    few = InceptionScore("is").summarise(rows[:5], context_for(5))
    assert [part.value for part in few] == [None, None]
    assert "5 images cannot be split in 10" in few[0].unavailable


def test_rows_are_the_logits_of_generated_images() -> None:
    metric = InceptionScore("is")
    [need] = metric.needs
    assert need.of == ("generated",)
    logits = RNG.standard_normal((2, 1008)).astype(np.float32)
    images = np.zeros((2, 8, 8, 3), np.uint8)
    batch = Batch(["a", "b"], images, images, images, {}, {(need.feature, "generated"): logits})
    np.testing.assert_array_equal(metric.measure(batch), logits)
    with pytest.raises(BenchError, match="splits"):
        InceptionScore("is", splits=0)


def test_a_run_without_the_logits_says_why_and_measures_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FHPT_BENCH_OFFLINE", "1")
    (tmp_path / "is.toml").write_text(
        'name = "is-v1"\ntitle = "IS beside PSNR"\nfrozen = false\ndata = "catwalk"\nsize = [16, 12]\n'
        'headline = ["is"]\n[[metrics]]\nuse = "is"\nname = "is"\n[[metrics]]\nuse = "psnr"\nname = "psnr"\n'
    )
    target = list(RNG.integers(0, 256, (4, 16, 12, 3), dtype=np.uint8))
    made = [image // 2 for image in target]
    record = score(made, target=target, people=["a", "a", "b", "b"], protocol=tmp_path / "is.toml", show=False)
    absent = record.score("is")
    assert (absent.value, absent.pairs) == (None, 0)
    assert "inception-fid-logits" in absent.unavailable
    assert "FHPT_BENCH_WEIGHTS" in absent.unavailable  # how to get it
    assert record.score("psnr").value is not None
    assert not any(name.startswith("inception") for name in record.provenance.features)

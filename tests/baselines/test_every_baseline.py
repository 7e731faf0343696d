"""Every baseline that ships, in its configuration ``tiny``, stage by stage: what must hold for all of them alike.

test_every_baseline_trains.py goes on with the training loop, test_every_card.py with configurations, cards, weights.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from annotated_figures import AnnotatedSticks
from sweep import (
    BASELINES,
    EXPECTED,
    GENERATORS,
    IDS,
    ROOT,
    STAGES,
    Optimisers,
    before,
    built,
    exported,
    painter,
    pairs_for,
    recipe,
    snapshot,
)

from fhpt_bench import registry
from fhpt_bench.baselines._parts.dual_unet import WarpedSkips
from fhpt_bench.types import Prompt

every_stage = pytest.mark.parametrize(("name", "stage"), STAGES, ids=IDS)
every_model = pytest.mark.parametrize("model", sorted(GENERATORS))


def test_none_is_left_out() -> None:
    assert {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "_."} == EXPECTED
    assert set(BASELINES) == EXPECTED
    assert {name for name, _ in STAGES} == EXPECTED
    assert set(GENERATORS.values()) == EXPECTED
    assert set(GENERATORS) <= set(registry.names("generators"))


@every_stage
def test_shapes(name: str, stage: str, tmp_path: Path) -> None:
    """What ``sample``, ``validate`` and ``step`` give, at every scale that the recipe trains at."""
    model = built(name, stage, before(name, stage, tmp_path))
    pairs, update = pairs_for(model), Optimisers(model)
    for phase in recipe(name, stage).phases:
        losses = model.train().step(pairs.drawn(range(4), phase.scale), update, phase.kind)
        assert losses
        assert all(torch.isfinite(torch.as_tensor(value)).all() for value in losses.values())
    batch = pairs.batch(range(3))
    with torch.no_grad():
        images, distances = model.eval().sample(batch), model.validate(batch)
    assert images
    # As high as the photographs, beside which a grid shows them; a stage on faces alone shows squares.
    assert {image.shape[:3] for image in images.values()} == {(3, 3, 64)}, {k: v.shape for k, v in images.items()}
    assert distances.shape == (3,)
    assert distances.isfinite().all()
    assert (distances >= 0).all()


@every_stage
def test_the_same_seed_trains_the_same_network(name: str, stage: str, tmp_path: Path) -> None:
    earlier, states = before(name, stage, tmp_path), []
    for _ in range(2):
        model = built(name, stage, earlier)
        pairs, update = pairs_for(model), Optimisers(model)
        for step, phase in enumerate(recipe(name, stage).phases):
            torch.manual_seed(step)
            model.train().step(pairs.drawn(range(4 * step, 4 * step + 4), phase.scale), update, phase.kind)
        states.append(model.state_dict())
    first, second = states
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


def all_of_it_seen(_: torch.nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Visible on the left, invisible on the right: an untrained flow network takes everything for background."""
    skips, places, visibility = given
    seen = (torch.arange(visibility.shape[2]) >= visibility.shape[2] // 2).to(visibility.dtype)
    return skips, places, seen.expand_as(visibility)


@every_stage
def test_gradients_reach_every_parameter_that_should_train(name: str, stage: str, tmp_path: Path) -> None:
    """Over all phases of the recipe: each parameter of an optimiser gets a gradient in a step of that optimiser, and
    each one that collects gradients has an optimiser."""
    model = built(name, stage, before(name, stage, tmp_path))
    for layer in (layer for layer in model.modules() if isinstance(layer, WarpedSkips)):
        layer.register_forward_pre_hook(all_of_it_seen)
    pairs, update = pairs_for(model), Optimisers(model)
    for step, phase in enumerate(phase for phase in recipe(name, stage).phases for _ in range(2)):
        model.train().step(pairs.drawn(range(8 * step, 8 * step + 8), phase.scale), update, phase.kind)
    named = dict(model.named_parameters())
    held = {id(p) for o in update.optimizers.values() for group in o.param_groups for p in group["params"]}
    assert held <= {id(p) for p in named.values()}, "an optimiser holds what the model does not save"
    wanting = {key: p for key, p in named.items() if p.requires_grad}
    assert [key for key, p in wanting.items() if id(p) not in held] == [], "in no optimiser"
    assert [key for key, p in wanting.items() if id(p) not in update.reached] == [], "reached by no gradient"
    # A bias right before a normalisation has no effect, and may have a gradient of exactly 0.
    weights = {key: p for key, p in wanting.items() if p.ndim > 1}
    assert [key for key, p in weights.items() if update.reached[id(p)] == 0] == [], "gradient always 0"


@every_stage
def test_in_evaluation_a_pair_does_not_see_its_neighbours(name: str, stage: str, tmp_path: Path) -> None:
    """Statistics of the batch, or noise, would show here; kernels of other batch sizes round a little differently."""
    model = built(name, stage, before(name, stage, tmp_path))
    pairs, update = pairs_for(model), Optimisers(model)
    for phase in recipe(name, stage).phases:  # running statistics that are no longer those of the start
        model.train().step(pairs.drawn(range(4), phase.scale), update, phase.kind)
    with torch.no_grad():
        together = model.eval().sample(pairs.batch([0, len(pairs) - 1, 3]))
        alone = model.sample(pairs.batch([len(pairs) - 1]))
    for title, images in together.items():
        torch.testing.assert_close(images[1:2], alone[title], rtol=1e-3, atol=1e-3)


def prompts(n: int = 4) -> list[Prompt]:
    data = AnnotatedSticks("test")
    return [Prompt(data[i].id, data[i].source, data[i].target.pose, seed=i) for i in range(n)]


@every_model
def test_an_image_depends_on_its_prompt_alone(model: str, tmp_path: Path) -> None:
    name, stage = GENERATORS[model], painter(model)
    trained = snapshot(built(name, stage, before(name, stage, tmp_path)), tmp_path / "trained")
    generator = exported(model, trained)
    together = generator.generate(prompts())
    assert all(image.shape == (64, 44, 3) and image.dtype == np.uint8 for image in together)
    for image, prompt in reversed(list(zip(together, prompts(), strict=True))):
        assert np.array_equal(image, generator.generate([prompt])[0])
    assert not np.array_equal(together[0], together[1])
    other, first = exported(model, trained), prompts()[0]
    assert np.array_equal(other.generate([Prompt("x", first.source, first.pose, seed=99)])[0], together[0])
    assert np.array_equal(other.generate(prompts()[::-1])[-1], together[0])

"""The reference ``stranger``: by definition on poses made by hand, and on Catwalk."""

from __future__ import annotations

import numpy as np
import pytest

from fhpt_bench import BenchError, registry
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.generators import Stranger
from fhpt_bench.types import Photo, Pose, Prompt


def pose(*points: tuple[float, float]) -> Pose:
    """The first points of a body; the others unknown."""
    found = np.full((18, 2), np.nan, np.float32)
    found[: len(points)] = points
    return Pose(found, np.isfinite(found[:, 0]).astype(np.uint8) * 2)


def photo(name: str, of: Pose, shade: int = 0) -> Photo:
    return Photo(name, of, name.partition("-")[0], lambda: np.full((4, 3, 3), shade, np.uint8))


class People:
    name, split = "people", "test"

    def __init__(self, *photos: Photo) -> None:
        self._photos = photos

    def photos(self):
        return list(self._photos)


def chosen(data: People, of: Pose, person: str = "a") -> str:
    return Stranger(data).nearest(Prompt("pair", photo(f"{person}-source", of), of, 0)).id


NAN = (np.nan, np.nan)


def test_never_the_same_person_though_nearest():
    here = pose((10, 10), (20, 20))
    data = People(photo("a-1", here), photo("b-1", pose((13, 14), (20, 20))), photo("c-1", pose((10, 14), (20, 20))))
    assert chosen(data, here) == "c-1"
    assert chosen(data, here, "c") == "a-1"


def test_the_mean_is_over_points_that_both_know():
    wanted = pose((0, 0), NAN, (10, 0))
    # b: 0 and 8, mean 4; c: knows only the first of them, 3; d: its unknown and the prompt's unknown do not count.
    data = People(
        photo("b-1", pose((0, 0), (99, 99), (18, 0))), photo("c-1", pose((0, 3))), photo("d-1", pose(NAN, (0, 0)))
    )
    assert chosen(data, wanted) == "c-1"
    assert chosen(data, wanted, "c") == "b-1", "d has no point in common: it cannot win with a mean of nothing"


def test_equals_go_to_the_first_id_in_whatever_order_they_come():
    photos = [photo("c-1", pose((1, 0))), photo("b-2", pose((0, 1))), photo("b-1", pose((-1, 0)))]
    assert chosen(People(*photos), pose((0, 0))) == chosen(People(*photos[::-1]), pose((0, 0))) == "b-1"


def test_equals_a_search_one_by_one():
    rng = np.random.default_rng(5)
    photos = []
    for i in range(40):
        points = rng.uniform(0, 200, (18, 2)).astype(np.float32)
        points[rng.random(18) < 0.3] = np.nan
        photos.append(photo(f"p{i % 7}-{i:02d}", pose(*points)))
    for wanted in photos[:10]:
        means = {}
        for other in photos:
            apart = [np.hypot(*(a - b)) for a, b in zip(wanted.pose.keypoints, other.pose.keypoints, strict=True)]
            if other.person != wanted.person:
                means[other.id] = np.mean([d for d in apart if not np.isnan(d)])
        assert chosen(People(*photos), wanted.pose, wanted.person) == min(means, key=means.get)


@pytest.mark.parametrize("others", [(), (photo("b-1", pose(NAN, (3, 3))),)])
def test_nobody_to_take(others):
    data = People(photo("a-1", pose((0, 0))), *others)
    with pytest.raises(BenchError, match="two people"):
        chosen(data, pose((0, 0)))


def test_on_catwalk():
    data = Catwalk()
    make = Stranger(data)
    prompts = [Prompt(p.id, p.source, p.target.pose, 0) for p in (data[i] for i in range(0, len(data), 60))]
    made = make.generate(prompts)
    for prompt, image in zip(prompts, made, strict=True):
        found = make.nearest(prompt)
        assert found.person != prompt.source.person and np.array_equal(found.image, image)
        off = np.linalg.norm(found.pose.keypoints - prompt.pose.keypoints, axis=1).mean()
        assert image.shape == (256, 176, 3) and off < 15, "five hundred photographs hold a near pose"
    alone = make.generate(prompts[4:5])[0]
    assert np.array_equal(alone, made[4]), "whatever batch it stands in"
    assert registry.find("generators", "stranger").kind == "reference", "shown, never ranked"

"""mmpose for real: a small network of its own kind, trained here on 8 people, saved, loaded by hash, finds them.

Everything but the names of the models needs mmpose, which ``make extras`` installs (``make test`` does so first).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from fhpt_bench import detectors, features, points, weights
from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.detectors import mmpose as adapter
from fhpt_bench.detectors.mappings import POINTS_FROM_WHOLEBODY133, translate
from fhpt_bench.errors import BenchError
from fhpt_bench.types import OUTSIDE, VISIBLE, Photo
from fhpt_bench.weights import catalogue

needs_mmpose = pytest.mark.skipif(importlib.util.find_spec("mmpose") is None, reason="no mmpose: make extras")

SIZE = (96, 128)
"""Width and height of what the small network sees."""
CONFIG = f"""
codec = dict(type='SimCCLabel', input_size={SIZE}, sigma=(3.0, 3.5), simcc_split_ratio=2.0, normalize=False,
             use_dark=False)
model = dict(
    backbone=dict(deepen_factor=0.167, widen_factor=0.125),
    head=dict(in_channels=128, input_size={SIZE}, in_featuremap_size=(3, 4), gau_cfg=dict(hidden_dims=64, s=32),
              decoder=codec),
    test_cfg=dict(flip_test=False))
val_pipeline = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale', padding=1.0),
                dict(type='TopdownAffine', input_size={SIZE}), dict(type='PackPoseInputs')]
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
"""


@dataclass(frozen=True)
class Tiny:
    config: Path
    checkpoint: Path
    photos: list[Photo]

    @property
    def images(self) -> np.ndarray:
        return np.stack([photo.image for photo in self.photos])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """mmpose's packaged whole-body RTMPose at an eighth of its width (1.2 M parameters), overfitted on 8 people."""
    folder = tmp_path_factory.mktemp("tiny")
    mmpose = adapter.load_mmpose()
    packaged = Path(mmpose.__file__).parent / ".mim" / "configs" / adapter.MODELS["rtmpose-m"].config
    config, checkpoint = folder / "tiny.py", folder / "tiny.pth"
    config.write_text(f"_base_ = [{str(packaged)!r}]\n{CONFIG}")
    photos = {photo.person: photo for photo in Catwalk("test").photos()}
    photos = list(photos.values())[:8]
    torch.manual_seed(0)
    model = adapter.build_network(str(config), "cpu")
    train(model, photos)
    # As OpenMMLab saves them: objects of many kinds beside the tensors.
    torch.save(
        {"meta": {"dataset_meta": model.dataset_meta, "cfg": str(config)}, "state_dict": model.state_dict()}, checkpoint
    )
    return Tiny(config, checkpoint, photos)


def train(model: Any, photos: list[Photo], steps: int = 250) -> None:
    """With mmpose's own pipeline, targets and loss."""
    from mmengine.dataset import Compose, pseudo_collate

    with adapter._quiet():
        labels = {"type": "GenerateTarget", "encoder": model.cfg.codec}
        pipeline = Compose([*model.cfg.val_pipeline[:-1], labels, model.cfg.val_pipeline[-1]])
        samples = [pipeline(sample(photo) | model.dataset_meta) for photo in photos]
        batch = model.data_preprocessor(pseudo_collate(samples), True)
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=steps)
        model.train()
        for _ in range(steps):
            loss = model.loss(batch["inputs"], batch["data_samples"])["loss_kpt"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def sample(photo: Photo) -> dict[str, Any]:
    """A photograph as mmpose's data sets give one: BGR, 133 points, those that we do not know without weight."""
    places, visible = points.truth(photo.pose)
    whole, weight = np.zeros((1, 133, 2), np.float32), np.zeros((1, 133), np.float32)
    neck = 1
    for i, group in enumerate(POINTS_FROM_WHOLEBODY133):
        if visible[i] != OUTSIDE and i != neck:  # the neck is the middle of the shoulders
            whole[0, list(group)], weight[0, list(group)] = places[i], 1
    height, width = photo.image.shape[:2]
    box = np.array([[0, 0, width, height]], np.float32)
    image = np.ascontiguousarray(photo.image[:, :, ::-1])
    return {"img": image, "bbox": box, "bbox_score": np.ones(1), "keypoints": whole, "keypoints_visible": weight}


def catalogued(content: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch, sha256: str | None = None) -> str:
    """The file as the user's own, its sha256 in the table (another one where given) -> its sha256."""
    folder.mkdir(exist_ok=True)
    (folder / "tiny.pth").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    official = catalogue.Official(
        "https://nowhere.invalid/tiny.pth", digest if sha256 is None else sha256, "checkpoint"
    )
    network = catalogue.Network("mmpose-tiny", "a test's", "tests", "us", "none", "none", official)
    monkeypatch.setitem(catalogue.NETWORKS, "mmpose-tiny", network)
    monkeypatch.setenv("FHPT_BENCH_WEIGHTS", str(folder))
    monkeypatch.setenv("FHPT_BENCH_CACHE", str(folder / "cache"))
    return digest


@pytest.fixture
def known(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """``pose[mmpose,tiny]`` can be built."""
    monkeypatch.setitem(adapter.MODELS, "tiny", adapter.Model(str(tiny.config), "mmpose-tiny"))
    catalogued(tiny.checkpoint.read_bytes(), tmp_path / "mine", monkeypatch)
    return tiny


@needs_mmpose
def test_the_trained_network_finds_the_points(known: Tiny, capfd: pytest.CaptureFixture[str]) -> None:
    rows = features.build("pose[mmpose,tiny]").extract(known.images)
    assert capfd.readouterr() == ("", ""), "mmpose's own messages are not the user's"
    assert rows.shape == (8, points.WIDTH)
    assert rows.dtype == np.float32
    places, confidence = points.unpack(rows)
    truth = [points.truth(photo.pose) for photo in known.photos]
    shows = np.stack([visible == VISIBLE for _, visible in truth])
    errors = np.linalg.norm(places - np.stack([where for where, _ in truth]), axis=2)
    assert shows.sum() > 300
    assert not np.isnan(errors[shows]).any(), "a point that shows was not found"
    assert errors[shows].mean() < 4
    for part in ("body", "face", "hands"):
        where = points.PARTS[part]
        assert errors[:, where][shows[:, where]].mean() < 4, part
    assert (confidence >= 0).all() and (confidence <= 1).all()
    # Each person's points, not the mean pose: the points of the next person are far off.
    others = np.linalg.norm(places - np.roll(np.stack([where for where, _ in truth]), 1, axis=0), axis=2)
    assert np.nanmean(others[shows]) > 12


@needs_mmpose
def test_an_array_is_read_as_mmpose_reads_the_file(known: Tiny, tmp_path: Path) -> None:
    """Colours in the right order, the whole image as the box: against mmpose's own function on the PNG."""
    from mmpose.apis import inference_topdown

    image = known.photos[0].image
    PIL.Image.fromarray(image).save(tmp_path / "photo.png")
    model = adapter.build_network(str(known.config), "cpu")
    adapter._fill(model, "mmpose-tiny")
    with adapter._quiet():
        found = inference_topdown(model, str(tmp_path / "photo.png"))[0].pred_instances
    theirs = translate(np.column_stack([found.keypoints[0], found.keypoint_scores[0]]), POINTS_FROM_WHOLEBODY133)
    [ours], [confidence] = points.unpack(detectors.build("mmpose", "cpu", "tiny").detect(image[None]))
    seen = theirs[:, 2] >= adapter.THRESHOLD
    assert 60 < seen.sum() <= points.POINTS
    np.testing.assert_array_equal(ours[seen], theirs[seen, :2])
    np.testing.assert_array_equal(confidence[seen], theirs[seen, 2].clip(0, 1))
    assert np.isnan(ours[~seen]).all()
    assert (confidence[~seen] == 0).all()
    swapped = points.unpack(detectors.build("mmpose", "cpu", "tiny").detect(image[None, :, :, ::-1]))[0][0]
    assert not np.array_equal(swapped, ours), "the test would not see a wrong order of colours"


@needs_mmpose
def test_batching_cannot_matter_and_closed_is_closed(known: Tiny) -> None:
    detector = detectors.build("mmpose", "cpu", "tiny")
    together = detector.detect(known.images[:3])
    np.testing.assert_array_equal(together[2:], detector.detect(known.images[2:3]))
    assert detector.detect(known.images[:0]).shape == (0, points.WIDTH)
    detector.close()
    detector.close()
    with pytest.raises(BenchError, match="closed"):
        detector.detect(known.images[:1])


@needs_mmpose
def test_the_key_changes_with_the_weights(known: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = detectors.build("mmpose", "cpu", "tiny").key
    saved = torch.load(known.checkpoint, weights_only=False)
    saved["state_dict"]["head.final_layer.bias"] = saved["state_dict"]["head.final_layer.bias"] + 1
    torch.save(saved, tmp_path / "other.pth")
    digest = catalogued((tmp_path / "other.pth").read_bytes(), tmp_path / "mine", monkeypatch, sha256="")
    with pytest.raises(BenchError, match="no hash"):
        detectors.build("mmpose", "cpu", "tiny")
    named = detectors.build("mmpose", "cpu", f"tiny@{digest}")
    assert named.key != before
    assert detectors.networks("mmpose", f"tiny@{digest}") == (f"mmpose-tiny@{digest}",)
    with pytest.raises(BenchError, match="wrong hash"):
        detectors.build("mmpose", "cpu", f"tiny@{'0' * 64}")


class Hostile:
    """Unpickled by pickle itself, makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@needs_mmpose
@pytest.mark.parametrize("vouched", [False, True])
def test_a_hostile_checkpoint_runs_nothing(
    vouched: bool, known: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by its hash before it is unpickled; and were its hash the right one, its reader runs nothing either."""
    torch.save({"state_dict": Hostile(tmp_path / "ran")}, tmp_path / "hostile.pth")
    content = (tmp_path / "hostile.pth").read_bytes()
    catalogued(content, tmp_path / "mine", monkeypatch, sha256=None if vouched else "0" * 64)
    with pytest.raises(BenchError, match="no state_dict" if vouched else "wrong hash"):
        detectors.build("mmpose", "cpu", "tiny")
    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "hostile.pth", weights_only=False)
    assert (tmp_path / "ran").exists(), "the payload works: it was not run"


@needs_mmpose
@pytest.mark.parametrize("vouched", [False, True])
def test_a_truncated_checkpoint_is_refused(
    vouched: bool, known: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = known.checkpoint.read_bytes()
    expected = None if vouched else hashlib.sha256(whole).hexdigest()
    catalogued(whole[: len(whole) // 2], tmp_path / "mine", monkeypatch, sha256=expected)
    with pytest.raises(BenchError, match="cannot be read" if vouched else "wrong hash"):
        detectors.build("mmpose", "cpu", "tiny")


@needs_mmpose
def test_weights_of_another_model_are_refused(known: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine would print what does not fit and go on with random numbers."""
    state = torch.load(known.checkpoint, weights_only=False)["state_dict"]
    less = {name: tensor for name, tensor in state.items() if name != "head.mlp.1.weight"}
    wider = state | {"head.mlp.1.weight": torch.ones(3, 3)}
    for content, message in ((less, r"lacks 1 tensors of the model, 'head\.mlp\.1\.weight'"), (wider, "does not fit")):
        torch.save({"state_dict": content}, tmp_path / "other.pth")
        catalogued((tmp_path / "other.pth").read_bytes(), tmp_path / "mine", monkeypatch)
        with pytest.raises(BenchError, match=message):
            detectors.build("mmpose", "cpu", "tiny")


@needs_mmpose
@pytest.mark.parametrize("model", list(adapter.MODELS))
def test_the_packaged_configs_build_and_run(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With random weights: the four networks as OpenMMLab defines them, 133 points, our layout."""
    adapter.load_mmpose()
    assert catalogue.NETWORKS[adapter.MODELS[model].weights].official_url.startswith("https://download.openmmlab.com/")
    network = adapter.build_network(adapter.MODELS[model].config, "cpu")
    assert len(network.dataset_meta["keypoint_id2name"]) == 133
    names = [network.dataset_meta["keypoint_id2name"][i] for i in (0, 5, 6, 23, 91, 112)]
    assert names == ["nose", "left_shoulder", "right_shoulder", "face-0", "left_hand_root", "right_hand_root"]
    monkeypatch.setattr(weights, "digest", lambda name: name)
    monkeypatch.setattr(adapter, "build_network", lambda config, device: network)
    monkeypatch.setattr(adapter, "_fill", lambda network, name: None)
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 44, 3), dtype=np.uint8)
    places, confidence = points.unpack(detectors.build("mmpose", "cpu", model).detect(image))
    assert (np.isnan(places[0, :, 0]) == (confidence[0] == 0)).all()


@needs_mmpose
def test_what_stands_in_for_the_absent_is_gone_afterwards() -> None:
    adapter.load_mmpose()
    assert not {"mmdet", "mmdet.utils", "mmcv.ops", "xtcocotools", "xtcocotools.coco"} & sys.modules.keys()


@pytest.fixture
def real_mmdet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "mmdet").mkdir()
    (tmp_path / "mmdet" / "__init__.py").write_text("")
    (tmp_path / "mmdet" / "utils.py").write_text("ConfigType = 'the real one'")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("mmdet", "mmdet.utils"):
        sys.modules.pop(name, None)


@needs_mmpose
def test_a_real_mmdet_is_left_alone(real_mmdet: Path) -> None:
    with adapter._quiet(), adapter._stand_ins():
        assert importlib.import_module("mmdet.utils").ConfigType == "the real one"
        assert not hasattr(importlib.import_module("mmcv.ops"), "__file__"), "the absent one beside it stands in"
    assert sys.modules["mmdet.utils"].__file__ == str(real_mmdet / "mmdet" / "utils.py")
    assert "mmcv.ops" not in sys.modules


def test_without_mmpose_the_error_names_make_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mmpose", None)
    with pytest.raises(BenchError, match="make extras"):
        features.build("pose[mmpose]")


def test_settings() -> None:
    assert features.networks("pose[mmpose]") == ("mmpose-rtmw-x",)
    assert features.networks("pose[mmpose,hrnet-w48-dark]") == ("mmpose-hrnet-w48",)
    for wrong in ("pose[mmpose,rtmw]", "pose[mmpose,rtmw-l,rtmw-x]", "pose[openpose,rtmw-l]"):
        with pytest.raises(BenchError):
            features.build(wrong)

"""Image files in and out, and files written whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image as PILImage

from fhpt_bench import BenchError, images, paths


def test_png_round_trip_is_lossless_and_deterministic(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (31, 17, 3), dtype=np.uint8)
    for name in ("a.png", "b.png"):
        images.write_png(tmp_path / name, image)
    read, digest = images.read(tmp_path / "a.png", (31, 17))
    assert np.array_equal(read, image)
    assert digest == images.read(tmp_path / "b.png")[1]


def test_content_hash_sees_shape_and_pixels():
    image = np.zeros((4, 6, 3), np.uint8)
    other = image.copy()
    other[1, 2, 0] = 1
    assert len({images.pixels_sha256(i) for i in (image, other, image.reshape(6, 4, 3))}) == 3


def test_a_failed_write_leaves_the_old_file_and_no_scraps(tmp_path):
    path = tmp_path / "x.json"
    paths.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        paths.write_json(path, {"a": float("nan")})
    with pytest.raises(TypeError), paths.atomic(path) as file:
        print("half of it", file=file)
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_header_says_size_and_loss_without_decoding(tmp_path):
    sheet = PILImage.fromarray(np.random.default_rng(0).integers(0, 256, (31, 17, 3), dtype=np.uint8))
    found = {}
    for name, options in {
        "a.png": {}, "a.jpg": {"quality": 95}, "a.bmp": {}, "lossless.webp": {"lossless": True}, "lossy.webp": {},
    }.items():  # fmt: skip
        sheet.save(tmp_path / name, **options)
        found[name] = images.header((tmp_path / name).read_bytes(), where=name)
    assert {head.size for head in found.values()} == {(31, 17)}
    assert {name for name, head in found.items() if not head.lossless} == {"a.jpg", "lossy.webp"}
    with pytest.raises(BenchError, match="the end of the file is missing"):
        images.header((tmp_path / "a.png").read_bytes()[:-12], where="a.png")

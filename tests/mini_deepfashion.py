"""A mini DeepFashion in the real layouts: photographs of Catwalk's people under real-form names, with the lists that
the field passes round.

    source = write_inshop(tmp_path / "src")         # archive folders: Img/img/WOMEN/..., Anno, Eval
    source = write_patn(tmp_path / "src")           # flat names, train/ and test/
    write_lists(source)                             # PATN's CSV and .lst files
    folder = prepared(tmp_path)                     # all of it through fhpt_bench.prepare
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import numpy as np
import PIL.Image

from fhpt_bench.datasets.catwalk import Catwalk
from fhpt_bench.types import Photo

VIEWS = ("1front", "2side", "3back", "4full", "7additional", "6flat")
MANDATORY = (2, 5, 8, 11)


@dataclass(frozen=True, eq=False)
class MiniPhoto:
    """One photograph: where the archive has it, and what the lists say of it in the raw 256 x 256 frame."""

    split: str
    gender: str
    category: str
    item: int
    outfit: int
    view: str
    catwalk: Photo
    parsing: np.ndarray
    points: tuple[tuple[int, ...], tuple[int, ...]]
    """y, x; -1: missing."""

    @property
    def stem(self) -> str:
        """``fashionWOMENTees_Tanksid0000000101_1front``"""
        return f"fashion{self.gender}{self.category}id{self.item:08d}{self.outfit:02d}_{self.view}"

    @property
    def path(self) -> str:
        """``WOMEN/Tees_Tanks/id_00000001/01_1_front.jpg``"""
        return f"{self.gender}/{self.category}/id_{self.item:08d}/{self.outfit:02d}_{self.view[0]}_{self.view[1:]}.jpg"

    @property
    def valid(self) -> bool:
        return all(self.points[0][i] != -1 for i in MANDATORY)

    def image(self) -> np.ndarray:
        """256 x 256 x 3: Catwalk's 256 x 176 in the middle of white."""
        sheet = np.full((256, 256, 3), 255, np.uint8)
        sheet[:, 40:216] = self.catwalk.read()
        return sheet


_PLAN = (  # Catwalk's person and outfit, gender, category, item, outfit, split, photographs
    ("te00", "o1", "MEN", "Tees_Tanks", 1, 1, "test", 4),
    ("te00", "o2", "MEN", "Tees_Tanks", 1, 2, "train", 3),
    ("te01", "o1", "WOMEN", "Blouses_Shirts", 2, 3, "test", 4),
    ("tr000", "o1", "WOMEN", "Tees_Tanks", 3, 1, "train", 3),
    ("tr001", "o1", "MEN", "Shirts_Polos", 4, 1, "train", 3),
    ("tr002", "o1", "WOMEN", "Dresses", 5, 1, "train", 3),
    ("tr003", "o1", "MEN", "Pants", 6, 4, "train", 3),
)
_UNSEEN = "fashionWOMENBlouses_Shirtsid0000000203_4full"
"""No keypoint at all, as 619 of the 4,038 photographs of PATN's test list."""
_REACHING = "fashionMENTees_Tanksid0000000101_1front"
"""One wrist outside the frame of 256 x 176, inside that of 256 x 256."""


@lru_cache(maxsize=1)
def photographs() -> tuple[MiniPhoto, ...]:
    """All 23: 8 of test, 15 of train; item 1 is in both, in another outfit."""
    catwalk = {"te": Catwalk("test"), "tr": Catwalk("train")}
    known = {photo.id: photo for data in catwalk.values() for photo in data.photos()}
    found = []
    for person, worn, gender, category, item, outfit, split, count in _PLAN:
        for number, view in zip((1, 3, 4, 6), VIEWS[:count], strict=False):
            photo = known[f"{person}-{worn}-v{number}"]
            parsing = np.zeros((256, 256), np.uint8)
            parsing[:, 40:216] = catwalk[person[:2]].parsing(photo)
            mini = MiniPhoto(split, gender, category, item, outfit, view, photo, parsing, _points(photo))
            if mini.stem == _UNSEEN:
                mini = replace(mini, points=((-1,) * 18, (-1,) * 18))
            if mini.stem == _REACHING:
                y, x = mini.points
                mini = replace(mini, points=((*y[:4], 150, *y[5:]), (*x[:4], 20, *x[5:])))
            found.append(mini)
    return tuple(found)


def of(split: str) -> list[MiniPhoto]:
    return [photo for photo in photographs() if photo.split == split]


def pairs(split: str) -> list[tuple[str, str]]:
    """Stems of every ordered pair of valid photographs in one outfit; test: 12 + 6, train: 30."""
    by_outfit: dict[tuple[object, ...], list[str]] = {}
    for photo in of(split):
        if photo.valid:
            by_outfit.setdefault((photo.gender, photo.category, photo.item, photo.outfit), []).append(photo.stem)
    return [pair for stems in by_outfit.values() for pair in permutations(stems, 2)]


def write_inshop(
    root: Path,
    *,
    highres: bool = False,
    zipped: bool = False,
    squeezed: bool = False,
    photos: Iterable[MiniPhoto] | None = None,
) -> Path:
    """The In-shop archive as its makers lay it out, unpacked (or with ``img.zip``).

    ``squeezed``: categories without underscores (``TeesTanks``). ``highres``: ``img_highres`` too, 1101 x 750.
    """
    chosen = list(photographs() if photos is None else photos)
    images = {f"img/{photo.path}": _jpeg(photo.image()) for photo in chosen}
    if highres:
        for photo in chosen:
            large = PIL.Image.fromarray(photo.catwalk.read()).resize((750, 1101), PIL.Image.Resampling.BICUBIC)
            images[f"img_highres/{photo.path}"] = _jpeg(np.asarray(large))
    if squeezed:
        images = {name.replace("Tees_Tanks", "TeesTanks"): content for name, content in images.items()}
    if zipped:
        (root / "Img").mkdir(parents=True)
        for folder in ("img", "img_highres") if highres else ("img",):
            with zipfile.ZipFile(root / "Img" / f"{folder}.zip", "w") as archive:
                for name, content in images.items():
                    if name.startswith(f"{folder}/"):
                        archive.writestr(name, content)
    else:
        _put(root / "Img", images)
    _put(root, {name: text.encode() for name, text in _anno(chosen).items()})
    return root


def _anno(chosen: Sequence[MiniPhoto]) -> dict[str, str]:
    ids = sorted({f"id_{photo.item:08d}" for photo in chosen})
    rows = "".join(
        f"{'img/' + p.path:<70} id_{p.item:08d} {'train' if p.split == 'train' else ('query', 'gallery')[n % 2]}\n"
        for n, p in enumerate(chosen)
    )
    words = ("cotton", "floral", "v-neck")
    attributes = "".join(
        f"{item:<12} " + " ".join("1" if (n + k) % 2 else "-1" for k in range(len(words))) + "\n"
        for n, item in enumerate(ids)
    )
    description = [{"item": item, "color": "Blue", "description": ["A top.", "100% cotton"]} for item in ids]
    return {
        "Eval/list_eval_partition.txt": f"{len(chosen)}\nimage_name item_id evaluation_status\n{rows}",
        "Anno/list_item_inshop.txt": f"{len(ids)}\n" + "".join(f"{item}\n" for item in ids),
        "Anno/attributes/list_attr_cloth.txt": f"{len(words)}\nattribute_name\n" + "".join(f"{w}\n" for w in words),
        "Anno/attributes/list_attr_items.txt": f"{len(ids)}\nitem_id attribute_labels\n{attributes}",
        "Anno/list_description_inshop.json": json.dumps(description),
    }


def write_patn(root: Path, *, flat: bool = False, width: int = 256, fasion: bool = False) -> Path:
    """Folders ``train`` and ``test`` of flat names as PATN's scripts leave them (``flat``: one folder).

    ``width`` 176: cropped to columns 40..216. ``fasion``: the other spelling.
    """
    for photo in photographs():
        image = photo.image() if width == 256 else photo.image()[:, 40:216]
        stem = photo.stem.replace("fashion", "fasion") if fasion else photo.stem
        _put(root / "" if flat else root / photo.split, {f"{stem}.jpg": _jpeg(image)})
    return root


def write_lists(
    root: Path,
    *,
    with_pairs: bool = True,
    resized: bool = True,
    fasion: bool = False,
    missing: int = -1,
    photos: Sequence[MiniPhoto] | None = None,
) -> Path:
    """PATN's lists: ``train.lst``, ``test.lst``, pairs and annotations.

    ``resized``: ``fasion-resize-annotation-*.csv`` in the 256 x 176 frame; else ``fasion-annotation-*.csv``, ``: ``
    between the fields, in the 256 x 256 frame. ``missing``: what a missing point is written as.
    """
    root.mkdir(parents=True, exist_ok=True)

    def name(stem: str) -> str:
        return (stem.replace("fashion", "fasion") if fasion else stem) + ".jpg"

    for split in ("train", "test"):
        chosen = [photo for photo in photos or photographs() if photo.split == split]
        (root / f"{split}.lst").write_text("".join(f"{name(photo.stem)}\n" for photo in chosen))
        lines = ["name:keypoints_y:keypoints_x"]
        colon, shift, kind = (":", 40, "resize-") if resized else (": ", 0, "")
        for photo in chosen:
            y = [missing if value == -1 else value for value in photo.points[0]]
            x = [missing if value == -1 else value - shift for value in photo.points[1]]
            lines.append(colon.join([name(photo.stem), str(y), str(x)]))
        (root / f"fasion-{kind}annotation-{split}.csv").write_text("\n".join(lines) + "\n")
        if with_pairs:
            rows = "".join(f"{name(a)},{name(b)}\n" for a, b in pairs(split))
            (root / f"fasion-resize-pairs-{split}.csv").write_text("from,to\n" + rows)
    return root


def write_dsc(root: Path) -> Path:
    """DSC's lists (``fasion-pairs-*.csv`` in a folder called pose-gan): its split turns PATN's round."""
    folder = root / "pose-gan"
    folder.mkdir(parents=True)
    for split, other in (("train", "test"), ("test", "train")):
        rows = "".join(f"{a.replace('fashion', 'fasion')}.jpg,{b.replace('fashion', 'fasion')}.jpg\n"
                       for a, b in pairs(other))  # fmt: skip
        (folder / f"fasion-pairs-{split}.csv").write_text("from,to\n" + rows)
    return root


def write_parsing(root: Path, *, width: int = 256) -> Path:
    """CIHP index PNGs, ``parsing/<stem>.png``, greyscale."""
    folder = root / "parsing"
    folder.mkdir(parents=True)
    for photo in photographs():
        index = photo.parsing if width == 256 else photo.parsing[:, 40:216]
        PIL.Image.fromarray(index).save(folder / f"{photo.stem}.png")
    return root


def prepared(folder: Path, **options: object) -> Path:
    """All of it through ``fhpt_bench.prepare``; returns the prepared folder. Sizes: 256x256, 256x176 and 512x352."""
    from fhpt_bench.prepare import prepare

    source = write_parsing(write_lists(write_inshop(folder / "deepfashion-source", highres=True)))
    prepare("deepfashion", source, folder / "deepfashion", workers=2, **options)  # type: ignore[arg-type]
    return folder / "deepfashion"


def _points(photo: Photo) -> tuple[tuple[int, ...], tuple[int, ...]]:
    seen = (photo.pose.visible > 0) & np.isfinite(photo.pose.keypoints).all(axis=1)
    places = np.nan_to_num(photo.pose.keypoints).round() + np.array([40, 0])
    x, y = np.where(seen, places.T, -1).astype(int).tolist()
    return tuple(y), tuple(x)


def _jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, format="JPEG", quality=95)
    return buffer.getvalue()


def _put(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

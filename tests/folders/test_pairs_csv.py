"""A CSV of paths measures what the same images as arrays do; whatever is wrong with it is said by row."""

from __future__ import annotations

import json

import boxes
import numpy as np
import pytest
from result_files import write

from fhpt_bench import BenchError, compare, features, protocol, score
from fhpt_bench.folders.pairs_csv import PairsCSV
from fhpt_bench.types import Need

DATA = boxes.Boxes()
PAIRS = [DATA[i] for i in range(len(DATA))]
MADE = boxes.moved(DATA)


@pytest.fixture
def root(tmp_path):
    """Photographs once each, generated images, no CSV."""
    for photo in DATA.photos():
        write(tmp_path / "photos" / f"{photo.id}.png", photo.image)
    for pair_id, image in MADE.items():
        write(tmp_path / "mine" / f"{pair_id}.png", image)
    boxes.write_protocol(tmp_path)
    return tmp_path


def table(root, columns="generated,target,source,person", name="pairs.csv", pairs=PAIRS):
    cells = {
        "generated": lambda p: f"mine/{p.id}.png",
        "target": lambda p: f"photos/{p.target.id}.png",
        "source": lambda p: f"./photos/{p.source.id}.png",
        "person": lambda p: p.target.person,
    }
    rows = [columns, *(",".join(cells[c](p) for c in columns.split(",")) for p in pairs)]
    (root / name).write_text("\n".join(rows) + "\n")
    return root / name


def measured(root, path, out, **more):
    return score(pairs=path, protocol=root / "pixels-64x48.toml", out=root / out, show=False, **more)


def test_as_arrays_to_the_digit(root):
    record = measured(root, table(root), "o")
    arrays = score(
        list(MADE.values()),
        target=[p.target.image for p in PAIRS],
        source=[p.source.image for p in PAIRS],
        people=[p.target.person for p in PAIRS],
        protocol=root / "pixels-64x48.toml",
    )
    assert [(s.value, s.low, s.high) for s in record.scores] == [(s.value, s.low, s.high) for s in arrays.scores]
    assert (record.data.name, record.data.split, record.data.pairs) == ("pairs", "given", 42)
    assert record.provenance.command == "fhpt-bench score --pairs pairs.csv --protocol pixels-64x48 --seed 0"


def test_people_are_what_shares_images_where_no_column_says(root):
    data = PairsCSV(table(root, "generated,target,source"))
    assert len({p.target.person for p in (data[i] for i in range(42))}) == 6
    assert data.name == "pairs, people by shared images"
    by_target = PairsCSV(table(root, "generated,target"))
    people = [by_target[i].target.person for i in range(42)]
    images = [p.target.image.tobytes() for p in PAIRS]
    assert len(set(people)) == len(set(images)) > 6
    assert len({(a, b) for a, b in zip(people, images, strict=True)}) == len(set(images))
    named, found = measured(root, table(root), "a"), measured(root, table(root, "generated,target,source"), "b")
    assert named.score("ssim").low == found.score("ssim").low, "the same people, whatever they are called"


def test_copies_of_an_image_link_people_as_well(root):
    write(root / "photos" / "copy.png", PAIRS[0].target.image)
    path = table(root, "generated,target", pairs=[PAIRS[0], PAIRS[8]])
    path.write_text(path.read_text().replace(f"photos/{PAIRS[8].target.id}.png", "photos/copy.png"))
    data = PairsCSV(path)
    assert data[0].target.person == data[1].target.person


def test_two_models_compare(root):
    for pair_id in MADE:
        write(root / "theirs" / f"{pair_id}.png", np.zeros((64, 48, 3), np.uint8))
    first, path = table(root), root / "theirs.csv"
    path.write_text(first.read_text().replace("mine/", "theirs/"))
    a, b = measured(root, first, "a", name="mine"), measured(root, path, "b", name="theirs")
    assert compare(a, b).set_index("score").loc["ssim", "verdict"] == "a"


def test_nothing_is_decoded_before_it_is_wanted(root, monkeypatch):
    from fhpt_bench import images

    decoded = []
    monkeypatch.setattr(images, "decode", lambda *a, **k: decoded.append(a) or np.zeros((64, 48, 3), np.uint8))
    data = PairsCSV(table(root))
    assert len(data.photos()) == 42 and not decoded
    assert data[0].target.image.shape == (64, 48, 3) and len(decoded) == 1


def test_missing_images(root):
    (root / "mine" / f"{PAIRS[4].id}.png").unlink()
    path = table(root)
    with pytest.raises(BenchError, match=f"1 missing: mine/{PAIRS[4].id}.png"):
        measured(root, path, "o")
    record = measured(root, path, "o", allow_missing=True)
    assert (record.data.pairs, record.data.missing) == (41, 1)
    (root / "photos" / f"{PAIRS[4].target.id}.png").unlink()
    with pytest.raises(BenchError, match="cannot be read"):
        measured(root, path, "p")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no column generated"),
        ("generated,target\n", "no pair"),
        ("generated,truth\na.png,b.png\n", "did you mean target|'truth' is not known"),
        ("generated,target,target\na,b,c\n", "stands twice"),
        ("generated,target\nmine/x.png\n", "row 2"),
        ("generated,target\nmine/x.png,\n", "row 2"),
        ("generated,target\nmine/x.png,a,b\n", "row 2"),
        ("generated,target\n../../etc/passwd,a.png\n", "does not lie below"),
        ("generated,target\n/etc/passwd,a.png\n", "does not lie below"),
        ("generated,target\na.png,C:\\x.png\n", "does not lie below"),
        ("generated,target\na.png,x/../../y.png\n", "does not lie below"),
        ("generated,target\na.png,b.png\na.png,c.png\n", "rows 2 and 3 name the same"),
        ('generated,target\n"a.png,b.png\n', "not a CSV"),
    ],
)
def test_what_is_wrong_with_a_csv(tmp_path, text, word):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(BenchError, match=word) as caught:
        PairsCSV(tmp_path / "p.csv")
    assert caught.value.fix


def test_not_utf8_a_bom_and_no_file(root):
    path = table(root)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(PairsCSV(path)) == 42, "Excel writes a byte order mark"
    path.write_bytes(b"generated,target\n\xff\xfe,b\n")
    with pytest.raises(BenchError, match="UTF-8"):
        PairsCSV(path)
    with pytest.raises(BenchError, match="cannot be read"):
        PairsCSV(root / "none.csv")


def test_sizes_that_differ_are_named(root):
    write(root / "photos" / f"{PAIRS[9].target.id}.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(BenchError, match=r"64x64 .*the first is 64x48") as caught:
        PairsCSV(table(root))
    assert PAIRS[9].target.id in str(caught.value)


def test_generated_images_of_another_size(root):
    write(root / "mine" / f"{PAIRS[9].id}.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(BenchError, match=rf"1 unreadable: mine/{PAIRS[9].id}.png: image is 64x64"):
        measured(root, table(root), "o")


def test_a_protocol_of_another_size_says_what_to_do(root):
    other = boxes.write_protocol(root, 256, 176)
    with pytest.raises(BenchError, match=r"measures 256x176 images, pairs has 64x48"):
        score(pairs=table(root), protocol=other, out=root / "o")
    record = score(pairs=table(root), protocol=f"{other}@64x48", out=root / "o", show=False)
    assert record.protocol.name == "pixels-256x176@64x48"
    assert record.protocol.sha256 != protocol.load(other).sha256
    assert record.score("ssim").value == measured(root, table(root), "p").score("ssim").value


def test_the_protocol_for_images_of_unknown_origin():
    general = protocol.load(protocol.for_size((256, 176)))
    assert general.name in ("clean-v1", "catwalk-v1")
    assert protocol.for_size((300, 200)) == f"{general.name}@300x200"
    assert protocol.load(f"{general.name}@300x200").size == (300, 200)
    with pytest.raises(BenchError, match="no protocol"):
        protocol.load("clean-v9@300x200")


def test_what_cannot_take_images_so_small_says_so(root):
    """MS-SSIM needs five halvings, keypoints need a detector or labels: unavailable, and the rest is measured."""
    more = """
[[metrics]]
use = "ms-ssim"
name = "ms-ssim"
[[metrics]]
use = "mask-ssim"
name = "mask-ssim"
[[metrics]]
use = "gender"
name = "gender-error"
"""
    path = boxes.write_protocol(root, 256, 176, more, name="wide")
    record = score(pairs=table(root), protocol=f"{path}@64x48", out=root / "o", show=False)
    why = {s.name: s.unavailable for s in record.scores if s.value is None}
    assert set(why) >= {"ms-ssim", "mask-ssim"}
    assert all(why.values())
    assert record.score("ssim").value is not None


class Sources:
    """A metric that reads source photographs through a network."""

    name, columns = "sources", 1
    needs = (Need("colour", ("generated", "source")),)

    def __init__(self, name):
        assert name == self.name

    def measure(self, batch):
        return np.abs(batch.features["colour", "generated"] - batch.features["colour", "source"])

    def summarise(self, rows, context):
        from fhpt_bench.intervals import mean_score

        return [mean_score(self.name, rows[:, 0], context, "lower")]


class Colour:
    small, alone, name, key = True, True, "colour", "colour"

    def __init__(self, name, device="cpu", data=""):
        pass

    def extract(self, images):
        return images.mean((1, 2, 3), dtype=np.float32)[:, None]


def test_what_reads_sources_is_unavailable_where_none_are_given(root, monkeypatch):
    monkeypatch.setattr(features, "build", Colour)
    path = boxes.write_protocol(root, more=f"""
[[metrics]]
use = "{__file__}:Sources"
name = "sources"
""", name="reads-sources")  # fmt: skip
    with_them = score(pairs=table(root), protocol=path, out=root / "a", show=False)
    assert with_them.score("sources").value is not None
    without = score(pairs=table(root, "generated,target,person"), protocol=path, out=root / "b", show=False)
    assert without.score("sources").unavailable == "no source photographs were given"
    assert without.score("ssim").value == with_them.score("ssim").value
    arrays = score(list(MADE.values()), target=[p.target.image for p in PAIRS], protocol=path)
    assert arrays.score("sources").unavailable == "no source photographs were given"


def test_on_the_command_line(root, monkeypatch, capsys):
    import sys

    from fhpt_bench.cli import main

    monkeypatch.chdir(root)
    table(root)
    command = ["fhpt-bench", "score", "--pairs", "pairs.csv", "--protocol", "pixels-64x48.toml", "--json", "--no-html"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code in (0, None)
    assert json.loads(capsys.readouterr().out)["data"]["pairs"] == 42
    assert (root / "runs" / "pixels-64x48" / "pairs-pairs-given" / "record.json").is_file()
    monkeypatch.setattr(sys, "argv", ["fhpt-bench", "score"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "--pairs" in capsys.readouterr().err

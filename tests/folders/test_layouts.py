"""Every layout of the field scores what the plain folder scores, to the digit; JPEG near it, and said."""

from __future__ import annotations

import shutil
import unicodedata

import numpy as np
import pytest
from boxes import moved, write_protocol
from result_files import files, lay, write

from fhpt_bench import BenchError, score
from fhpt_bench.folders.layouts import LAYOUTS, named
from fhpt_bench.folders.matching import find
from fhpt_bench.folders.spelling import spell

LOSSLESS = {
    "patn": "patn",
    "patn, no suffix inside": "patn",
    "patn, one image": "patn",
    "rate": "rate",
    "dsc": "dsc",
    "intrflow": "intrflow",
    "gfla": "gfla",
    "gfla, to": "gfla",
    "gfla, cropped": "gfla",
}
JPEG = {"patn, jpeg": "patn", "intrflow, jpeg": "intrflow", "gfla, jpeg": "gfla"}


def numbers(record):
    return {(s.name, s.value, s.low, s.high) for s in record.scores}


@pytest.fixture
def plain(tmp_path, fashion, crops, frames, protocol):
    folder = lay(tmp_path / "plain", files("ours", fashion, crops, frames))
    return score(folder, protocol=protocol, data=fashion, out=tmp_path / "plain-out", show=False)


def test_every_layout_to_the_digit(tmp_path, fashion, crops, frames, protocol, plain, capsys):
    assert plain.data.pairs == 18
    for system, layout in LOSSLESS.items():
        folder = lay(tmp_path / system, files(system, fashion, crops, frames))
        assert find(folder, fashion, range(18), layout=layout).coverage.matched == 18
        record = score(folder, protocol=protocol, data=fashion, out=tmp_path / f"{system} out", show=False)
        assert numbers(record) == numbers(plain), system
        assert record.model.card["images"]["layout"] == layout
        assert f"layout {layout}" in record.model.source
        assert f"layout {layout}" in capsys.readouterr().err
        assert f"--layout {layout}" in record.provenance.command
        assert "lossy" not in record.model.card["images"]


def test_jpeg_is_near_and_noted(tmp_path, fashion, crops, frames, protocol, plain, capsys):
    for system, layout in JPEG.items():
        folder = lay(tmp_path / system, files(system, fashion, crops, frames))
        record = score(folder, protocol=protocol, data=fashion, out=tmp_path / f"out {system}", show=False)
        assert record.score("ssim").value == pytest.approx(plain.score("ssim").value, abs=0.02)
        assert record.score("ssim").value != plain.score("ssim").value
        assert record.model.card["images"] | {"layout": layout, "lossy": 18} == record.model.card["images"]
        assert "JPEG" in record.model.source
        assert "18 saved with loss (JPEG)" in capsys.readouterr().err


def test_market_strips(tmp_path, market):
    protocol, images = write_protocol(tmp_path, 128, 64), moved(market)
    first = None
    for system in ("ours", "patn", "dsc"):
        found = files(system, market, images, images)
        assert {image.shape[1] for image in found.values()} == {{"ours": 64, "patn": 320, "dsc": 192}[system]}
        record = score(
            lay(tmp_path / system, found), protocol=protocol, data=market, out=tmp_path / f"o-{system}", show=False
        )
        first = first or record
        assert numbers(record) == numbers(first)
        assert record.model.card["images"]["layout"] == system


def test_both_spellings_nested_folders_and_case(tmp_path, fashion, crops, frames):
    respell = {
        "fasion": lambda name: name.replace("fashion", "fasion"),
        "squeezed": lambda name: name.replace("Tees_Tanks", "TeesTanks").replace("Blouses_Shirts", "BlousesShirts"),
        "upper": lambda name: name.upper().replace(".PNG", ".png"),
        "nested": lambda name: f"test_latest/images/{name}",
    }
    for kind, change in respell.items():
        for system in ("patn", "gfla", "ours"):
            found = {change(name): image for name, image in files(system, fashion, crops, frames).items()}
            where = lay(tmp_path / kind / system, found)
            matched = find(where, fashion, range(len(fashion)))
            assert matched.coverage.matched == 18, (kind, system)
            pair = fashion[5]
            assert np.array_equal(matched.read(pair.id)[0], crops[pair.id])


def test_unicode_composes_either_way(tmp_path):
    name = "Zoë_2_Ænne"
    assert spell(unicodedata.normalize("NFD", name)) == spell(unicodedata.normalize("NFC", name))
    assert spell("fasionWOMENTees_Tanksid01_1front.jpg") == spell("FashionWomenTeesTanksid01_1front")
    assert spell("id01_1front") != spell("id0_11front"), "underscores between numbers count"


def test_a_256_frame_is_cropped_only_where_the_layout_says_so(tmp_path, fashion, frames, protocol):
    folder = lay(tmp_path / "square", {f"{pair_id}.png": image for pair_id, image in frames.items()})
    found = find(folder, fashion, range(18))  # pair ids are GFLA's names without _vis: the size decides
    assert found.layout.name == "gfla"
    assert "columns 40..216 of 256x256" in found.coverage.decided
    with pytest.raises(BenchError, match=r"18 unreadable: .*256x256.*layout ours under a 256x176 protocol has 256x176"):
        score(folder, layout="ours", protocol=protocol, data=fashion, out=tmp_path / "o", show=False)
    assert not (tmp_path / "o").exists()


def test_numbered_files_are_places_in_the_pair_list(tmp_path, fashion, crops, frames):
    names = list(files("rate", fashion, crops, frames))
    assert names[0] == "     0.png"
    from_one = {f"{index + 1}.png": image for index, image in enumerate(files("rate", fashion, crops, frames).values())}
    found = find(lay(tmp_path / "one", from_one), fashion, range(18))
    assert "from 1" in found.coverage.decided
    (tmp_path / "one" / "1.png").unlink()
    assert "from 1" in find(tmp_path / "one", fashion, range(18), allow_missing=True).coverage.decided
    assert np.array_equal(found.read(fashion[17].id)[0], crops[fashion[17].id])
    (tmp_path / "one" / "18.png").unlink()  # neither 0 nor 18: 0-based without the first, or 1-based without the last?
    with pytest.raises(BenchError, match="no file name is that of a pair"):
        find(tmp_path / "one", fashion, range(18), allow_missing=True)


def test_a_name_that_two_pairs_share_belongs_to_neither(tmp_path, fashion, crops):
    """``a_b`` + ``c`` and ``a`` + ``b_c`` are both called a_b_c by Intr-Flow: never guessed."""
    from dataclasses import replace

    class Ambiguous:
        name, split, sha256, size, synthetic = "ambiguous", "test", "0", (256, 176), True
        ids = (("a_b", "c"), ("a", "b_c"), ("x", "y"))

        def __len__(self):
            return 3

        def __getitem__(self, i):
            pair = fashion[i]
            source, target = self.ids[i]
            return replace(pair, source=replace(pair.source, id=source), target=replace(pair.target, id=target))

    for name in ("a_b_c", "x_y"):
        write(tmp_path / f"{name}.png", crops[fashion[0].id])
    with pytest.raises(BenchError, match=r"1 of 3 pairs.*2 missing.*1 unmatched: a_b_c.png"):
        find(tmp_path, Ambiguous(), range(3))


def test_a_table_says_whose_a_file_is(tmp_path, fashion, crops):
    names = {pair_id: f"epoch/{number * 7}.png" for number, pair_id in enumerate(crops)}
    where = lay(tmp_path / "free", {names[pair_id]: image for pair_id, image in crops.items()})
    table = tmp_path / "whose.csv"
    table.write_text("file,pair\n" + "".join(f"./{name},{pair_id}\n" for pair_id, name in names.items()))
    found = find(where, fashion, range(18), layout=str(table))
    assert found.coverage.matched == 18
    assert all(np.array_equal(found.read(pair_id)[0], image) for pair_id, image in crops.items())
    table.write_text(table.read_text().replace("./epoch/7.png", "./epoch/0.png"))
    with pytest.raises(BenchError, match=r"row 3: epoch/0\.png is named before"):
        find(where, fashion, range(18), layout=str(table))
    table.write_text("file,pair\nepoch/0.png,stranger\n")
    with pytest.raises(BenchError, match="1 rows name no pair of the data set: stranger"):
        find(where, fashion, range(18), layout=str(table))


def test_names_that_fit_nothing_say_what_would(tmp_path, fashion, crops):
    write(tmp_path / "epoch_20.png", crops[fashion[0].id])
    with pytest.raises(BenchError) as caught:
        find(tmp_path, fashion, range(18))
    assert "epoch_20.png" in str(caught.value)
    for layout in LAYOUTS:
        assert f"{layout.name}: " in caught.value.fix
    with pytest.raises(BenchError, match="did you mean patn"):
        named("patm")
    assert named("ADGAN")[0].name == "patn"


def test_the_page_shows_the_pictures_of_a_strip(tmp_path, fashion_root, fashion, crops, frames, protocol, monkeypatch):
    """The leaderboard's gallery reads the generated panel, not the strip."""
    from fhpt_bench.pictures import galleries

    monkeypatch.setenv("FHPT_BENCH_DATA", str(fashion_root.parent))
    folder = lay(tmp_path / "strips", files("patn", fashion, crops, frames))
    record = score(folder, protocol=protocol, data="deepfashion", out=tmp_path / "o", show=False)
    gallery = galleries([record], [tmp_path / "o"])[0]
    shown = gallery.pairs[3]
    assert np.array_equal(shown.generated(), crops[shown.pair.id])
    shutil.rmtree(folder)
    assert galleries([record], [tmp_path / "o"]) == {}

"""A run of a small world, and the page of what its images find: right and wrong, escaped, from the rows alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fhpt_bench import api, registry
from fhpt_bench.cli import app
from fhpt_bench.errors import BenchError
from fhpt_bench.images import write_png
from fhpt_bench.leaderboard import retrieval
from fhpt_bench.record import Record
from fhpt_bench.types import Pair, Photo, Pose

NASTY = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
PEOPLE, VIEWS, SIZE = 12, 4, (48, 32)
PROTOCOL = """
name = "found-v1"
title = "Retrieval alone, for tests"
frozen = false
data = "{data}"
size = [48, 32]
headline = ["recall@3[vgg,other-views]"]
[[metrics]]
use = "retrieval"
name = "retrieval[vgg]"
dimensions = 27
by = ["top", "top_colour"]
"""


class Wardrobe:
    """12 people in one colour each, four views; a view is a shift. Labels and photograph ids are hostile."""

    name, size, synthetic, labelled = "wardrobe", SIZE, True, True

    def __init__(self, split: str = "test") -> None:
        self.split = split
        self.sha256 = hashlib.sha256(f"{self.name} {split}".encode()).hexdigest()

    def __len__(self) -> int:
        return PEOPLE * VIEWS

    def __getitem__(self, index: int) -> Pair:
        person, view = divmod(index, VIEWS)
        return Pair(f"p{person:02d}-{view}", self.photo(person, view), self.photo(person, (view + 1) % VIEWS))

    def photos(self) -> list[Photo]:
        return [self.photo(person, view) for person in range(PEOPLE) for view in range(VIEWS)]

    def photo(self, person: int, view: int) -> Photo:
        def read() -> np.ndarray:
            image = np.full((*SIZE, 3), 255, np.uint8)
            image[8 + view : 40, 6 + view : 24 + view] = [
                (person * 67) % 230,
                (person * 31) % 230,
                (person * 101) % 230,
            ]
            image[8 + view : 14 + 4 * (person % 5), 6 + view : 24 + view] = [(person * 13) % 230, 90, 20]
            return image

        pose = Pose(np.full((18, 2), np.nan, np.float32), np.zeros(18, np.uint8))
        labels = {"item": f"{NASTY}{person}", "top": f"{NASTY}{person % 2}"} if self.labelled else {}
        return Photo(f"{NASTY}{person:02d}-{view}", pose, f"person{person:02d}", read, labels)

    def regions(self, pair: Pair) -> dict[str, np.ndarray]:
        return {}


class Unlabelled(Wardrobe):
    name, labelled = "unlabelled", False


class Colours:
    """Stands for a retrieval network: a histogram of 27 colours."""

    small = True

    def __init__(self, name: object, device: str) -> None:
        self.name, self.key = "retrieval.vgg", "colours 1"

    def extract(self, images: np.ndarray) -> np.ndarray:
        cells = (images // 86).astype(int) @ [9, 3, 1]
        rows = np.stack([np.sqrt(np.bincount(cell.ravel(), minlength=27)[:27]) for cell in cells])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def plugins() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for kind, name, target in (
            ("features", "retrieval.vgg", "Colours"),
            ("datasets", "wardrobe", "Wardrobe"),
            ("datasets", "unlabelled", "Unlabelled"),
        ):
            patch.setitem(registry.BUILT_IN[kind], name, f"{__name__}:{target}")
        yield


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("protocol") / "found-v1.toml"
    path.write_text(PROTOCOL.format(data="wardrobe"))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Truth for even people, the next person's target for odd ones; so half are right, half find the wrong clothes."""
    folder, data = tmp_path_factory.mktemp("images"), Wardrobe()
    for index in range(len(data)):
        person, view = divmod(index, VIEWS)
        shown = person if person % 2 == 0 else (person + 1) % PEOPLE
        write_png(folder / f"{data[index].id}.png", data.photo(shown, (view + 1) % VIEWS).image)
    return folder


@pytest.fixture(scope="module")
def run(plugins: None, protocol: Path, made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    out = tmp_path_factory.mktemp("run") / "run"
    return out, api.score(made, name=NASTY, protocol=protocol, out=out, show=False)


def test_scores_of_a_whole_run(run: tuple[Path, Record]) -> None:
    record = run[1]
    assert record.score("recall@3[vgg,other-views,truth]").value == 1
    assert record.score("recall@3[vgg,other-views]").value == pytest.approx(0.5)
    assert record.score("hits@3[vgg,other-views]").value == pytest.approx(0.5)
    assert record.score(f"recall@5[vgg,other-views]/top={NASTY}0").value == 1
    assert "no label" in record.score("recall@5[vgg,other-views]/top_colour").unavailable


def test_batch_and_order_change_no_score(run: tuple[Path, Record], protocol: Path, made: Path, tmp_path: Path) -> None:
    again = api.score(made, name=NASTY, protocol=protocol, out=tmp_path / "r", batch_size=5, workers=1, show=False)
    assert again.scores == run[1].scores


def test_a_copied_source_finds_itself(plugins: None, protocol: Path, tmp_path: Path) -> None:
    record = api.run("copy-source", protocol=protocol, out=tmp_path / "copy", show=False)
    assert record.score("recall@3[vgg,paper]").value == 1


class Read(HTMLParser):
    """What a browser would make elements of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def read(path: Path) -> Read:
    parser = Read()
    parser.feed(path.read_text("utf-8"))
    return parser


def test_the_page_marks_right_and_wrong(run: tuple[Path, Record], protocol: Path, tmp_path: Path) -> None:
    """By itself, from rows and images: the feature is not built again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Colours, "extract", lambda *_: pytest.fail("the network ran"))
        text = retrieval.write(run[0], protocol=protocol, out=tmp_path / "page.html").read_text("utf-8")
    rows = re.findall(r'<div class="row".*?</div>', text, re.DOTALL)
    counts = re.findall(r"<b>(\d+) of (\d+) found in (\d+)</b>", text)
    assert len(rows) == len(counts) == retrieval.SPREAD + retrieval.WORST
    for row, (found, relevant, shown) in zip(rows, counts, strict=True):
        frames = re.findall(r'<span class="(right|wrong)"', row)
        ticks, crosses = row.count("✓"), row.count("✗")
        assert frames.count("right") == ticks == int(found)
        assert frames.count("wrong") == crosses == int(shown) - int(found)
        assert (int(relevant), int(shown)) == (2, retrieval.TOP)
        person = int(re.search(r"of pair p(\d\d)", row)[1])
        assert row.count("rank 1, " + ("wrong" if person % 2 else "right")) == 1
        for alt in re.findall(r'aria-label="rank \d+, right: ([^"]*)"', row):
            assert f"{person:02d}-" in alt


def test_people_are_spread_then_the_worst_and_no_pair_twice(
    run: tuple[Path, Record], protocol: Path, tmp_path: Path
) -> None:
    text = retrieval.write(run[0], protocol=protocol, out=tmp_path / "page.html").read_text("utf-8")
    spread, worst = (
        [int(p) for p in re.findall(r'aria-label="generated image of pair p(\d\d)', part)]
        for part in text.split("<section>")[1:]
    )
    assert spread == [0, 2, 3, 5, 6, 8, 9, 11]
    assert sorted(worst) == [1, 3, 5, 7, 9, 11], "those that show another person's clothes, one a person"
    pairs = re.findall(r"<code>([^<]*)</code>", text)
    assert len(set(pairs)) == len(pairs) == retrieval.SPREAD + retrieval.WORST
    again = retrieval.write(run[0], protocol=protocol, out=tmp_path / "again.html").read_text("utf-8")
    assert again == text


def test_hostile_names_are_text(run: tuple[Path, Record], protocol: Path, tmp_path: Path) -> None:
    found = read(retrieval.write(run[0], protocol=protocol, out=tmp_path / "page.html"))
    assert {tag for tag, _ in found.tags} & {"script", "img", "iframe", "object"} == set()
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert any(NASTY in said for said in found.said)
    assert any(NASTY in (attributes.get("aria-label") or "") for _, attributes in found.tags)
    links = [a.get("href") or "" for _, a in found.tags if "href" in a]
    assert links and all(link.startswith(("data:", "#")) for link in links)
    policy = next(a["content"] for tag, a in found.tags if tag == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy and "script-src" not in policy


def test_command(run: tuple[Path, Record], protocol: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["retrieve", str(run[0]), "--protocol", str(protocol), "--out", str(page)])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(page)
    assert page.is_file()


def test_score_writes_it_beside_the_leaderboard_and_leaves_no_old_one(
    plugins: None, protocol: Path, made: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    command = ["score", str(made), "--protocol", str(protocol), "--out", str(out), "--json"]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert (out / "retrieval.html").is_file()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.BUILT_IN["features"], "retrieval.vgg", f"{__name__}:Absent")
        done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "no evaluator" in done.stdout
    assert not (out / "retrieval.html").exists()


class Absent:
    def __init__(self, name: object, device: str) -> None:
        raise BenchError("no evaluator", fix="train one")


def test_no_page_without_labels(plugins: None, protocol: Path, made: Path, tmp_path: Path) -> None:
    record = api.score(made, protocol=protocol, data="unlabelled", out=tmp_path / "run", show=False)
    assert {s.value for s in record.scores} == {None}
    assert all("no label 'item'" in s.unavailable for s in record.scores)
    with pytest.raises(BenchError, match="no label 'item'"):
        retrieval.write(tmp_path / "run", protocol=protocol)


def test_what_cannot_be_drawn(run: tuple[Path, Record], protocol: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no record"):
        retrieval.write(tmp_path, protocol=protocol)
    with pytest.raises(BenchError, match="no retrieval by the backbone 'resnet'"):
        retrieval.write(run[0], "resnet", protocol)
    other = tmp_path / "found-v1.toml"
    other.write_text(protocol.read_text() + "\n# changed\n")
    with pytest.raises(BenchError, match="another protocol"):
        retrieval.write(run[0], protocol=other)
    with pytest.raises(BenchError, match="no protocol is called 'found-v1'"):
        retrieval.write(run[0])

"""Error curves as a page draws them: anchors, places, one style a row, and the markup in the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import numpy as np
import pytest
from made_up_rows import PEOPLE, context, make_record
from pose_batches import batch, pose, some_points

from fhpt_bench.leaderboard import to_html
from fhpt_bench.leaderboard.curves import STEPS, anchors, sheets
from fhpt_bench.leaderboard.view import Board, boards
from fhpt_bench.metrics.kec import KEC
from fhpt_bench.record import Record
from fhpt_bench.types import Curve

NASTY = '<script>alert(1)</script>"&'


def measured(name: str, error: float, lost: float, seed: int, kind: str = "model") -> Record:
    """A row whose points lie about ``error`` px off, a share ``lost`` not found; the detector itself errs by 2 px."""
    over = context(PEOPLE, 2)
    exact = some_points(len(over.people))
    own = np.random.default_rng(0).normal(0, 2, exact.shape).astype(np.float32)
    noise, person = np.random.default_rng(seed), np.random.default_rng(1).uniform(0.5, 1.5, PEOPLE).repeat(2)
    apart = noise.normal(0, error, exact.shape) * person[:, None, None]
    apart[:, 18:60] *= 1.6
    found = (exact + own + apart).astype(np.float32)
    found[noise.random(found.shape[:2]) < lost] = np.nan
    metric = KEC("kec")
    rows = metric.measure(batch([pose(xy) for xy in exact], found, exact + own))
    headline = ["kec[all]/body", "kec[all]/hands", "kec[detected]/body", "points-found/hands"]
    record = make_record(name, metric.summarise(rows, over), kind=kind, headline=headline)
    return record.model_copy(update={"curves": tuple(metric.curves(rows, over))})


@pytest.fixture(scope="module")
def rows() -> list[Record]:
    return [
        measured("drn", 4, 0.05, 1),
        measured("patn", 7, 0.2, 2),
        measured(NASTY, 5, 0.3, 3),
        measured("truth", 0, 0, 4, "oracle"),
        measured("copy-source", 25, 0.02, 5, "reference"),
        measured("blank", 1, 1, 6, "reference"),
    ]


@pytest.fixture(scope="module")
def board(rows: list[Record]) -> Board:
    return boards(rows)[0]


def line(x: Sequence[float], y: Sequence[float], weight: int = 100, name: str = "kec[all]/body") -> Curve:
    return Curve(
        name=name, x_label="error, px", y_label="points nearer than that", x=tuple(x), y=tuple(y),
        low=(None,) * len(x), high=(None,) * len(x), weight=weight,
    )  # fmt: skip


def test_anchors_share_the_errors_of_all_curves_out_evenly() -> None:
    x = np.linspace(0, 20, 41)
    rng = np.random.default_rng(0)
    errors = [rng.gamma(2, 2, 4000), rng.gamma(3, 4, 1000)]
    drawn = [line(x, [np.mean(e < a) for a in x], len(e)) for e in errors]
    at = anchors(drawn)
    assert len(at) == STEPS + 1
    assert at[0] == 0
    assert at[-1] == pytest.approx(20)
    inside = np.concatenate(errors)
    counts = np.histogram(inside[inside < 20], at)[0]
    assert counts.max() / counts.min() < 1.1
    even = [line(x, x / 20)]
    np.testing.assert_allclose(anchors(even), np.linspace(0, 20, STEPS + 1), atol=1e-4)


def test_anchors_are_even_where_nothing_was_found_and_never_fall() -> None:
    x = np.linspace(0, 20, 41)
    np.testing.assert_allclose(anchors([line(x, np.zeros(41))]), np.linspace(0, 20, STEPS + 1), atol=1e-9)
    at = anchors([line(x, (x > 5).astype(float))])
    assert (np.diff(at) > 0).all()
    assert ((at[1:-1] > 5) & (at[1:-1] < 5.6)).all(), "one step of errors has all the anchors"


def test_one_sheet_a_rule_one_figure_a_part_and_the_floor_in_each(board: Board) -> None:
    found = sheets(board, ["kec[all]/body"])
    assert [sheet.name for sheet in found] == ["kec[all]", "kec[detected]"]
    assert "not found is wrong" in found[0].about
    for sheet in found:
        assert [figure.title for figure in sheet.figures] == ["body", "face", "right hand", "left hand"]
        for figure in sheet.figures:
            assert [each.kind for each in figure.lines].count("floor") == 1
            for each in figure.lines:
                assert len(each.anchors) == STEPS + 1
                assert set(each.anchors) < set(each.places)
                heights = [y for _, y in each.places]
                assert heights == sorted(heights)
                assert all(0 <= x <= 1 and -1e-9 <= y <= 1 + 1e-9 for x, y in (*each.places, *each.band))
    names = {each.name for each in found[0].legend}
    assert names == {"drn", "patn", NASTY, "copy-source", "blank", "the detector on the true images"}, (
        "truth is the floor"
    )
    assert "blank" not in {each.name for each in found[1].legend}, "nothing was found in it"
    assert sheets(board, ["ssim[gauss1.5]"]) == ()


def test_a_row_keeps_its_style_and_its_value_is_that_of_the_curve(board: Board) -> None:
    figures = [figure for sheet in sheets(board, ["kec[all]/body"]) for figure in sheet.figures]
    styles = {
        each.name: {other.style for f in figures for other in f.lines if other.name == each.name}
        for each in figures[0].lines
    }
    assert all(len(found) == 1 for found in styles.values())
    assert styles["drn"] | styles["patn"] | styles[NASTY] == {0, 1, 2}
    limited = boards(
        [row.record.model_copy(update={"data": row.record.data.model_copy(update={"limit": 9})}) for row in board.rows]
    )
    kinds = {each.name: each.kind for each in sheets(limited[0], ["kec[all]/body"])[0].legend}
    assert kinds["drn"] == "model", "not ranked, and coloured nevertheless"
    assert kinds["blank"] == "reference"
    assert figures[0].middle == "nearer than 10 px"
    assert figures[2].middle == "nearer than 20 px"
    drn = next(row for row in board.rows if row.name == "drn").record
    curve = next(curve for curve in drn.curves if curve.name == "kec[all]/body")
    value, low, high = (100 * v[20] for v in (curve.y, curve.low, curve.high))
    shown = next(each for each in figures[0].lines if each.name == "drn").middle
    assert shown == f"{value:.0f} % [{low:.0f}, {high:.0f}]"


def test_the_axis_is_labelled_where_its_errors_stand(board: Board) -> None:
    for sheet in sheets(board, ["kec[all]/body"]):
        for figure in sheet.figures:
            places = [place for place, _ in figure.x_ticks]
            values = [float(text) for _, text in figure.x_ticks]
            assert values == sorted(values)
            assert (places[0], values[0], places[-1]) == (0, 0, 1)
            assert values[-1] == (40 if "hand" in figure.name else 20)
            assert 4 <= len(values) <= 12
            assert min(np.diff(places)) >= 0.09
            shown = [row.record for row in board.rows if row.name in {each.name for each in figure.lines}]
            at = anchors([c for r in shown for c in r.curves if c.name == figure.name])
            expected = np.interp(values, at, np.linspace(0, 1, STEPS + 1))
            np.testing.assert_allclose(places, expected, atol=0.04)  # anchors are the coarser of the two


def test_the_page_draws_them_named_described_and_escaped(rows: list[Record]) -> None:
    page = to_html(rows)
    figures = re.findall(r'<figure class="plot curve">.*?</figure>', page, re.S)
    assert len(figures) == 8
    ids = []
    for figure in figures:
        svg = ET.fromstring(re.search(r"<svg.*</svg>", figure, re.S)[0])
        title, desc = svg.find("title"), svg.find("desc")
        assert svg.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
        ids += [title.get("id"), desc.get("id")]
        assert "95 % bands" in title.text
        assert "drn" in desc.text
        assert NASTY in desc.text
        assert svg.findall(".//path[@class='area model s0']")
    assert len(set(ids)) == 16
    assert "<script>alert" not in page
    without = to_html([row.model_copy(update={"curves": ()}) for row in rows])
    assert '<figure class="plot curve">' not in without
    assert "eypoint error curves" not in without


def test_more_models_than_colours_repeat_them_dashed() -> None:
    x = np.linspace(0, 20, 41)
    over = measured("m0", 3, 0, 9)
    many = [
        over.model_copy(
            update={"model": over.model.model_copy(update={"name": f"m{k}"}), "curves": (line(x, (x / 20) ** (1 + k)),)}
        )
        for k in range(8)
    ]  # fmt: skip
    (sheet,) = sheets(boards(many)[0], ["kec[all]/body"])
    assert sorted(each.style for each in sheet.legend) == list(range(8))
    assert to_html(many).count("line model s1 again") >= 1

"""Score names taken apart, and the words a reader gets for them."""

from __future__ import annotations

import pytest
from made_up_rows import make_record

from fhpt_bench.leaderboard.families import family, family_of, order
from fhpt_bench.leaderboard.names import parse
from fhpt_bench.leaderboard.view import Column, boards
from fhpt_bench.types import Score


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("psnr", ("psnr", "", "", "", "", "")),
        ("lpips[alex]/visible", ("lpips", "", "alex", "visible", "", "visible")),
        ("kec[all,floor]/left_hand", ("kec", "", "all,floor", "left_hand", "", "left_hand")),
        ("pck@0.1/body", ("pck", "@0.1", "", "body", "", "body")),
        ("face-same@eer[target,all]", ("face-same", "@eer", "target,all", "", "", "")),
        (
            "recall@5[vgg,other-views]/top_pattern=dots",
            ("recall", "@5", "vgg,other-views", "top_pattern=dots", "top_pattern", "dots"),
        ),
        ("gender-error[vgg]/women", ("gender-error", "", "vgg", "women", "presentation", "women")),
        ("gender-error[vgg]/skin_tone=3", ("gender-error", "", "vgg", "skin_tone=3", "skin_tone", "3")),
        ("x[a/b=c]/d=e/f", ("x", "", "a/b=c", "d=e/f", "d", "e/f")),
    ],
)
def test_the_parts_of_a_name(name: str, expected: tuple[str, ...]) -> None:
    found = parse(name)
    assert (found.metric, found.at, found.setting, found.group, found.key, found.value) == expected
    assert found.whole + (f"/{found.group}" if found.group else "") == name


@pytest.mark.parametrize("name", ["", "/", "[", "a]b[", "@@", "=x", "<script>/</script>", "a\nb/c\nd"])
def test_no_name_is_refused(name: str) -> None:
    assert column(name or "x").name == (name or "x")
    assert parse(name).key in ("", "c\nd", parse(name).group.partition("=")[0])


def column(name: str, **headline: tuple[str, ...]) -> Column:
    score = Score(name=name, value=0.5, better="higher", pairs=1)
    return boards([make_record("m", [score], headline=headline or {"semantic": ()})])[0].columns[0]


def test_words_for_a_reader() -> None:
    found = column("recall@5[vgg,other-views]/top_pattern=dots")
    assert (found.label, found.setting, found.region) == ("Recall@5", "vgg, other-views", "top pattern dots")
    assert "left out of the gallery" in found.about
    assert found.about.endswith("pattern of the top: dots.")
    assert column("kec[all]/face").about.endswith("Over the points of the face.")
    assert column("lpips[alex]/face").about.endswith("Over the face.")
    assert column("brightness").label == "brightness"


HEADLINE = {"seen": ("lpips[alex]", "odd[x]"), "structural": ("kec[all]/body",)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lpips[alex]", "seen"),
        ("lpips[vgg]/hands", "seen"),
        ("odd[y]/z=1", "seen"),
        ("kec[detected]/face", "structural"),
        ("pck@0.1/body", "structural"),
        ("ssim", "perceptual"),
        ("recall@3[vgg,paper]", "semantic"),
        ("brightness", ""),
    ],
)
def test_the_headline_says_first_to_which_family_a_score_belongs(name: str, expected: str) -> None:
    assert family_of(name, HEADLINE) == expected
    assert family_of(name, {"": ("lpips[alex]",)}) == ""
    assert family_of(name, {}) == ""


def test_families_stand_in_the_headlines_order_and_name_themselves() -> None:
    assert order(HEADLINE) == ["seen", "structural", "perceptual", "semantic", ""]
    assert (family("how_fast").title, family("structural").title, family("").title) == (
        "How fast", "Structural", "Other scores",
    )  # fmt: skip
    assert family("semantic").about.endswith("?")

"""The page of many scores in a real browser: a table a family, breakdowns below, nothing too large."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from made_up_rows import make_gallery, make_record
from many_rows import HEADLINE, NO_DETECTOR, NO_PAIR, many
from reading import becomes, chip, names
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from fhpt_bench.leaderboard import to_html, write
from fhpt_bench.types import Score

NASTY = "<img src=x onerror=alert(1)>"
ORDER = ["truth", "exact-warp", "drn", "drn-with-a-very-long-name-indeed", "patn", "spgnet", "copy-source", "blank"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(many(), tmp_path_factory.mktemp("many"))


@pytest.fixture
def families(browser: webdriver.Chrome, page: Path) -> list[WebElement]:
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(page.as_uri())
    return browser.find_elements(By.CSS_SELECTOR, "section.family")


def titles(family: WebElement) -> list[str]:
    """Names of the scores whose columns show."""
    return [
        head.get_attribute("title").partition(": ")[0]
        for head in family.find_elements(By.CSS_SELECTOR, ":scope > .scroll th.score")
    ]


def rows(family: WebElement) -> list[str]:
    return [link.text for link in family.find_elements(By.CSS_SELECTOR, ":scope > .scroll tbody th a")]


def ranks(family: WebElement) -> list[str]:
    return [rank.text for rank in family.find_elements(By.CSS_SELECTOR, ".rank")]


def test_a_table_a_family_with_its_question_and_headline(families: list[WebElement]) -> None:
    heads = [family.find_element(By.TAG_NAME, "h3").text for family in families]
    assert [head.split()[0] for head in heads] == ["Perceptual", "Structural", "Semantic"]
    assert all(head.endswith("?") for head in heads)
    for family, shown in zip(families, HEADLINE.values(), strict=True):
        assert titles(family) == [name for name in shown if name != "kec[all]/left_hand"]


def test_all_tables_start_in_one_order_and_sort_alone(families: list[WebElement]) -> None:
    assert [rows(family) for family in families] == [ORDER] * 3
    assert [ranks(family) for family in families] == [["", "", "1", "2", "3", "4", "", ""]] * 3
    head = families[1].find_elements(By.CSS_SELECTOR, "th.score .dt-column-header")[2]  # the right hand
    head.click()
    becomes(lambda: rows(families[1])[2:4], ["drn-with-a-very-long-name-indeed", "drn"])
    assert ranks(families[1]) == ["", "", "1", "2", "3", "4", "", ""]
    assert [rows(families[0]), rows(families[2])] == [ORDER] * 2


def test_one_filter_for_all_tables(browser: webdriver.Chrome, families: list[WebElement]) -> None:
    board = browser.find_element(By.ID, "b0")
    board.find_element(By.CSS_SELECTOR, "[type=search]").send_keys("patn")
    becomes(lambda: [rows(family) for family in families], [["patn"]] * 3)
    board.find_element(By.CSS_SELECTOR, "[type=search]").send_keys("\b" * 4)
    chip(board, "references").click()
    becomes(lambda: [rows(family) for family in families], [ORDER[2:6]] * 3)


def test_parts_fold_out_and_groups_of_pairs_are_no_columns(families: list[WebElement]) -> None:
    chip(families[1], "KEC by part").click()
    becomes(lambda: len(titles(families[1])), 5 + 16)
    assert "kec[all,floor]/left_hand" in titles(families[1])
    chips = [" ".join(label.text.split()) for label in families[2].find_elements(By.CSS_SELECTOR, ".chip")]
    assert chips == ["More scores 11"]
    chip(families[2], "More scores").click()
    becomes(lambda: "fashion-is/std" in titles(families[2]), True)
    assert not [name for name in titles(families[2]) if "=" in name and name not in HEADLINE["semantic"]]


def test_what_no_row_has_is_said_once(families: list[WebElement]) -> None:
    said = families[1].find_element(By.CSS_SELECTOR, ".absent").text
    assert said == f"Unavailable in every row: kec[all]/left_hand. {NO_DETECTOR}"
    assert NO_PAIR in families[2].find_element(By.CSS_SELECTOR, ".notes").text


def test_breakdowns_show_every_group_of_every_row(families: list[WebElement]) -> None:
    assert families[0].find_elements(By.CSS_SELECTOR, ".breakdown") == []
    found = families[2].find_elements(By.CSS_SELECTOR, ".breakdown")
    assert [each.find_element(By.TAG_NAME, "summary").text for each in found] == [
        "By pattern of the top 3", "By colour of the top 3", "By presentation label 3", "By face in the source 3",
        "By skin tone 3",
    ]  # fmt: skip
    tones = found[-1]
    assert not tones.find_element(By.TAG_NAME, "table").is_displayed()
    tones.find_element(By.TAG_NAME, "summary").click()
    first = tones.find_element(By.CSS_SELECTOR, "figure.split")
    assert first.find_element(By.TAG_NAME, "figcaption").text == "Gender error vgg \u2193 lower is better"
    heads = [head.get_attribute("title") for head in first.find_elements(By.CSS_SELECTOR, "th.score")]
    assert heads == ORDER
    groups = [head.text for head in first.find_elements(By.CSS_SELECTOR, "tbody th")]
    assert groups == ["all pairs", *"123456"]
    lines = first.find_elements(By.CSS_SELECTOR, "tbody tr")
    assert all(len(line.find_elements(By.CSS_SELECTOR, ".strip")) == 8 for line in lines[:6])
    assert {cell.text for cell in lines[6].find_elements(By.TAG_NAME, "td")} == {"\u20141"}
    assert tones.find_element(By.CSS_SELECTOR, ".notes").text == NO_PAIR
    cell = lines[3].find_elements(By.TAG_NAME, "td")[2]
    score = next(row for row in many() if row.model.name == "drn").score("gender-error[vgg]/skin_tone=3")
    assert abs(float(cell.get_attribute("data-order")) - score.value) < 1e-12


def test_the_model_page_has_the_headline_of_each_family_and_the_rest_folded(
    browser: webdriver.Chrome, families: list[WebElement]
) -> None:
    browser.get(browser.current_url.partition("#")[0] + "#m2")
    article = browser.find_element(By.ID, "m2")
    shown = [t for t in article.find_elements(By.CSS_SELECTOR, "table.plain") if t.is_displayed()]
    assert [len(t.find_elements(By.CSS_SELECTOR, "tbody tr")) for t in shown] == [len(n) for n in HEADLINE.values()]
    rest = article.find_elements(By.CSS_SELECTOR, "details.rest summary")
    counts = [int(summary.text.split()[0]) for summary in rest]
    assert sum(counts) + sum(map(len, HEADLINE.values())) == len(many()[0].scores)


def test_the_page_is_small_and_quick(browser: webdriver.Chrome, page: Path, families: list[WebElement]) -> None:
    assert len(many()[0].scores) > 140
    assert page.stat().st_size < 2_000_000
    timing = "const t = performance.getEntriesByType('navigation')[0]; return t.loadEventEnd - t.responseEnd"
    assert browser.execute_script(timing) < 5000
    assert browser.get_log("browser") == []


def test_pictures_of_many_scores_stay_few() -> None:
    """Groups of pairs choose no pictures of their own."""
    record = many()[2]
    gallery = make_gallery(make_record("m", []), 1)
    for pair in gallery.pairs:
        pair.scores.update({score.name: 0.5 for score in record.scores if "=" in score.name})
    text = to_html([record], {0: gallery})
    albums = re.findall(r'<details class="album".*?</summary>', text, re.S)
    assert len(albums) == 1  # the one of a group that the headline names
    assert "source face hidden" in albums[0]


@pytest.mark.parametrize("width", [360, 1400])
def test_only_tables_scroll_sideways(browser: webdriver.Chrome, families: list[WebElement], width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for anchor in ("", "#m2"):
            browser.get(browser.current_url.partition("#")[0] + anchor)
            browser.execute_script("document.querySelectorAll('details').forEach((each) => (each.open = true))")
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_hostile_names_of_families_settings_and_groups_are_text(browser: webdriver.Chrome, tmp_path: Path) -> None:
    scores = [
        Score(name=name, value=0.5, low=0.4, high=0.6, better="higher", pairs=3)
        for name in (f"x[{NASTY},b]", f"x[{NASTY},b]/{NASTY}", f"x[{NASTY},b]/<b>key</b>={NASTY}", f"{NASTY}/a=b")
    ]
    lost = Score(name=f"y[{NASTY}]", value=None, better="higher", pairs=0, unavailable=NASTY)
    rows = [
        make_record(NASTY + str(k), [*scores, lost], headline={NASTY: (scores[0].name, lost.name), "__proto__": ()})
        for k in range(2)
    ]
    browser.get(write(rows, tmp_path).as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    text = browser.find_element(By.ID, "boards").text
    assert text.count(NASTY) > 8
    assert "By <b>key</b>" in text
    assert browser.execute_script("return document.images.length") == 0
    assert browser.get_log("browser") == []
    assert names(browser.find_element(By.ID, "b0"))[:2] == [NASTY + "0", NASTY + "1"]

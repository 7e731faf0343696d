"""The page in a real browser: it sorts, filters, folds, shows names as text, and asks nobody for anything."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from made_up_rows import make_record, make_scores
from reading import becomes, chip, column, heading, names
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from fhpt_bench.errors import BenchError
from fhpt_bench.leaderboard import Gallery, to_html, write
from fhpt_bench.record import Record

NASTY = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def page(records: list[Record], galleries: dict[int, Gallery], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, a limited row, a row of other data, and one that attacks wherever it may write text."""
    attack = make_record(
        NASTY + "../../etc",
        make_scores(0.1, 9),
        card={NASTY: f'"><img src=x onerror=alert(2)> {NASTY}', "link": "javascript:alert(3)"},
        source="</style></svg><img src=https://example.com/x.png>",
    )
    attack = attack.model_copy(
        update={
            "scores": tuple(
                s.model_copy(update={"value": None, "low": None, "high": None, "unavailable": NASTY})
                if s.name == "psnr"
                else s
                for s in attack.scores
            )
        }
    )
    rows = [*records, attack, make_record("limited" * 60, make_scores(2.0), limit=20)]
    rows.append(make_record("elsewhere", make_scores(2.0), data="e" * 64))
    return write(rows, tmp_path_factory.mktemp("page"), galleries)


@pytest.fixture
def board(browser: webdriver.Chrome, page: Path) -> WebElement:
    browser.get("about:blank")
    browser.get(page.as_uri())
    return browser.find_element(By.ID, "b0")


def test_no_console_error_and_no_request(browser: webdriver.Chrome, page: Path) -> None:
    browser.get("about:blank")
    browser.get_log("performance")  # what the browser's own first tab asked for
    browser.get(page.as_uri())
    for link in browser.find_elements(By.CSS_SELECTOR, "th.score .dt-column-header")[:2]:
        link.click()
    browser.get(browser.current_url.partition("#")[0] + "#m0")
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked, "the log must at least hold the page itself"
    assert [url for url in asked if url != page.as_uri() and not url.startswith("data:")] == []


def test_the_policy_stops_what_is_not_ours(browser: webdriver.Chrome, board: WebElement) -> None:
    browser.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.hit = 1'; document.body.append(s);"
        "const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i);"
    )
    assert browser.execute_script("return window.hit") is None
    assert sum("Content Security Policy" in entry["message"] for entry in browser.get_log("browser")) == 2


def test_starts_with_the_best_first_by_the_first_headline_column(board: WebElement) -> None:
    assert names(board)[:3] == ["truth", "exact-warp", "drn"]
    assert names(board)[-1] == "blank"


def test_sorts_both_ways_with_empty_cells_last(browser: webdriver.Chrome, board: WebElement) -> None:
    head = heading(board, "psnr:")
    for expected in ("descending", "ascending"):
        head.find_element(By.CSS_SELECTOR, ".dt-column-header").click()
        becomes(lambda: head.get_attribute("aria-sort"), expected)
        values = [float(text.replace("\u2212", "-").rstrip("\u2248")) for text in column(board, 3)]
        assert len(values) == 6
        assert values == sorted(values, reverse=expected == "descending")
        assert set(names(board)[-2:]) == {"truth", NASTY + "../../etc"}
    heading(board, "lpips[alex]:").find_element(By.CSS_SELECTOR, ".dt-column-header").click()
    becomes(lambda: names(board)[-1], "blank")  # lower is better, so the first click puts the lowest on top


def test_rank_follows_the_sorted_column(board: WebElement) -> None:
    heading(board, "fid:").find_element(By.CSS_SELECTOR, ".dt-column-header").click()

    def ranks() -> list[str]:
        return [element.text for element in board.find_elements(By.CSS_SELECTOR, ".scores .rank")]

    becomes(ranks, ["", "", "1", "2", "3", "4", "", ""])
    heading(board, "psnr:").find_element(By.CSS_SELECTOR, ".dt-column-header").click()
    becomes(ranks, ["", "1", "2", "3", "", "", "", ""])  # the fourth model has no PSNR


def test_filters_by_name_and_hides_references(board: WebElement) -> None:
    search = board.find_element(By.CSS_SELECTOR, "[type=search]")
    search.send_keys("drn")
    becomes(lambda: names(board), ["drn", "drn-no-texture"])
    search.send_keys("xyz")
    becomes(lambda: names(board), [])
    assert "No row matches" in board.text
    search.clear()
    search.send_keys(" ")
    chip(board, "references").click()
    becomes(lambda: names(board), ["drn", "drn-no-texture", "patn", NASTY + "../../etc"])
    chip(board, "references").click()
    becomes(lambda: len(names(board)), 8)


def test_regions_are_folded_until_asked_for(board: WebElement) -> None:
    def heads() -> list[str]:
        return [h.text.split()[0] for h in board.find_elements(By.CSS_SELECTOR, "th.score")]

    assert heads() == ["SSIM", "LPIPS", "PSNR", "FID", "KID", "SSIM"]
    chip(board, "LPIPS by region").click()
    becomes(lambda: heads()[6:], ["foreground", "visible", "occluded", "background", "face", "hands", "clothes"])
    assert len(board.find_elements(By.CSS_SELECTOR, ".scores tbody tr:first-child td")) == 13
    chip(board, "LPIPS by region").click()
    becomes(lambda: len(heads()), 6)


def test_best_tied_and_reasons_are_marked(board: WebElement) -> None:
    best = board.find_elements(By.CSS_SELECTOR, "td.best")
    assert len(best) == 6
    assert all("rank 1" in cell.get_attribute("title") for cell in best)
    tied = board.find_element(By.CSS_SELECTOR, "td.tied")
    assert "\u2248" in tied.text
    assert "tied with the best" in tied.get_attribute("title")
    assert re.search(r"\[0\.\d+, 0\.\d+\]", tied.text)
    empty = [
        cell for cell in board.find_elements(By.CSS_SELECTOR, "td.none") if "finite" in cell.get_attribute("title")
    ]
    assert len(empty) == 1
    assert "identical images have no finite PSNR" in board.find_element(By.CSS_SELECTOR, ".notes").text


def test_names_and_reasons_are_text(browser: webdriver.Chrome, board: WebElement) -> None:
    assert NASTY + "../../etc" in names(board)
    assert NASTY in board.find_element(By.CSS_SELECTOR, ".notes").text
    browser.get(browser.current_url.partition("#")[0] + "#m7")
    article = browser.find_element(By.ID, "m7")
    assert article.find_element(By.TAG_NAME, "h1").text == NASTY + "../../etc"
    assert "onerror=alert(2)" in article.text
    assert browser.execute_script("return document.scripts.length") == 2
    assert browser.execute_script("return document.images.length") == 0
    hrefs = browser.execute_script("return [...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert all(re.fullmatch(r"#(b\d+|m\d+|boards)", href) for href in hrefs)


def test_other_data_and_limited_rows_stand_in_tables_of_their_own(browser: webdriver.Chrome, board: WebElement) -> None:
    assert len(browser.find_elements(By.CSS_SELECTOR, "section.board")) == 3
    limited, elsewhere = browser.find_element(By.ID, "b1"), browser.find_element(By.ID, "b2")
    assert names(limited) == ["limited" * 60]
    assert "not ranked" in limited.text
    assert [element.text for element in limited.find_elements(By.CSS_SELECTOR, ".rank")] == [""]
    assert limited.find_elements(By.CSS_SELECTOR, "td.best") == []
    assert names(elsewhere) == ["elsewhere"]


def test_a_model_has_a_page_with_gallery_and_provenance(browser: webdriver.Chrome, board: WebElement) -> None:
    next(a for a in board.find_elements(By.CSS_SELECTOR, ".scores tbody th a") if a.text == "drn").click()
    article = browser.find_element(By.ID, "m0")
    assert article.is_displayed()
    assert not browser.find_element(By.ID, "boards").is_displayed()
    assert "1,843,211" in article.text
    assert "fhpt-bench run --model drn" in article.text
    album = article.find_element(By.CSS_SELECTOR, "details.album[open]")
    shots = album.find_elements(By.CSS_SELECTOR, ".shot")
    assert len(shots) == 8
    for label in ("Worst", "Around the median", "source", "pose", "truth", "generated"):
        assert label in album.text
    worst = [float(s.find_element(By.CSS_SELECTOR, ".chosen").text.split()[-1]) for s in shots[:4]]
    assert worst == sorted(worst)  # SSIM: the lowest is the worst
    pictures = album.find_elements(By.CSS_SELECTOR, "svg.pic")
    assert len(pictures) == 32
    assert all(p.rect["width"] > 40 and p.rect["height"] > 60 for p in pictures)
    article.find_element(By.CSS_SELECTOR, "nav a").click()
    assert browser.find_element(By.ID, "boards").is_displayed()


def test_pictures_are_really_painted(browser: webdriver.Chrome, board: WebElement) -> None:
    """The stored pictures decode: the page's policy lets data URIs through, and <use> finds them."""
    place = board.find_element(By.CSS_SELECTOR, ".compare svg.pic").rect
    clip = {"clip": {**place, "scale": 1}, "captureBeyondViewport": True}
    shown = browser.execute_cdp_cmd("Page.captureScreenshot", clip)["data"]
    browser.execute_script("document.querySelector('svg.store').remove()")
    assert browser.execute_cdp_cmd("Page.captureScreenshot", clip)["data"] != shown


def test_comparison_leaves_out_the_row_that_is_the_truth(board: WebElement) -> None:
    heads = [h.text for h in board.find_elements(By.CSS_SELECTOR, ".compare th")]
    assert heads == ["source", "pose", "truth", "drn", "drn-no-texture"]
    assert len(board.find_elements(By.CSS_SELECTOR, ".compare tbody tr")) == 6


@pytest.mark.parametrize("width", [360, 400, 1400])
def test_only_tables_scroll_sideways(browser: webdriver.Chrome, board: WebElement, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for anchor in ("", "#m0", "#m7"):
            browser.get(browser.current_url.partition("#")[0] + anchor)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_same_records_give_the_same_page(records: list[Record]) -> None:
    assert to_html(records) == to_html(records)


def test_write_leaves_four_files_and_refuses_a_file(records: list[Record], tmp_path: Path) -> None:
    write([make_record("../../escape", make_scores(0.1)), *records], tmp_path / "out")
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert found == [f"out/leaderboard.{end}" for end in ("csv", "html", "md", "tex")]
    (tmp_path / "taken").write_text("x")
    with pytest.raises(BenchError, match="needs a folder"):
        write(records, tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "x"

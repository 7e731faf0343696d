"""A board as people will see it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from made_up_rows import example, make_gallery
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from fhpt_bench.leaderboard import Gallery
from fhpt_bench.record import Record

FLAGS = (
    "--headless", "--force-prefers-reduced-motion", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--disable-extensions", "--window-size=1400,1000",
)  # fmt: skip


@pytest.fixture(scope="session")
def records() -> list[Record]:
    return example()


@pytest.fixture(scope="session")
def galleries(records: list[Record]) -> dict[int, Gallery]:
    """Of drn (0), drn-no-texture (2) and truth (3), whose images are the truth itself."""
    return {index: make_gallery(records[index], seed) for index, seed in ((0, 1), (2, 2), (3, 0))}


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    binary, driver = next(filter(None, found), None), shutil.which("chromedriver")
    assert binary, "this test needs Chromium: apt install chromium"
    assert driver, "this test needs chromedriver: apt install chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()

"""What a reader sees of a page in the browser."""

from __future__ import annotations

import time
from collections.abc import Callable

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement


def names(board: WebElement) -> list[str]:
    return [link.text for link in board.find_elements(By.CSS_SELECTOR, ".scores tbody th a")]


def column(board: WebElement, number: int) -> list[str]:
    return [cell.text for cell in board.find_elements(By.CSS_SELECTOR, f".scores tbody td:nth-of-type({number}) .v")]


def heading(board: WebElement, name: str) -> WebElement:
    return next(
        h for h in board.find_elements(By.CSS_SELECTOR, "th.score") if h.get_attribute("title").startswith(name)
    )


def becomes(read: Callable[[], object], expected: object) -> None:
    """The page answers a click a moment later: wait until ``read`` gives ``expected``, at most 20 seconds."""
    end = time.monotonic() + 20
    while read() != expected and time.monotonic() < end:
        time.sleep(0.05)
    assert read() == expected


def chip(board: WebElement, label: str) -> WebElement:
    return next(c for c in board.find_elements(By.CSS_SELECTOR, ".chip") if label in c.text)

"""The page: figures in their formats, nothing fetched, nothing injected, the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from bessemer.report.facts import contract_batch, headline
from bessemer.report.html import render

VOID = {"meta", "img", "br", "link"}
HOSTILE = "<script>alert('x')</script>"


class Page(HTMLParser):
    """Checks that elements nest, and collects identifiers, tags and visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.sources: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for key, value in attrs if key == "id"]
        self.sources += [value or "" for key, value in attrs if key in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def page(original: dict[str, Any]) -> str:
    """The page of the unchanged report, drawn once."""
    return render(original)


def section(page: str, name: str) -> str:
    """The text of one section."""
    found = re.search(rf'<section id="{name}">.*?</section>', page, re.DOTALL)
    assert found is not None
    return Page(found[0]).words


def test_headline_and_figures(page: str) -> None:
    words = Page(page).words
    assert "smaller and 5.2x faster than its parent and loses 0.28 points of accuracy." in words
    assert "✓ contract met" in words
    result = section(page, "result")
    assert "accuracy 98.61% 97.40 to 99.38% 98.33% 97.12 to 99.10% -0.28 points" in result
    assert "size 1.2 MB 134 kB 9.1x smaller" in result
    assert "latency, batch 1 0.142 ms p90 0.161 ms 0.0412 ms p90 0.0533 ms 3.4x faster" in result
    assert "speed-up at least min_speedup 2.0x 5.2x met" in section(page, "contract")
    assert "2 cannot be decoded" in section(page, "data")
    assert "shipped int8 99.72% 4.1e-01 360" in section(page, "parity")
    assert "prepare 1.2 s from cache a1a1a1a1a1a1" in section(page, "stages")
    assert "int8 quantization compress -0.11 points -0.32 to +0.11 -181 kB -0.671 ms 4.9 s" in section(
        page, "ledger"
    )


def test_recipe_keeps_its_order(page: str) -> None:
    recipe = section(page, "recipe")
    assert "name: digits data: source: digits size: null" in recipe
    assert recipe.index("train:") < recipe.index("compress:")


def test_nothing_is_fetched(report: dict[str, Any]) -> None:
    report["data"]["samples"] = [{"image": "https://example.com/track.png", "label": "zero"}]
    report["sections"]["mistakes"]["blocks"][0]["samples"][0]["image"] = "https://example.com/track.png"
    page = render(report)
    assert "http" not in page
    assert "@import" not in page
    assert not {"script", "link", "iframe", "object"} & Page(page).tags
    assert all(source.startswith(("#", "data:image/")) for source in Page(page).sources)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


def test_inner_links_arrive_and_identifiers_are_unique(page: str) -> None:
    parsed = Page(page)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {source[1:] for source in parsed.sources if source.startswith("#")} <= set(parsed.ids)


def test_hostile_names_are_text(report: dict[str, Any]) -> None:
    hostile = report
    hostile["name"] = HOSTILE
    names = [HOSTILE, "$\\frac{", '"><img src=x onerror=alert(1)>', "字", *"abcdef"]
    hostile["data"]["quarantined"] = {HOSTILE: 1}
    hostile["data"]["quarantined_samples"] = [{"path": HOSTILE, "reason": HOSTILE}]
    told = hostile["sections"]
    told["classes"]["blocks"][0]["rows"][0][0] = HOSTILE
    told["confusion"]["blocks"][0]["names"] = names
    told["mistakes"]["blocks"][0]["samples"][0]["told"] = {HOSTILE: HOSTILE}
    told["mistakes"]["title"] = told["mistakes"]["lead"] = HOSTILE
    hostile["data"]["blocks"][0]["names"] = names
    hostile["contract"]["candidates"][0]["name"] = HOSTILE
    hostile["ledger"][0]["technique"] = HOSTILE
    hostile["curves"]["candidates"][HOSTILE] = hostile["curves"]["parent"]
    hostile["recipe"]["name"] = HOSTILE
    page = render(hostile)
    parsed = Page(page)
    assert "script" not in parsed.tags
    assert "x" not in parsed.sources
    assert HOSTILE in parsed.words


def test_same_report_same_bytes(report: dict[str, Any], page: str) -> None:
    assert render(report) == page


def test_charts_follow_light_and_dark(page: str) -> None:
    assert page.count("<svg") == 6
    assert "prefers-color-scheme: dark" in page
    for chart in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        assert "var(--ink)" in chart
        assert "#1000" not in chart
        assert "<metadata" not in chart


def test_stopped_after_training(stopped: dict[str, Any]) -> None:
    page = render(stopped)
    words = Page(page).words
    assert "– not run" in words
    assert "The parent reaches 98.61% accuracy on the test split. Compression was not run." in words
    assert "size 1.2 MB not measured" in section(page, "result")
    assert "not run" in section(page, "contract")
    assert "not run" in section(page, "candidates")
    assert "not run" in section(page, "ledger")
    assert "not run" in section(page, "parity")
    assert "The parent model on the test split." in section(page, "confusion")


def test_empty_report_renders() -> None:
    page = render({})
    assert "No model is measured yet." in Page(page).words
    assert "<svg" not in page


PARTS = ["data", "stages", "metrics", "sections", "sizes", "latency", "curves"]


@pytest.mark.parametrize("key", PARTS)
def test_any_part_may_be_missing(report: dict[str, Any], key: str) -> None:
    del report[key]
    Page(render(report))


def test_refused_contract_names_the_nearest_candidate(report: dict[str, Any]) -> None:
    contract = report["contract"]
    contract |= {"met": False, "chosen": None, "verdict": []}
    for one in contract["candidates"]:
        one |= {"chosen": False, "met": False, "missed": ["max_drop", "min_speedup"]}
    contract["candidates"][6]["missed"] = ["max_drop"]
    for key in ("metrics", "sizes", "latency"):
        del report[key]["shipped"]
    page = render(report)
    assert "✗ contract refused" in Page(page).words
    assert headline(report) == (
        "No candidate meets the contract, so nothing ships. "
        "keep 0.35 fp32 comes nearest: it misses the limit on accuracy change."
    )
    assert "accuracy change at least max_drop -1.00 points not measured not measured" in section(page, "contract")


def test_many_classes_stay_readable(many: dict[str, Any]) -> None:
    page = render(many)
    assert "The other 110 classes" in section(page, "classes")
    confusion = re.search(r'<section id="confusion">.*?</section>', page, re.DOTALL)
    assert confusion is not None
    assert ">36</text>" not in confusion[0]  # no numbers in the cells
    assert confusion[0].count("<text") < 100
    assert len(page) < 600_000


def test_batch_of_the_contract_is_the_stated_one(report: dict[str, Any]) -> None:
    report["contract"]["batch"] = 8
    assert contract_batch(report) == "8"
    report["contract"] = None
    assert contract_batch(report) == "64"


def test_ledger_that_does_not_add_up_shows_the_rest(report: dict[str, Any], page: str) -> None:
    assert "not attributed" not in section(page, "ledger")
    report["ledger"].pop()
    words = section(render(report), "ledger")
    assert "not attributed" in words
    assert "-181 kB" in words


def test_each_kind_of_data_nests_and_fetches_nothing(
    told: tuple[str, dict[str, Any]], bare: Callable[[dict[str, Any]], str]
) -> None:
    parsed = Page(bare(told[1]))
    assert len(parsed.ids) == len(set(parsed.ids))
    assert all(source.startswith(("#", "data:image/")) for source in parsed.sources)


def test_lengths_are_drawn_on_the_page(text_report: dict[str, Any]) -> None:
    page = render(text_report)
    Page(page)
    assert page.count("<svg") == 7
    assert "Lengths [tokens]" in section(page, "data")
    assert "7.12 points better than the baseline" in section(page, "result")

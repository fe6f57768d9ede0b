"""The data section: every row accounted for, samples of each kind, and nothing hostile from a broken file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bessemer.report.prepared import EACH, data_section
from bessemer.report.samples import EXCERPT, excerpt, shown

Render = Callable[[dict[str, Any]], str]
COUNTS = st.integers(0, 10**9)


@pytest.fixture(scope="module")
def page(bare: Render, told: tuple[str, dict[str, Any]]) -> str:
    """The page of one kind of data."""
    return bare(told[1])


def section(page: str, name: str = "data") -> str:
    """One section of a page."""
    found = re.search(rf'<section id="{name}">.*?</section>', page, re.DOTALL)
    assert found is not None
    return found[0]


@given(kept=COUNTS, duplicates=COUNTS, leaks=COUNTS, reasons=st.lists(COUNTS, max_size=4), lost=st.integers(-3, 3))
def test_account_adds_up_or_says_so(kept: int, duplicates: int, leaks: int, reasons: list[int], lost: int) -> None:
    parts = {"kept": kept, "duplicates": duplicates, "leaks": leaks}
    data = parts | {"quarantined": {str(i): n for i, n in enumerate(reasons)}}
    rows = kept + duplicates + leaks + sum(reasons)
    account = data_section({"data": data | {"rows": rows + lost}})["account"]
    assert account["rest"] == (f"{lost:+,}" if lost else "")
    if rows and not lost:
        assert sum(float(part["width"]) for part in account["parts"]) == pytest.approx(100, abs=0.01)


def test_rows_that_are_missing_are_shown(bare: Render, report: dict[str, Any]) -> None:
    assert "not accounted for" not in section(bare(report))
    report["data"]["rows"] += 12
    assert "+12 are not accounted for" in section(bare(report))


def test_all_that_was_found_is_told(told: tuple[str, dict[str, Any]], page: str) -> None:
    kind, report = told
    data, text = report["data"], section(page)
    assert "150 of them near copies" in text
    for group in (data["quarantined"], data["repairs"]):
        assert all(reason in text for reason in group)
    assert "no suffix" in text
    assert "one removed as a copy" in text
    assert "removed from the training side" in text
    assert "labels differ" in text
    assert "The same content under several labels: 7" in text
    assert "for review: none was dropped or changed" in text
    assert "19 of 1,293 training samples are in doubt" in text
    assert "which gives the stated label to 88.00% of them all" in text
    assert ("posts.csv" in text) == (kind == "text")
    assert ("8.30% of the texts" in data_section(report)["tokens"]) == (kind == "text")
    assert "the smallest" in data["blocks"][0]["caption"]


def test_samples_are_pictures_or_excerpts(told: tuple[str, dict[str, Any]], page: str) -> None:
    kind, report = told
    shown_kinds = {"image": (True, False), "audio": (True, False), "text": (False, True)}[kind]
    for part in (section(page), section(page, "mistakes")):
        assert ("<img" in part, "<blockquote" in part) == shown_kinds
    mistakes = section(page, "mistakes")
    assert mistakes.count("<figure>") == len(report["sections"]["mistakes"]["blocks"][0]["samples"])
    assert report["sections"]["mistakes"]["blocks"][0]["samples"][0]["path"] in mistakes


def test_few_of_a_reason_are_shown_and_the_others_counted(text_report: dict[str, Any]) -> None:
    (first, *_) = data_section(text_report)["quarantined"]
    assert (first["reason"], first["times"], len(first["rows"])) == ("shorter than 20 characters", 61, EACH)
    assert first["more"] == 61 - EACH
    text_report["data"]["quarantined_samples"] = text_report["data"]["quarantined_samples"][:10]
    (_, second, _) = data_section(text_report)["quarantined"]
    assert (second["rows"], second["more"]) == ([], 25)


def test_text_of_a_broken_file_stays_text(bare: Render, text_report: dict[str, Any]) -> None:
    evil = '</blockquote><img src="http://example.com/x.png"><script>alert(1)</script>\x00\x1b[31m\ud800'
    data = text_report["data"]
    data["quarantined_samples"][0] |= {"shown": evil, "detail": evil, "path": "caf\udce9.txt"}
    data["samples"][0]["text"] = evil
    data["nearest"][0]["a"]["shown"] = evil
    data["label_issues"][0] |= {"shown": evil, "given": evil}
    data["conflicts"]["samples"][0] |= {"paths": [evil], "labels": [evil]}
    data["repairs"] = data["ignored"] = {evil: 1}
    data["sources"][0]["path"] = evil
    text_report["sections"]["mistakes"]["blocks"][0]["samples"][0]["text"] = evil
    text_report["baseline"]["name"] = evil
    page = bare(text_report)
    page.encode("utf-8")
    assert "<script" not in page
    assert not re.search(r'<img[^>]*src="(?!data:image/)', page)
    assert "&lt;script&gt;" in page


def test_older_reports_have_less(bare: Render) -> None:
    page = bare(
        {
            "data": {
                "source": "digits",
                "rows": 3,
                "kept": 2,
                "duplicates": 0,
                "leaks": 0,
                "quarantined": {"empty file": 1},
                "quarantined_samples": [{"path": "a.png", "reason": "empty file"}],
                "nearest": [{}],
                "label_issues": [{}],
                "conflicts": {"count": 1},
                "sources": [{}, {}],
            }
        }
    )
    assert "a.png" in section(page)


@pytest.mark.parametrize(
    "key", ["splits", "rows", "quarantined", "lengths", "tokens", "nearest", "balance", "sources"]
)
def test_every_key_may_be_missing(bare: Render, text_report: dict[str, Any], key: str) -> None:
    del text_report["data"][key]
    section(bare(text_report))


@given(st.text())
def test_excerpts_are_short_and_can_be_written(text: str) -> None:
    start = excerpt(text)
    assert len(start) <= EXCERPT + 2
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", start)
    start.encode("utf-8")


def test_excerpts_keep_what_people_write() -> None:
    for text in ("naïve\u00a0café", "می\u200cخواهم", "日本語\n\tテキスト", "👩\u200d🔬"):
        assert excerpt(text) == text


def test_only_whole_image_uris_are_images() -> None:
    assert shown("data:image/png;base64,iVBORw0=") == {"image": "data:image/png;base64,iVBORw0=", "text": ""}
    assert shown('data:image/png;base64,iVB" onload="x')["image"] == ""
    assert shown("data:image/svg+xml;base64,iVBO")["image"] == ""
    assert shown(None) == {"image": "", "text": ""}

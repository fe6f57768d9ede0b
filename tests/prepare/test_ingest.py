"""Rows to samples: in the order of the tasks, few at a time, each fate on a line of its own."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from bessemer.data.config import DataConfig
from bessemer.data.record import BROKEN, FILTERED, Clean, Raw, Rejected
from bessemer.data.text.cleaner import TextCleaner
from bessemer.errors import DataError
from bessemer.prepare import ingest
from bessemer.prepare.ingest import Job, first_bytes, in_order
from bessemer.prepare.source import folder as folder_source
from bessemer.prepare.source import open_source
from bessemer.prepare.staging import UNSET, Stager
from bessemer.runtime import Progress

NONE = np.empty(0, np.uint64)


class Numbers:
    """A source whose task is a list of rows."""

    classes = None

    def __init__(self, tasks: list[list[Raw]]) -> None:
        self.listed = tasks
        self.ignored: dict[str, int] = {}

    def tasks(self) -> Iterator[list[Raw]]:
        return iter(self.listed)

    def read(self, task: list[Raw]) -> Iterator[Raw]:
        return iter(task)


class Words:
    """A cleaner that gives the words of a row as parts; "bad" is refused alone, "worst" with its row."""

    needs_survey = False

    def __init__(self) -> None:
        self.settled: dict[str, Any] = {}

    def survey(self, raw: Raw) -> int:
        if "worst" in str(raw.value):
            raise Rejected("worst")
        return len(str(raw.value))

    def clean(self, raw: Raw) -> Iterator[Clean | Rejected]:
        words = str(raw.value).split()
        if "worst" in words:
            raise Rejected("worst", "a word", FILTERED)
        for number, word in enumerate(words, 1):
            part = f"word {number}" if len(words) > 1 else ""
            if word == "bad":
                yield Rejected("bad", part)
            else:
                yield Clean(word.encode(), len(word), np.array([number, 7], np.uint64), ("spelled",), part)


def row(value: Any, label: str | None = "a", origin: str = "f.txt", place: str = "", split: str = "") -> Raw:
    return Raw(origin, place, label, split, value)


def job(*tasks: list[Raw]) -> Job:
    return Job([Numbers(list(tasks))], Words())


def digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


# --- one task -------------------------------------------------------------------------------------------


def test_each_sample_and_each_rejected_row_is_a_line():
    rows = [row("one", split="test"), row("two bad three", place="row 2"), row("worst"), row("x", None)]
    rows += [row(Rejected("missing file", "f.png"))]
    done = job(rows).clean(0, rows, None)
    assert done.rows["place"] == ["", "row 2, word 1", "row 2", "row 2, word 3", "", "", ""]
    assert done.rows["reason"] == [None, None, "bad", None, "worst", "no label", "missing file"]
    assert done.rows["kind"] == [None, None, BROKEN, None, FILTERED, FILTERED, BROKEN]
    assert done.rows["split"] == ["test", *[""] * 6]
    assert done.rows["repairs"] == [["spelled"], ["spelled"], [], ["spelled"], [], [], []]
    assert done.payloads == [b"one", b"two", b"", b"three", b"", b"", b""]
    assert done.sizes == [len(payload) for payload in done.payloads]
    assert done.ids == [digest("one"), digest("two"), 0, digest("three"), 0, 0, 0]
    assert [signature.tolist() for signature in done.signatures] == [[1, 7], [1, 7], [3, 7]]
    shown = [(reason, value) for _, _, _, reason, _, _, value in done.values]
    assert shown == [("bad", b"two bad three"), ("worst", b"worst"), ("no label", b"x"), ("missing file", None)]


def test_parts_of_a_row_share_a_group_and_whole_rows_have_their_own():
    rows = [row("one two"), row("one two", origin="g.txt"), row("three")]
    done = job(rows).clean(0, rows, None)
    first, same, second, again, whole = done.groups
    assert first == same != second == again
    assert whole == digest("three")
    assert done.ids[0] == done.ids[2]  # the same word in two files
    assert job(rows).clean(1 - 1, rows, None).groups == done.groups


def test_only_wanted_rows_are_read():
    rows = [row("one"), row("worst"), row("three"), row("four")]
    wanted = np.array([True, False, False, True])
    assert job(rows).clean(0, rows, wanted).payloads == [b"one", b"four"]
    assert job(rows).survey(0, rows, wanted) == [3, 4]
    assert job(rows).count(0, rows, wanted) == [("a", ""), ("a", "")]


def test_a_survey_passes_over_what_the_clean_pass_will_count():
    rows = [row("one"), row("worst"), row(Rejected("missing file")), row("three")]
    assert job(rows).survey(0, rows, None) == [3, 5]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"0123456789", b"01234"),
        ("tïny text", "tïny ".encode()),
        ("half \udc80", b"half "),
        (np.zeros((2, 2, 1), np.uint8), None),
        (Rejected("missing file"), None),
        (Path("not/there"), None),
    ],
)
def test_the_beginning_of_a_value_is_kept(value, shown, monkeypatch):
    monkeypatch.setattr(ingest, "SHOWN_BYTES", 5)
    assert first_bytes(row(value)) == shown


def test_the_beginning_of_a_file_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "SHOWN_BYTES", 5)
    (tmp_path / "f").write_bytes(b"0123456789")
    assert first_bytes(row(tmp_path / "f")) == b"01234"


def test_a_rejection_travels_between_processes_whole(travel):
    there = travel(Rejected("bad", "row 3", FILTERED))
    assert (there.reason, there.detail, there.kind) == ("bad", "row 3", FILTERED)


# --- all tasks ------------------------------------------------------------------------------------------


def tasks_of(one: Job) -> Iterator[tuple[int, Any, None]]:
    return ((0, task, None) for task in one.sources[0].tasks())


def test_a_worker_takes_a_task_only_when_its_result_is_asked_for():
    one = job(*([row(f"w{i}")] for i in range(50)))
    taken: list[int] = []

    def tasks() -> Iterator[Any]:
        for number, task in enumerate(tasks_of(one)):
            taken.append(number)
            yield task

    results = in_order(one, "clean", tasks(), 1)
    assert next(results).payloads == [b"w0"]
    assert len(taken) == ingest.FEW_TASKS
    assert [done.payloads[0] for done in results] == [f"w{i}".encode() for i in range(1, 50)]


def test_few_tasks_start_no_process(monkeypatch):
    def refuse(*_: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(ingest, "processes", refuse)
    one = job(*([row(f"w{i}")] for i in range(ingest.FEW_TASKS - 1)))
    assert len(list(in_order(one, "clean", tasks_of(one), 8))) == ingest.FEW_TASKS - 1
    with pytest.raises(AssertionError, match="a process was started"):
        list(in_order(job(*[[row("w")]] * 3), "clean", iter([(0, [], None)] * 3), 8))


def test_processes_give_results_in_order_with_few_tasks_in_flight(tmp_path, monkeypatch, make_texts):
    monkeypatch.setattr(folder_source, "TASK_ROWS", 2)
    make_texts(tmp_path / "a", 40, 1)
    config = DataConfig(source="text_folder", path=str(tmp_path), text={"boilerplate": 0.0})
    real = Job([open_source(config)], TextCleaner(config))
    taken: list[int] = []

    def tasks() -> Iterator[Any]:
        for number, task in enumerate(tasks_of(real)):
            taken.append(number)
            yield task

    results = in_order(real, "clean", tasks(), 2)
    first = next(results)
    assert len(taken) <= 2 + 2 + ingest.FEW_TASKS
    found = [*first.payloads, *(payload for done in results for payload in done.payloads)]
    assert found == [path.read_bytes().strip() for path in sorted((tmp_path / "a").iterdir())]


class Deadly(Words):
    """Ends its process as the kernel does when memory runs out."""

    def clean(self, raw: Raw) -> Iterator[Clean | Rejected]:
        if raw.value == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().clean(raw)


@pytest.fixture
def _by_value():
    """This file cannot be imported by worker processes, so what it defines travels as code."""
    here = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(here)
    yield
    cloudpickle.unregister_pickle_by_value(here)


@pytest.mark.faults
@pytest.mark.usefixtures("_by_value")
def test_a_killed_worker_ends_with_an_error_that_says_so():
    deadly = Job([Numbers([[row(word)] for word in ("one", "two", "deadly", *"abcdefgh")])], Deadly())
    with pytest.raises(DataError, match="a process that reads the data was killed") as error:
        list(in_order(deadly, "clean", tasks_of(deadly), 2))
    assert "memory" in error.value.remedy


@pytest.mark.usefixtures("_by_value")
def test_an_error_of_the_program_reaches_the_one_who_asks():
    faulty = Job([Numbers([[row("one")], [row("two")], [None], [row("four")]])], Words())
    with pytest.raises(AttributeError):
        list(in_order(faulty, "clean", tasks_of(faulty), 2))


def test_what_was_staged_is_found_again(tmp_path):
    one = job(
        [row("one two", "b", split="test"), row("worst", "c")],
        [],
        [row("three", "a", split="train"), row("bad", "b", origin="g.txt"), row("four", "b")],
    )
    splits = ("train", "validation", "test")
    staged = ingest.ingest(one, tmp_path / "s", splits, lambda: tasks_of(one), 1, Progress())
    assert len(staged) == 6
    assert [staged.names[label] for label in staged.labels] == ["b", "b", "c", "a", "b", "b"]
    assert staged.splits.tolist() == [2, 2, UNSET, 0, UNSET, UNSET]
    assert staged.rejected.tolist() == [False, False, True, False, True, False]
    payloads = [staged.payload(place) for place in range(6)]
    assert payloads == [b"one", b"two", b"", b"three", b"", b"four"]
    assert staged.reasons == {"worst": 1, "bad": 1}
    assert (staged.broken, staged.first_broken) == (1, "g.txt: bad")
    assert (staged.sizes.tolist(), staged.starts.tolist()) == ([3, 3, 0, 5, 0, 4], [0, 3, 6, 6, 11, 11])
    assert staged.ids.tolist() == [digest("one"), digest("two"), 0, digest("three"), 0, digest("four")]
    assert staged.groups.tolist()[:2] == [staged.groups[0]] * 2 != staged.ids.tolist()[:2]
    assert (staged.lengths.tolist(), staged.sources.tolist()) == ([3, 3, 0, 5, 0, 4], [0] * 6)
    assert staged.repairs == {"spelled": 4}
    assert staged.signatures is not None
    assert staged.signatures.tolist() == [[1, 7], [2, 7], [1, 7], [1, 7]]


def test_a_source_without_rows_stages_nothing(tmp_path):
    with Stager(tmp_path / "s", ("train",)) as stager:
        pass
    staged = stager.staged()
    assert (len(staged), staged.names, staged.signatures) == (0, [], None)
    assert (staged.ids.tolist(), staged.rejected.dtype) == ([], bool)


def test_a_staged_row_costs_no_memory(tmp_path):
    """Of ten times as many rows nothing stays: neither while they are written nor afterwards."""
    tasks = ([row(f"w{task}x{place}") for place in range(200)] for task in range(110))
    held: list[int] = []
    tracemalloc.start()
    with Stager(tmp_path / "s", ("train",)) as stager:
        for number, task in enumerate(tasks, 1):
            stager.add(job(task).clean(0, task, None))
            if number in (10, 110):
                held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    staged = stager.staged()
    assert len(staged) == len(np.unique(staged.ids)) == 22_000
    assert held[1] - held[0] < 20_000

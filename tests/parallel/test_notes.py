"""What the main rank says reaches whoever started the ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bessemer.jobs import POINTS, PointsReader
from bessemer.rank import FileProgress


def test_notes_of_a_rank_are_passed_on_once(tmp_path: Path, notes: Any) -> None:
    rank, here = FileProgress(tmp_path), notes()
    reader = PointsReader(tmp_path / POINTS, here)
    reader.pass_on()
    rank.note("checkpoint set aside")
    rank.begin("train", 0)
    reader.pass_on()
    rank.note("step 4 skipped")
    reader.pass_on()
    assert here.said == ["checkpoint set aside", "step 4 skipped"]

"""Hold a run against what was planted in its data.

    python bench/plants.py RUN PLANTS.json [--clean RUN]

Prints a Markdown table: of each kind of plant how many were found, what became of the others, and what was set
aside without a plant. PLANTS.json is written by bench/corpora.py. With --clean, a run on the untouched folder,
repaired samples are compared with the originals' and what is set aside in both is not called a false alarm.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from tables import print_head, print_row

from bessemer.data.config import DataConfig, DedupConfig
from bessemer.data.record import Raw, Rejected
from bessemer.data.text.cleaner import TextCleaner

SET_ASIDE = {
    *("truncated", "0 bytes", "text named as an image", "blank", "tiny (2x2)", "decompression bomb"),
    *("white space only", "too short", "binary junk", "one line repeated", "symbols only"),
    *("text named as a recording", "silent", "clipped"),
}
EXACT = {"16 bits", "palette", "alpha channel", "control characters", "repeated license header", "24 bits", "FLAC"}
LABEL = "wrong label"
Row = dict[str, Any]


@dataclass
class Prepared:
    """The rows of a run, by file and by number."""

    files: dict[str, list[Row]]
    rows: dict[int, Row]
    issues: list[Row]
    boilerplate: list[int]  # hashes of the lines that were dropped from all texts

    def root(self, row: Row) -> int:
        """The row that survives for this one."""
        while row["state"] in ("duplicate", "leak") and row["survivor"] in self.rows:
            row = self.rows[row["survivor"]]
        return int(row["row"])

    def roots(self, path: str) -> set[int]:
        """The rows that survive for those of a file."""
        return {self.root(row) for row in self.files.get(path, [])}

    def state(self, path: str) -> str:
        """kept where any row of the file is, else what became of the first."""
        states = [row["state"] for row in self.files.get(path, [])]
        return "not read" if not states else "kept" if "kept" in states else states[0]

    def fate(self, path: str) -> str:
        """The state of a file, and why."""
        rows = self.files.get(path, [])
        reason = next((row["reason"] for row in rows if row["reason"]), "")
        return reason if reason and self.state(path) == "quarantined" else self.state(path)


@dataclass
class Tally:
    """How many plants of a kind were found, and what became of the found and of the others."""

    planted: int = 0
    found: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)

    def count(self, found: bool, fate: str) -> None:
        """One more plant."""
        self.planted += 1
        (self.found if found else self.missed)[fate] += 1


def load(run: Path) -> Prepared:
    """What a run's prepare stage says of each row, and the probable label errors of its report."""
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    table = rows_file(run, report)
    with pa.OSFile(str(table)) as file:
        rows = pa.ipc.open_file(file).read_all().to_pylist()
    files: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        files[row["origin"]].append(row)
    issues = report["data"].get("label_issues") or []
    return Prepared(dict(files), {row["row"]: row for row in rows}, issues, boilerplate(table.parent))


def boilerplate(stage: Path) -> list[int]:
    """Hashes of the lines that a run took for boilerplate."""
    about = stage / "dataset.json"
    if not about.exists():
        return []
    found = json.loads(about.read_text(encoding="utf-8")).get("preprocess", {}).get("boilerplate")
    return list(found or [])


def rows_file(run: Path, report: dict[str, Any]) -> Path:
    """The table of rows of the prepare stage that the report is about."""
    digest = next((one["hash"] for one in report.get("stages", []) if one["stage"] == "prepare"), "")
    found = sorted(run.glob("stages/prepare-*/rows.arrow"), key=lambda path: path.stat().st_mtime)
    named = [path for path in found if digest and path.parent.name.endswith(digest[:8])]
    if not found:
        raise SystemExit(f"{run}: no stages/prepare-*/rows.arrow; is it the folder of a run?")
    return (named or found)[-1]


def tally(ledger: dict[str, Any], run: Prepared, clean: Prepared | None) -> dict[str, Tally]:
    """Each kind of plant but wrong labels."""
    result: dict[str, Tally] = defaultdict(Tally)
    for path, plant in ledger["plants"].items():
        kind = plant["kind"]
        if kind == LABEL:
            continue
        if kind in SET_ASIDE:
            result[kind].count(run.state(path) == "quarantined", run.fate(path))
        elif "copy" in kind:
            result[kind].count(bool(run.roots(path) & run.roots(plant["of"])), pair_fate(run, path, plant["of"]))
        elif kind.startswith("test file"):
            result[kind].count(run.state(path) == "leak", run.fate(path))
        else:
            result[kind].count(*repaired(path, plant, run, clean))
    return result


def pair_fate(run: Prepared, path: str, original: str) -> str:
    """What became of a copy; the original may be the one that went."""
    if run.state(path) == "kept" and run.state(original) in ("duplicate", "leak"):
        return f"original is {run.state(original)}"
    return run.fate(path)


def repaired(path: str, plant: Row, run: Prepared, clean: Prepared | None) -> tuple[bool, str]:
    """Whether a mendable file is kept and, where that can be told, as it should be."""
    rows = [row for row in run.files.get(path, []) if row["state"] == "kept"]
    if not rows:
        mended = [row for row in run.files.get(path, []) if row["state"] in ("duplicate", "leak")]
        if not mended:
            return False, run.fate(path)
        rows = mended
    right: int | None = None
    if "truth" in plant:
        right = text_id(plant["truth"], run.boilerplate)
    elif clean and plant["kind"] in EXACT:
        originals = clean.files.get(plant["of"], [])
        right = originals[0]["id"] if len(originals) == 1 and originals[0]["state"] != "quarantined" else None
    names = ", ".join(rows[0]["repairs"] or []) or rows[0]["state"]
    if right is None:
        return True, names
    return rows[0]["id"] == right, f"{names}: {'as the original' if rows[0]['id'] == right else 'other content'}"


def text_id(truth: str, repeated: list[int]) -> int | None:
    """The id that a text has when it is read rightly and cleaned; None where it is not fit."""
    cleaner = TextCleaner(DataConfig(source="text_folder", path=".", dedup=DedupConfig(near=False)))
    cleaner.settled = {"boilerplate": repeated}
    try:
        clean = next(iter(cleaner.clean(Raw("truth.txt", "", "", "", truth.encode()))))
    except Rejected:
        return None
    if isinstance(clean, Rejected):
        return None
    return int.from_bytes(hashlib.sha256(clean.payload).digest()[:8], "little")


def untouched(ledger: dict[str, Any], run: Prepared, clean: Prepared | None) -> tuple[int, Counter[str]]:
    """How many files have no plant, and those of them that were set aside, by reason."""
    plants = ledger["plants"]
    paired = {plant["of"] for plant in plants.values()}
    planted_roots = {root for path in plants for root in run.roots(path)}
    alarms: Counter[str] = Counter()
    files = [path for path in run.files if path not in plants]
    for path in files:
        state = run.state(path)
        natural = clean is not None and clean.state(path) not in ("kept", "not read")
        explained = path in paired and bool(run.roots(path) & planted_roots)
        if state != "kept" and not natural and not explained:
            alarms[run.fate(path) if state == "quarantined" else f"{state} of another"] += 1
    return len(files), alarms


def labels(ledger: dict[str, Any], run: Prepared) -> dict[str, int]:
    """Planted wrong labels, those in training, the labels listed, and the planted ones among them."""
    wrong = {path: plant for path, plant in ledger["plants"].items() if plant["kind"] == LABEL}
    training = {
        path
        for path in wrong
        if any(r["state"] == "kept" and r["split"] == "train" for r in run.files.get(path, []))
    }
    listed = {origin(run, issue): issue for issue in run.issues}
    hits = training & set(listed)
    right = sum(listed[path]["suggested"] == wrong[path]["right"] for path in hits)
    return {
        "planted": len(wrong),
        "in training": len(training),
        "listed": len(run.issues),
        "found": len(hits),
        "with the right suggestion": right,
    }


def origin(run: Prepared, issue: Row) -> str:
    """The file of a probable label error."""
    if "row" in issue and issue["row"] in run.rows:
        return str(run.rows[issue["row"]]["origin"])
    return str(issue["path"]).split(", ")[0]


def shown(counts: Counter[str], most: int = 4) -> str:
    """The commonest entries of a count."""
    parts: Iterable[str] = (f"{name} ({count})" for name, count in counts.most_common(most))
    rest = len(counts) - most
    return "; ".join(parts) + (f"; {rest} more" if rest > 0 else "")


def print_tables(ledger: dict[str, Any], run: Prepared, clean: Prepared | None) -> None:
    """All that was planted, and what was set aside besides."""
    print_head(
        f"{ledger['corpus']}: {ledger['files']:,} files, {len(ledger['plants']):,} of them planted",
        *("planted", "number", "found", "as", "missed", "which are"),
    )
    for kind, one in tally(ledger, run, clean).items():
        found, missed = sum(one.found.values()), sum(one.missed.values())
        print_row(kind, str(one.planted), str(found), shown(one.found), str(missed), shown(one.missed))
    counts = labels(ledger, run)
    if counts["planted"]:
        told = f"{counts['found']} listed, {counts['with the right suggestion']} with the right suggestion"
        missed = counts["in training"] - counts["found"]
        rest = f"not among the {counts['listed']} listed"
        numbers = f"{counts['in training']} (of {counts['planted']}, in training)"
        print_row(LABEL, numbers, str(counts["found"]), told, str(missed), rest)
    files, alarms = untouched(ledger, run, clean)
    print(f"\nWithout a plant: {files:,} files, {sum(alarms.values()):,} set aside. {shown(alarms, 12)}")
    if run.issues:
        print(f"Labels listed without a plant: {counts['listed'] - counts['found']:,} of {counts['listed']:,}.")


def main() -> int:
    """Print the tables for what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("plants", type=Path, metavar="PLANTS.json")
    parser.add_argument("--clean", type=Path, help="a run on the untouched folder")
    chosen = parser.parse_args()
    ledger = json.loads(chosen.plants.read_text(encoding="utf-8"))
    print_tables(ledger, load(chosen.run), load(chosen.clean) if chosen.clean else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Peak memory of preparation as the input grows tenfold: text made by repeating and mutating real text.

    python bench/memory.py [MEBIBYTES ...]        by default 100 and 1000

Each size runs in a process of its own, which is looked at ten times a second (Linux): the peak of that process,
that of its largest worker, and the most that all of them held at once, pages that they share counted once.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from tables import print_head, print_row

WORDS = 250  # of a document
CLASSES = 20


def write_corpus(path: Path, mebibytes: int) -> int:
    """Write JSON lines of at least so many MiB; returns the number of documents."""
    chance = random.Random(0)
    library = Path(sysconfig.get_path("stdlib"))
    words = re.findall(r"\S+", "\n".join(one.read_text("utf-8") for one in sorted(library.glob("*.py"))))
    count, written = 0, 0
    with path.open("w", encoding="utf-8") as out:
        while written < mebibytes << 20:
            start = chance.randrange(len(words) - WORDS)
            document = words[start : start + WORDS]
            for _ in range(chance.randrange(60)):  # from near copies to new documents
                document[chance.randrange(WORDS)] = chance.choice(words)
            label = f"part {start * CLASSES // len(words)}"
            written += out.write(json.dumps({"text": " ".join(document), "label": label}) + "\n")
            count += 1
    return count


def measure(path: Path) -> dict[str, float]:
    """Prepare a corpus in this process; what became of the rows, and the seconds."""
    from bessemer.data.config import ColumnsConfig, DataConfig
    from bessemer.prepare.prepare import prepare

    config = DataConfig(source="table", path=str(path), columns=ColumnsConfig(text="text"))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=path.parent) as out:
        about = prepare(config, 0, Path(out))
    told = {name: about[name] for name in ("rows", "kept", "duplicates")}
    return {"seconds": time.perf_counter() - began, **told}


def watch(process: subprocess.Popen[str]) -> dict[str, float]:
    """Peak memory in MiB until a process ends: its own, its largest worker's, and of all of them at once."""
    peaks = {"main": 0.0, "worker": 0.0, "together": 0.0}
    while process.poll() is None:
        first, *others = (kibibytes(f"/proc/{pid}/status", "VmHWM") for pid in family(process.pid))
        shared = (kibibytes(f"/proc/{pid}/smaps_rollup", "Pss") for pid in family(process.pid))
        found = {"main": first, "worker": max(others, default=0), "together": sum(shared)}
        peaks = {name: max(peak, found[name] / 1024) for name, peak in peaks.items()}
        time.sleep(0.1)
    return peaks


def family(pid: int) -> list[int]:
    """A process and all that it started, and they."""
    try:
        listed = " ".join(file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:  # it has ended
        listed = ""
    return [pid, *(one for child in listed.split() for one in family(int(child)))]


def kibibytes(file: str, name: str) -> int:
    """A figure that the kernel tells of a process; 0 where that has ended."""
    try:
        lines = Path(file).read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def bench_memory(sizes: tuple[int, ...] = (100, 1000)) -> None:
    """Peak memory and speed of `prepare` at each size."""
    title = "memory: preparing text (cleaning, near copies, tokenizer, tokens), two workers"
    head = ("MiB", "documents", "kept", "peak MiB", "growth", "of a worker", "all at once", "growth")
    print_head(title, *head, "seconds", "documents/s")
    first = None
    for mebibytes in sizes:
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder) / "corpus.jsonl"
            write_corpus(corpus, mebibytes)
            command = [sys.executable, __file__, "--measure", str(corpus)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                peaks = watch(process)
                found = json.loads(process.communicate()[0])
        first = first or peaks
        growth = {name: f"{100 * (peaks[name] / first[name] - 1):+.1f}%" for name in ("main", "together")}
        print_row(
            f"{mebibytes:,}",
            f"{found['rows']:,}",
            f"{found['kept']:,}",
            f"{peaks['main']:.0f}",
            growth["main"],
            f"{peaks['worker']:.0f}",
            f"{peaks['together']:.0f}",
            growth["together"],
            f"{found['seconds']:.0f}",
            f"{found['rows'] / found['seconds']:,.0f}",
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]))))
    else:
        bench_memory(tuple(int(size) for size in sys.argv[1:]) or (100, 1000))

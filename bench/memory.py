"""Peak memory of preparation as the input grows tenfold: text made by repeating and mutating real text.

    python bench/memory.py [MEBIBYTES ...]        by default 100 and 1000

Each size runs in a process of its own; the peak is that of the process and of its largest worker.
"""

from __future__ import annotations

import json
import random
import re
import resource
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
    """Prepare a corpus in this process; peak memory in MiB."""
    from bessemer.data.config import ColumnsConfig, DataConfig
    from bessemer.data.prepare import prepare

    config = DataConfig(source="table", path=str(path), columns=ColumnsConfig(text="text"))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=path.parent) as out:
        about = prepare(config, 0, Path(out))
    peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    told = {name: about[name] for name in ("rows", "kept", "duplicates")}
    return {"main": peaks[0], "worker": peaks[1], "seconds": time.perf_counter() - began, **told}


def bench_memory(sizes: tuple[int, ...] = (100, 1000)) -> None:
    """Peak memory and speed of `prepare` at each size."""
    title = "memory: preparing text (cleaning, near copies, tokenizer, tokens), two workers"
    print_head(title, "MiB", "documents", "kept", "peak MiB", "of a worker", "growth", "seconds", "documents/s")
    first = None
    for mebibytes in sizes:
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder) / "corpus.jsonl"
            write_corpus(corpus, mebibytes)
            command = [sys.executable, __file__, "--measure", str(corpus)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        first = first or found["main"]
        print_row(
            f"{mebibytes:,}",
            f"{found['rows']:,}",
            f"{found['kept']:,}",
            f"{found['main']:.0f}",
            f"{found['worker']:.0f}",
            f"{100 * (found['main'] / first - 1):+.1f}%",
            f"{found['seconds']:.0f}",
            f"{found['rows'] / found['seconds']:,.0f}",
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]))))
    else:
        bench_memory(tuple(int(size) for size in sys.argv[1:]) or (100, 1000))

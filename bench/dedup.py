"""Near copies of text: documents a second, recall and precision, beside datatrove's MinHash.

    python bench/run.py dedup        wants datatrove 0.10.1, xxhash and regex beside

Documents of 250 words are cut from the sources of the standard library; a fifth are near copies of others with 1
to 15% of their words changed. What counts as a copy is decided by the exact Jaccard similarity of word 5-grams.
"""

from __future__ import annotations

import importlib.util
import random
import re
import struct
import sysconfig
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from tables import print_head, print_row

from bessemer.data.config import DedupConfig
from bessemer.data.text.signature import PERMUTATIONS, grams, jaccard, text_signature
from bessemer.measure.benchmark import speedup, summarize
from bessemer.prepare.dedup import find_copies

DOCUMENTS, WORDS, SHARE, LEAST = 20_000, 250, 5, 0.8
ROUNDS = 5
DATATROVE = "datatrove, its defaults but words split at spaces"

Clusters = dict[int, int]  # of each document that is a copy: the cluster's name


def planted() -> tuple[list[str], list[tuple[int, int, float]]]:
    """Documents in mixed order, and (source, copy, exact similarity) of those that were planted."""
    chance = random.Random(0)
    sources = chance.sample(originals(), DOCUMENTS - DOCUMENTS // SHARE)
    vocabulary = sorted({word for text in sources[:200] for word in re.findall(r"\w+", text)})
    chosen = chance.sample(range(len(sources)), DOCUMENTS // SHARE)
    texts = sources + [mutate(sources[one], vocabulary, chance) for one in chosen]
    order = list(range(len(texts)))
    chance.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    pairs = [
        (place[one], place[len(sources) + number], jaccard(sources[one], texts[len(sources) + number]))
        for number, one in enumerate(chosen)
    ]
    return [texts[old] for old in order], pairs


def originals() -> list[str]:
    """Pieces of 250 words of the standard library's sources, each starting in the middle of the one before."""
    files = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    found: dict[str, None] = {}
    for path in files:
        if "site-packages" in path.parts:
            continue
        text = path.read_text("utf-8", errors="replace")
        starts = [match.start() for match in re.finditer(r"\w+", text)]
        for at in range(0, len(starts) - WORDS, WORDS // 2):
            found[text[starts[at] : starts[at + WORDS]]] = None
    return list(found)


def mutate(text: str, vocabulary: list[str], chance: random.Random) -> str:
    """1 to 15% of the words replaced, a small share more often than a large one."""
    share = 15 ** chance.random() / 100
    return re.sub(r"\w+", lambda word: chance.choice(vocabulary) if chance.random() < share else word[0], text)


# --- the methods: documents in, clusters out ----------------------------------------------------------------


def by_bessemer(texts: list[str]) -> Clusters:
    """Signatures, candidates and exact verification."""
    signatures = np.stack([text_signature(text) for text in texts])
    ids = np.arange(len(texts), dtype=np.uint64)
    copies = find_copies(ids, signatures, lambda row: texts[row].encode(), "text", DedupConfig())
    joined = np.bincount(copies.root, minlength=len(texts))[copies.root] > 1
    return {int(row): int(copies.root[row]) for row in np.flatnonzero(joined)}


def by_datatrove(texts: list[str]) -> Clusters:
    """Its three steps, in one process, with its defaults: signatures, buckets, clusters."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import minhash
    from datatrove.utils.logging import logger
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Split(WordTokenizer):
        """Words between spaces; punctuation is gone already. Its own tokenizers (spaCy) take far longer."""

        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

        sent_tokenize = span_tokenize = word_tokenize

    logger.remove()
    config = minhash.MinhashConfig()
    with tempfile.TemporaryDirectory() as folder:
        signatures, buckets, clusters = (f"{folder}/{name}" for name in ("signatures", "buckets", "clusters"))
        documents = (Document(text=text, id=str(row)) for row, text in enumerate(texts))
        minhash.MinhashDedupSignature(signatures, config, Split()).run(documents)
        step = minhash.MinhashDedupBuckets(signatures, buckets, config=config, lines_to_buffer=10_000)
        for rank in range(config.num_buckets):
            step.run(None, rank, config.num_buckets)
        minhash.MinhashDedupCluster(buckets, clusters, config, save_cluster_id=True, lines_to_buffer=10_000).run()
        return dict(struct.iter_unpack("<2I", Path(f"{clusters}/000000.clusters").read_bytes()))


def by_library(sketch: Callable[[list[str]], Any], index: Any, texts: list[str]) -> Clusters:
    """A MinHash and LSH class of a library, unverified, clusters by union."""
    root = list(range(len(texts)))

    def first(row: int) -> int:
        while root[row] != row:
            root[row] = root[root[row]]
            row = root[row]
        return row

    found = index()
    for row, text in enumerate(texts):
        made = sketch(grams(text))
        for other in found.query(made):
            one, two = sorted((first(int(other)), first(row)))
            root[two] = one
        found.insert(row, made)
    return {row: first(row) for row in range(len(texts))}


def datasketch_sketch(tokens: list[str]) -> Any:
    """datasketch's MinHash."""
    from datasketch import MinHash

    made = MinHash(PERMUTATIONS)
    made.update_batch([token.encode() for token in tokens])
    return made


# --- what came of it ----------------------------------------------------------------------------------------


def quality(
    texts: list[str], planted_pairs: list[tuple[int, int, float]], clusters: Clusters
) -> tuple[float, float]:
    """Recall of planted pairs of similarity 0.8 and more; share of copies with such a partner in their cluster."""
    wanted = [pair for pair in planted_pairs if pair[2] >= LEAST]
    met = sum(clusters.get(one, -1) == clusters.get(other, -2) for one, other, _ in wanted)
    members: dict[int, list[int]] = {}
    for row, name in clusters.items():
        members.setdefault(name, []).append(row)
    right, total = 0, 0
    for rows in members.values():
        if len(rows) < 2:
            continue
        paired: set[int] = set()
        for one, other in combinations(rows, 2):
            if not {one, other} <= paired and jaccard(texts[one], texts[other]) >= LEAST:
                paired |= {one, other}
        right, total = right + len(paired), total + len(rows)
    return met / len(wanted), right / max(1, total)


def bench_dedup() -> None:
    """Whole runs in turns, one process and one thread each; ratios are of documents per second."""
    from datasketch import MinHashLSH

    texts, pairs = planted()
    datatrove = all(importlib.util.find_spec(name) for name in ("datatrove", "xxhash", "regex"))
    runners: dict[str, Callable[[list[str]], Clusters]] = {}
    if datatrove:
        runners[DATATROVE] = by_datatrove
    index = partial(MinHashLSH, threshold=LEAST, num_perm=PERMUTATIONS)
    runners["datasketch MinHashLSH, not verified"] = partial(by_library, datasketch_sketch, index)
    runners["bessemer, verified"] = by_bessemer
    times: dict[str, list[float]] = {name: [] for name in runners}
    clusters: dict[str, Clusters] = {}
    for turn in range(ROUNDS):
        for name in list(runners)[:: 1 if turn % 2 else -1]:
            began = time.perf_counter()
            clusters[name] = runners[name](texts)
            times[name].append(time.perf_counter() - began)
    count = sum(similarity >= LEAST for *_, similarity in pairs)
    title = (
        f"dedup: {len(texts):,} documents of {WORDS} words, {count:,} planted copies of similarity 0.8 and more"
    )
    print_head(title, "method", "documents/s", "times as fast (95%)", "recall", "precision", "trials")
    reference = next(iter(times.values()))
    for name, taken in times.items():
        ratio, (recall, precision) = speedup(reference, taken), quality(texts, pairs, clusters[name])
        print_row(
            name,
            f"{1e3 * len(texts) / summarize(taken)['median_ms']:,.0f}",
            f"{ratio['value']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})",
            f"{recall:.4f}",
            f"{precision:.4f}",
            str(len(taken)),
        )
    if not datatrove:
        print("\ndatatrove: not measured: pip install datatrove==0.10.1 xxhash regex")

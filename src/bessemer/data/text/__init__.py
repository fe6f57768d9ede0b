"""Text: documents or parts of them, which networks read as tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bessemer.data.kind import U64, Augment, Kept, Kind, Line, Reader, Settled, Simple
from bessemer.data.text.presets import PRESETS

if TYPE_CHECKING:
    from bessemer.data.config import AugmentConfig, DataConfig, DedupConfig
    from bessemer.data.copies import I64, Payload, Search
    from bessemer.data.features import Features, Transform
    from bessemer.data.record import Cleaner
    from bessemer.data.starter import Plan

SUFFIXES = (
    "txt text md rst html htm xhtml xml json jsonl ndjson csv tsv yaml yml toml ini cfg conf log tex bib "
    "py pyi pyx c h cc cpp cxx hpp hh cs java js mjs ts tsx jsx css scss sh bash bat ps1 pl pm rb go rs swift kt "
    "scala r m lua php sql asm s f f90 vb hs ml el lisp clj jl dart eml srt vtt po adoc org svg diff patch"
)
CHARACTERS = 30_000_000  # of all texts that the simple model is trained on
FEW_CHARACTERS = 2_000_000  # of texts whose parts of words are looked at too: that takes ten times as long


class Text(Kind):
    """Inputs are int32 (N, T) token ids, padded with 0 at the end; the texts themselves are kept too."""

    noun = "texts"
    unit = "characters"
    tag = "text"
    example = "letter.txt"
    sources = ("text_folder", "stdlib")
    suffixes = frozenset(f".{suffix}" for suffix in SUFFIXES.split())
    any_name = True
    reads_cells = True
    alone = "bessemer.data.text.alone"
    optimizer = "adamw"  # Transformers learn with Adam where plain gradient descent does not
    presets = PRESETS
    simple = Simple(
        "logistic regression on TF-IDF",
        (3.0, 10.0, 30.0, 100.0),
        20_000,
        5_000,
        CHARACTERS,
        "logistic regression on TF-IDF of tokens and pairs",
    )
    ragged = True
    measures_texts = True

    def sniff(self, head: bytes) -> bool:
        """By the marks of UTF-16, or since hardly a byte is a control character."""
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return True
        odd = sum(byte < 9 or 13 < byte < 27 for byte in head)
        return bool(head) and head[:4] != b"RIFF" and b"\0" not in head and odd <= len(head) // 50

    def cleaner(self, config: DataConfig) -> Cleaner:
        from bessemer.data.text.cleaner import TextCleaner

        return TextCleaner(config)

    def search(
        self, signatures: U64, heads: I64, payload: Payload, config: DedupConfig, settled: Settled
    ) -> Search:
        from bessemer.data.text.copies import TextSearch

        return TextSearch(signatures, heads, payload, config.text_similarity)

    def related(self, kept: Kept) -> I64:
        """Texts that share long passages."""
        from bessemer.data.text.passages import share_passages

        return share_passages((payload.tobytes() for payload in kept.payloads()), int(kept.sizes.sum()))

    def notes(self, settled: Settled) -> list[str]:
        from bessemer.data.text.cleaner import decided

        return decided(settled)

    def finish(self, config: DataConfig, settled: Settled, kept: Kept, out: Path) -> dict[str, Any]:
        from bessemer.data.text.prepare import finish_text

        return finish_text(config, settled, kept, out)

    def features(self, values: Any, arguments: Mapping[str, Any]) -> tuple[Features, Transform]:
        from bessemer.data.text.features import text_features

        return text_features(values)

    def baseline_features(self, values: Any, arguments: Mapping[str, Any]) -> tuple[Features, Transform]:
        from bessemer.data.text.features import MAX_CHARACTERS, with_characters

        few = sum(min(len(text), MAX_CHARACTERS) for text in values) <= FEW_CHARACTERS
        return with_characters(values) if few else self.features(values, arguments)

    def simple_network(
        self, shape: Sequence[int], arguments: Mapping[str, Any], outputs: int, classes: bool
    ) -> Line:
        from bessemer.data.text.grams import Bag

        return Bag(arguments["vocabulary"], arguments["pad"], outputs, classes)

    def amounts(self, values: Sequence[Any]) -> NDArray[np.int64]:
        """Characters that are looked at."""
        from bessemer.data.text.features import MAX_CHARACTERS

        return np.array([min(len(text), MAX_CHARACTERS) for text in values], np.int64)

    def augmenter(self, config: AugmentConfig, about: Mapping[str, Any]) -> Augment:
        from bessemer.data.text.augment import augment_tokens

        mask = about["mask"]
        return lambda tokens, ids, epochs, seed: augment_tokens(tokens, config, ids, epochs, seed, mask)

    def reader(self, about: Mapping[str, Any], folder: Path) -> Reader:
        from bessemer.data.text.read import text_reader

        return text_reader(about, folder)

    def steps(self, about: Mapping[str, Any]) -> list[str]:
        html = ["entities resolved, text taken out of HTML"] if about["html"] == "auto" else []
        spaces = "one line end, no spaces at line ends, at most one blank line"
        kept = "as it is" if about.get("white_space", "normalize") == "keep" else spaces
        lines = len(about.get("boilerplate", ()))
        size = about.get("piece_characters")
        return [
            "decoded from UTF-8, or else from the encoding whose letters make sense",
            "mojibake mended (ftfy)",
            *html,
            "control characters and characters without width removed, Unicode NFC",
            f"white space {kept}",
            *([f"{lines} lines that many texts share dropped, by their hashes in `boilerplate`"] if lines else []),
            *([f"cut into pieces of about {size} characters, whose answers are averaged"] if size else []),
            f"tokens by tokenizer.json, at most {about.get('max_tokens', 'the context')}",
        ]

    def tensor(self, about: Mapping[str, Any]) -> str:
        return (
            "`inputs` is int32 (batch, tokens): the ids that `tokenizer.json` gives to the cleaned text, at most "
            f"{about['arguments'].get('max_tokens')}, padded with 0 at the end."
        )

    def random_inputs(self, about: Mapping[str, Any], batch: int) -> NDArray[Any]:
        """Token ids of texts of full length."""
        vocabulary = int(about["inside_the_model"]["vocabulary"])
        return np.random.default_rng(0).integers(3, vocabulary, (batch, int(about["max_tokens"])), np.int32)

    def told(self, about: Mapping[str, Any]) -> str:
        return f"text, as tokens of a vocabulary of {about['tokens']['vocabulary']:,}"

    def show_payload(self, payload: bytes, settled: Settled) -> str:
        return self.show(payload.decode("utf-8"), {})

    def show_raw(self, head: bytes) -> str | None:
        from bessemer.report.samples import EXCERPT

        return self.show(head[: 4 * EXCERPT].decode("utf-8", errors="replace"), {})

    def words(self, folder: Path) -> Callable[[NDArray[Any]], str]:
        """The text that tokens stand for."""
        from bessemer.data.text.read import TOKENIZER
        from bessemer.data.text.tokenize import load_tokenizer

        return load_tokenizer(folder / TOKENIZER).decode

    def found(self, plan: Plan) -> str:
        return f"half of them longer than {int(np.median(plan.looks)):,} characters"

    def starter(self, plan: Plan, out: Path) -> str:
        from bessemer.data.text.starter import text_recipe

        return text_recipe(plan, out)


TEXT = Text()

"""Which texts say too little to learn from.

The rules are those of Gopher (Rae et al., "Scaling language models", 2021, appendix A.1.1) with their published
thresholds; the list of repetitions is that of its table A1. They were made for web prose in English. A data set
here may be source code, tables, single sentences or Chinese, so they are applied as follows, and each departure is
named at its rule:

- The rules of words and lines ask for prose: at least 100 words between spaces, mostly letters, few characters of
  code. Shorter texts are too small for a share to mean anything.
- All other texts meet only the compression ratio, the repetition of whole lines, with wider bounds, and a least
  share of letters and digits.
- Bounds of repetition are 2 and 4 times the published ones: those choose among more web pages than anyone can use,
  and refuse 24% of the licences and README files of a Debian system, which are whole and useful.
- Number signs that begin a line are headings, comments or directives, and `*` begins the lines of comments:
  neither counts.
- The stop-word rule, the least of 50 words and the blocklists of later work are left out: they choose articles in
  English.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Sequence

from bessemer.data.text.config import TextConfig

# Gopher: mean length of a word; number signs or ellipses per word; shares of lines that end in an ellipsis, and
# that begin as bullets.
WORD_LENGTH = (3.0, 10.0)
SYMBOLS, ELLIPSES, BULLETS = 0.1, 0.3, 0.9
ALPHABETIC = 0.6  # least share of words with a letter; Gopher 0.8, which refuses reference tables within prose
# Gopher's table A1, times 2: shares of lines and paragraphs that stood before, of the characters in them, and of
# the characters in the commonest n-gram of words. Times 4: those in all n-grams that stood before.
LINES, PARAGRAPHS, LINE_CHARACTERS, PARAGRAPH_CHARACTERS = 0.60, 0.60, 0.40, 0.40
TOP_NGRAMS = {2: 0.40, 3: 0.36, 4: 0.32}
DUPLICATE_NGRAMS = {5: 0.60, 6: 0.56, 7: 0.52, 8: 0.48, 9: 0.44, 10: 0.40}

PROSE_WORDS = 100  # least words for shares of words
PROSE_CODE, PROSE_LETTERS = 0.04, 0.75  # most characters of code, least letters among the visible characters
REPEATED_PARTS = 10  # least lines or paragraphs for a share of repeated ones
VISIBLE = 0.3  # least share of letters, digits and marks of scripts among the visible characters of any text
COMPRESSED_SIZE = 1000  # bytes: below, the ratio tells the length of a text and not what it says
# Raw over compressed size. Whisper (Radford et al., 2022) takes over 2.4 for a loop in a transcript of half a
# minute; the ratio grows with length: prose has up to 4, Python's own sources up to 5, C++ headers up to 11.5.
REPETITIVE = 15.0
RANDOM = 1.4  # base64 has 1.33; Chinese in UTF-8 1.6, English and code of 1,000 bytes 1.6
SAMPLE = 100_000  # characters that are looked at; more would only cost time

_CODE = re.compile(r"[{}\[\]()=;<>_\\|`$@~^*/+]")
_SIGNS = re.compile(r"(?<=[^\s#])[^\S\n]*#")
_BULLETS = ("•", "‣", "▪", "●", "○", "-", "–", "·")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def words_of(text: str) -> list[str]:
    """The words: what stands between spaces."""
    return text.split()


def mean_word_length(words: Sequence[str]) -> float:
    """Characters a word."""
    return sum(map(len, words)) / max(1, len(words))


def symbol_ratio(text: str, words: Sequence[str]) -> float:
    """Number signs within lines, or ellipses, whichever are more, per word."""
    return max(len(_SIGNS.findall(text)), text.count("...") + text.count("…")) / max(1, len(words))


def alphabetic_share(words: Sequence[str]) -> float:
    """Share of words with at least one letter of any script."""
    return sum(any(map(str.isalpha, word)) for word in words) / max(1, len(words))


def visible_share(text: str) -> float:
    """Share of letters, digits, and marks (vowels of Hindi or Thai) among the characters that are not spaces."""
    visible = re.sub(r"\s", "", text)
    plain = sum(map(str.isalnum, visible))
    if plain < len(visible) / 2:
        plain += sum(unicodedata.category(c).startswith("M") for c in visible)
    return plain / max(1, len(visible))


def line_shares(text: str) -> tuple[float, float]:
    """Shares of the lines that begin with a bullet, and that end in an ellipsis."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    bullets = sum(line.startswith(_BULLETS) for line in lines)
    ellipses = sum(line.endswith(("...", "…")) for line in lines)
    return bullets / max(1, len(lines)), ellipses / max(1, len(lines))


def duplicate_shares(parts: Sequence[str]) -> tuple[float, float]:
    """Share of the lines or paragraphs that stood before, and of the characters in them."""
    seen: set[str] = set()
    count = characters = 0
    for part in parts:
        if part in seen:
            count, characters = count + 1, characters + len(part)
        seen.add(part)
    return count / max(1, len(parts)), characters / max(1, sum(map(len, parts)))


def top_ngram_share(words: Sequence[str], n: int) -> float:
    """Share of the characters that are in the commonest n-gram of words."""
    grams = Counter(zip(*(words[i:] for i in range(n)), strict=False))
    if not grams:
        return 0.0
    most = max(grams.values())
    longest = max(sum(map(len, gram)) for gram, count in grams.items() if count == most)
    return longest * most / max(1, sum(map(len, words))) if most > 1 else 0.0


def duplicate_ngram_share(words: Sequence[str], n: int) -> float:
    """Share of the characters in n-grams of words that stood before, each character counted once."""
    seen: set[tuple[str, ...]] = set()
    characters, i = 0, 0
    while i <= len(words) - n:
        gram = tuple(words[i : i + n])
        if gram in seen:
            characters += sum(map(len, gram))
            i += n
        else:
            seen.add(gram)
            i += 1
    return characters / max(1, sum(map(len, words)))


def compression_ratio(text: str) -> float:
    """Size in UTF-8 over its size after zlib at level 1: a high one repeats itself, one near 1 is noise."""
    raw = text.encode("utf-8", "replace")
    return len(raw) / max(1, len(zlib.compress(raw, 1)))


def is_prose(text: str) -> bool:
    """Whether the rules for prose apply: 100 words between spaces, few characters of code, and mostly letters.

    Chinese, Japanese and Thai write no spaces between words: their words can't be counted this way.
    """
    visible = re.sub(r"\s", "", text)
    if len(text.split()) < PROSE_WORDS or len(_UNSPACED.findall(visible)) > 0.1 * len(visible):
        return False
    letters = sum(map(str.isalpha, visible))
    return len(_CODE.findall(visible)) <= PROSE_CODE * len(visible) and letters >= PROSE_LETTERS * len(visible)


def unfit_length(text: str, config: TextConfig) -> str | None:
    """Why a clean text is set aside for its length, or None."""
    if not text.strip():
        return "empty text"
    if len(text.strip()) < config.min_characters:
        return "too short"
    return "too long" if len(text) > config.max_characters else None


def problem(text: str) -> str | None:
    """What is odd in a clean text, or None: no letters, low information, repetition, symbols."""
    head = text[:SAMPLE]
    if visible_share(head) < VISIBLE:
        return "mostly symbols"
    return _low_information(head) or (_prose_problem(head) if is_prose(head) else _loose_problem(head))


def _low_information(text: str) -> str | None:
    size = len(text.encode("utf-8", "replace"))
    if size < COMPRESSED_SIZE:
        return None
    ratio = compression_ratio(text)
    if ratio > REPETITIVE:
        return "low information: repeats itself"
    plain = size < 1.1 * len(text)  # a short Chinese text compresses as little as base64
    return "low information: random or encoded data" if plain and ratio < RANDOM else None


def _loose_problem(text: str) -> str | None:
    """Code, tables, short or unspaced texts: only lines that repeat far beyond what code does.

    Gopher's bound of 30% is for articles. Here four of five lines must have stood before, among at least 20.
    """
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) >= 20 and duplicate_shares(lines)[0] > 0.8:
        return "repeated lines"
    return None


def _prose_problem(text: str) -> str | None:
    words = words_of(text)
    for rule in (_repetition, _shape):
        reason = rule(text, words)
        if reason:
            return reason
    return None


def _repetition(text: str, words: list[str]) -> str | None:
    """Gopher's table A1, but a share of lines or paragraphs only among at least 10: 1 of 3 is no repetition."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    for parts, most, most_characters, name in (
        (lines, LINES, LINE_CHARACTERS, "repeated lines"),
        (paragraphs, PARAGRAPHS, PARAGRAPH_CHARACTERS, "repeated paragraphs"),
    ):
        count, characters = duplicate_shares(parts) if len(parts) >= REPEATED_PARTS else (0.0, 0.0)
        if count > most or characters > most_characters:
            return name
    measures: list[tuple[dict[int, float], Callable[[Sequence[str], int], float]]] = [
        (TOP_NGRAMS, top_ngram_share),
        (DUPLICATE_NGRAMS, duplicate_ngram_share),
    ]
    for bounds, measure in measures:
        if any(measure(words, n) > most for n, most in bounds.items()):
            return "repeated words"
    return None


def _shape(text: str, words: list[str]) -> str | None:
    """Gopher's rules of words and lines."""
    bullets, ellipses = line_shares(text)
    low, high = WORD_LENGTH
    if not low <= mean_word_length(words) <= high:
        return "words too short or too long"
    if symbol_ratio(text, words) > SYMBOLS:
        return "too many symbols"
    if alphabetic_share(words) < ALPHABETIC:
        return "too few words with letters"
    if bullets > BULLETS:
        return "only bullet points"
    return "lines cut off with an ellipsis" if ellipses > ELLIPSES else None

"""Text to numbers and back: train a byte-level BPE or WordPiece, or load one, with Hugging Face's `tokenizers`.

Byte-level BPE knows every byte, so it gives back any text exactly. WordPiece (Schuster and Nakajima, 2012) splits
words at spaces and punctuation and doesn't.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bessemer.data.text.config import TokenizerConfig
from bessemer.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

PAD, UNKNOWN, MASK, END = "[PAD]", "[UNK]", "[MASK]", "[END]"
PADS, MASKS = (PAD, "<pad>"), (MASK, "<mask>")
ENDS = (END, "<|endoftext|>", "</s>", "<eos>")
SPECIAL = [PAD, UNKNOWN, MASK]
VOCABULARY = 8000  # where the settings leave it open
MIN_FREQUENCY = 2  # a pair seen once says nothing of the language
HEAD = 16  # characters for each token that is asked for; what they hold is nearly always enough
LONGEST_WORD = 100  # characters of a word of WordPiece; longer ones are unknown


class TextEncoder:
    """A tokenizer whose id 0 pads. It pickles, and travels to workers.

    `vocabulary` counts all ids, `pad` is 0, `mask` the id of the mask token, `end` that of the token that ends a
    text (None before `add_end`). A foreign tokenizer whose id 0 is
    a word is moved up by one; one without a mask token is given one.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        if _id(tokenizer, MASKS) is None:
            tokenizer.add_special_tokens([MASK])
        self._tokenizer = tokenizer
        self._shift = 0 if _id(tokenizer, PADS) == 0 else 1
        self.pad = 0
        self.mask: int = (_id(tokenizer, MASKS) or 0) + self._shift

    @property
    def vocabulary(self) -> int:
        """Number of ids, padding included."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1 + self._shift

    @property
    def end(self) -> int | None:
        """The id of the token that ends a text."""
        found = _id(self._tokenizer, ENDS)
        return None if found is None else found + self._shift

    def add_end(self) -> int:
        """Make sure that there is a token that ends a text; returns its id."""
        if self.end is None:
            self._tokenizer.add_special_tokens([END])
        assert self.end is not None
        return self.end

    def byte_lengths(self) -> NDArray[np.int64]:
        """Bytes of UTF-8 behind each token id (V,), 0 of special tokens: a text's tokens sum to its bytes.

        Raises DataError where the tokenizer is no byte-level BPE that gives back every text exactly.
        """
        from tokenizers import pre_tokenizers

        about = json.loads(self.to_json())
        before, after = about["pre_tokenizer"] or {}, about["decoder"] or {}
        exact = before.get("type") == after.get("type") == "ByteLevel" and not before.get("add_prefix_space")
        signs = set(pre_tokenizers.ByteLevel.alphabet())  # each stands for one byte
        tokens = self._tokenizer.get_vocab(with_added_tokens=False)
        if about["normalizer"] is not None or not exact or not signs <= tokens.keys():
            problem = "the tokenizer does not give back every text to the last byte"
            raise DataError(problem, "leave out data.text.tokenizer.path, to train a byte-level BPE")
        lengths = np.zeros(self.vocabulary, np.int64)
        for token, number in tokens.items():
            lengths[number + self._shift] = len(token)
        lengths[[number + self._shift for number in self._tokenizer.get_added_tokens_decoder()]] = 0
        return lengths

    def encode(self, text: str, max_tokens: int | None = None) -> NDArray[np.int32]:
        """Token ids int32 (T,), at most `max_tokens`, without padding."""
        return self.encode_batch([text], max_tokens)[0]

    def encode_batch(self, texts: Sequence[str], max_tokens: int | None = None) -> list[NDArray[np.int32]]:
        """Token ids int32 (T,) of each text, on several threads (TOKENIZERS_PARALLELISM=false takes one)."""
        if max_tokens is None:
            return [self._ids(one.ids) for one in self._encodings(texts)]
        size = max_tokens * HEAD
        out = []
        for text, one in zip(texts, self._encodings([text[:size] for text in texts]), strict=True):
            whole = len(text) <= size or _enough(one, max_tokens)
            ids = one.ids if whole else self._encodings([text])[0].ids
            out.append(self._ids(ids[:max_tokens]))
        return out

    def decode(self, ids: NDArray[np.integer]) -> str:
        """The text of token ids; padding and masks are left out."""
        plain = [int(i) - self._shift for i in ids if i != self.pad]
        return str(self._tokenizer.decode(plain, skip_special_tokens=True))

    def to_json(self) -> str:
        """The content of a tokenizer.json."""
        return str(self._tokenizer.to_str())

    def _encodings(self, texts: Sequence[str]) -> list[Encoding]:
        # A text that says "[PAD]" means these letters. Set here, as pickling forgets it.
        self._tokenizer.encode_special_tokens = True
        return self._tokenizer.encode_batch(list(texts), add_special_tokens=False)

    def _ids(self, ids: list[int]) -> NDArray[np.int32]:
        return np.array(ids, np.int32) + np.int32(self._shift)


def _id(tokenizer: Tokenizer, names: Sequence[str]) -> int | None:
    found = [tokenizer.token_to_id(name) for name in names]
    return next((number for number in found if number is not None), None)


def _enough(encoding: Encoding, max_tokens: int) -> bool:
    """Whether the first tokens of a text's head are those of the text: a cut changes its last two words."""
    words = encoding.word_ids
    return len(words) > max_tokens and (words[max_tokens - 1] or 0) < (words[-1] or 0) - 1


def train_tokenizer(texts: Iterable[str], config: TokenizerConfig) -> TextEncoder:
    """Learn a vocabulary of at most `config.vocabulary` from texts, which are read once and not kept.

    The same texts in the same order give the same JSON, on any number of threads. A small corpus gives a smaller
    vocabulary: what occurs once is not merged. Raises DataError where there is no text.
    """
    stream = iter(texts)
    first = next(stream, None)
    if first is None:
        raise DataError("there is no text to learn a vocabulary from", "check data.path and what was set aside")
    train = _byte_level if config.kind == "bpe" else _word_piece
    return TextEncoder(train(chain([first], stream), config))


def _byte_level(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    if config.lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary or VOCABULARY,
        min_frequency=MIN_FREQUENCY,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _word_piece(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """WordPiece whose vocabulary does not depend on chance.

    The trainer numbers the letters inside words (`##e`) in the order of a hash table that differs from process to
    process, and breaks ties by number. So they are told to it, sorted, as special tokens, which it numbers first,
    and the vocabulary moves to a tokenizer without these. For that the texts are read twice, from a file.
    """
    from tokenizers import trainers

    tokenizer = _bert(config, {})
    with TemporaryFile("w+", encoding="utf-8") as file:
        letters: set[str] = set()
        for text in texts:
            letters.update(text)
            file.write(json.dumps(text) + "\n")
        file.seek(0)
        trainer = trainers.WordPieceTrainer(
            vocab_size=config.vocabulary or VOCABULARY,
            min_frequency=MIN_FREQUENCY,
            special_tokens=[*SPECIAL, *_inner_pieces(tokenizer, letters)][: config.vocabulary or VOCABULARY],
            show_progress=False,
        )
        tokenizer.train_from_iterator((json.loads(line) for line in file), trainer)
    learned = _bert(config, tokenizer.get_vocab(with_added_tokens=True))
    learned.add_special_tokens(SPECIAL)
    return learned


def _bert(config: TokenizerConfig, vocabulary: dict[str, int]) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    model = models.WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=LONGEST_WORD)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=config.lowercase, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _inner_pieces(tokenizer: Tokenizer, letters: set[str]) -> list[str]:
    """`##c` for each letter that may stand inside a word; punctuation and Chinese stand alone."""
    inner = set()
    for letter in letters:
        words = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(f"a{letter}a"))
        if len(words) == 1:
            inner.update(words[0][0])
    return [f"##{letter}" for letter in sorted(inner)]


def load_tokenizer(path: str | Path) -> TextEncoder:
    """A tokenizer from a tokenizer.json. Raises DataError where it can't be read, or is something else."""
    file = Path(path)
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file}: cannot be read: {error}", "set data.text.tokenizer.path to a tokenizer.json"
        ) from error
    return parse_tokenizer(content, str(file))


def parse_tokenizer(content: str, name: str = "tokenizer.json") -> TextEncoder:
    """The same from the file's content."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(content)
    except Exception as error:
        raise DataError(
            f"{name}: not a tokenizer of Hugging Face's tokenizers: {error}",
            "set data.text.tokenizer.path to a tokenizer.json, or leave it out to train one",
        ) from error
    return TextEncoder(tokenizer)

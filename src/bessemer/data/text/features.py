"""Simple features of texts: TF-IDF of words, word pairs and characters, in the scale that a linear model wants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bessemer.data.features import Features, Transform

MAX_CHARACTERS = 20_000  # of a document: what comes after is not looked at
MAX_TERMS = 100_000  # words and word pairs, the commonest


def text_features(texts: Sequence[str]) -> tuple[Features, Transform]:
    """TF-IDF of words and word pairs, term counts damped by a logarithm; float32 CSR (N, D).

    Terms of a single document are dropped where there are many documents. Texts without any word (numbers aside)
    are told apart by runs of up to three characters.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    settings = {"sublinear_tf": True, "dtype": np.float32, "max_features": MAX_TERMS}
    rarest = 2 if len(texts) >= 1000 else 1
    words = TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), min_df=rarest, **settings)
    characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), **settings)
    try:
        return words.fit_transform(_cut(texts)), lambda others: words.transform(_cut(others))
    except ValueError:  # no term is left
        return characters.fit_transform(_cut(texts)), lambda others: characters.transform(_cut(others))


def with_characters(texts: Sequence[str]) -> tuple[Features, Transform]:
    """The same beside TF-IDF of runs of two to five characters within words, as endings say something too."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    words, transform = text_features(texts)
    rarest = 2 if len(texts) >= 1000 else 1
    runs = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(2, 5),
        min_df=rarest,
        sublinear_tf=True,
        dtype=np.float32,
        max_features=MAX_TERMS,
    )
    found = runs.fit_transform(_cut(texts))
    return hstack([words, found], "csr"), lambda others: hstack(
        [transform(others), runs.transform(_cut(others))], "csr"
    )


def _cut(texts: Sequence[str]) -> list[str]:
    return [text[:MAX_CHARACTERS] for text in texts]

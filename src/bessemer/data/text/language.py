"""The language of a text."""

from __future__ import annotations

from bessemer.errors import UsageError

LOOKED_AT = 5000  # characters


def language_of(text: str) -> str:
    """ISO 639-1 code of the likeliest of 97 languages, from the text's first 5,000 characters.

    langid: Lui and Baldwin, "langid.py: an off-the-shelf language identification tool", ACL 2012.

    Raises UsageError where py3langid is missing.
    """
    try:
        import py3langid
    except ImportError as error:
        raise UsageError(
            "data.text.languages needs py3langid, which is not installed", "pip install 'bessemer[language]'"
        ) from error
    return str(py3langid.classify(text[:LOOKED_AT])[0])

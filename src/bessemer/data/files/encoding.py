"""Which old encoding a text is in, decided by the letters that come out.

Statistics of bytes need long texts: on single sentences charset-normalizer takes French for cp1250 and Greek for
cp1251, and one pound sign in an English table for Polish. Here every common encoding is tried, and what it gives
is compared with the letters of the languages that were written in it, and with where marks may stand. Windows'
Western European code page comes first where others fit no better.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

# The longer mark first: that of UTF-32 begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
HEAD = 8000  # bytes in which git, too, looks for zeros, and in which a text may declare its encoding
SAMPLE = 32 * 1024  # bytes of lines that are looked at
FITS = 0.6  # least score at which a guess stands
FEW = 0.1  # share of bytes beyond ASCII up to which a text that fits nothing is Western with odd bytes in it
MIXED = 0.9  # what a letter counts where one language does not explain all of them
SHORTEST_RUN = 2.0  # bytes, on average; accents of Latin letters mostly stand alone
WESTERN = "cp1252"
# What browsers read for a declared name: pages that declare the first are mostly written in the second.
MEANT = {
    **dict.fromkeys(("ascii", "iso8859-1"), WESTERN),
    **{"iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"},
}
DECLARED = re.compile(rb"(?:charset|encoding|coding)\s*[=:]\s*[\"']?\s*([A-Za-z][\w.:-]*)", re.IGNORECASE)

# Letters beyond ASCII, by language. A set that explains the text alone is best: mixtures are often misreadings.
_WESTERN = (
    "éèêëàâçùûüîïôœæÿ",  # French
    "äöüßé",
    "áéíóúñüºª",
    "ãõáéíóúâêôçàºª",
    "åäöøæéüà",
    "ëïéèöüóê",
    "áéíóúþðæö",  # Icelandic; its rare ý would let it explain Turkish
)
_FINAL = "àèéìòùî"  # Italian, whose accents stand at the ends of words
_CENTRAL = (
    "ąćęłńóśźż",
    "áčďéěíňóřšťúůýž",
    "áäčďéíĺľňóôŕšťúýž",
    "áéíóöőúüű",
    "ăâîşţ",
    "čćđšž",
)
_BALTIC = ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž")
_TURKISH = ("çğıöşüİâ",)
_MARKS = frozenset("“”‘’„‚–—…•«»°§©®€£™´·×±²³½¼¾¹µ¶¢¥†‡‰ \xa0\xad¿¡")
_INSIDE = r"(?<=[^\W\d_])[“”„‚…•«»°§©®€£™´×±²³½¼¾¹µ¶¢¥†‡‰¿¡–—‘](?=[^\W\d_])"
_CAPITAL_INSIDE = r"(?<=[a-zß-öø-ÿ])[À-ÖØ-ÞĄĆĘŁŃŚŹŻŐŰČĎĚŇŘŠŤŮŽĂŞŢĽĹĖĮŲŪĀĒĢĪĶĻŅİ]"
# By frequency: a wrong code page gives letters of the right script in the wrong numbers.
_RUSSIAN = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэіїєўґфъё"
_GREEK = "αοιετσνηυρπκμλςωίγόάχδέύθφήώβξζψϊΐϋΰ"
_HEBREW = "יוהלאתרשמבםנכעדחקפסטגצןזףךץ"
_ARABIC = "الينمورتبةعدسفهكقأحجطشصخىإضذزءغثئظآؤ،؛؟ًٌٍَُِّْ"
_THAI = "านรอกเง่มยล้วดัทสตีะิปบคหแ์จพชขใไืุผ็โูถซณศธำภฐษญฉฎฟฤฏฆ"

Score = Callable[[str], float]


def _letters(*sets: str, final: str = "") -> Score:
    """Share of the characters beyond ASCII that the best fitting language, or punctuation, explains.

    The letters `final` are explained as one language's where they end words.
    """
    known = [frozenset(letters + letters.upper()) for letters in sets]
    every = frozenset(final + final.upper()).union(*known)
    ends = re.compile(rf"[{final}{final.upper()}](?![^\W\d_])") if final else None

    def score(text: str) -> float:
        strange = re.findall(r"[^\x00-\x7f]", text)
        letters = [c for c in strange if c not in _MARKS]
        # A mark between letters ("gêœl¹") is a misread letter, apart from an apostrophe.
        inside = len(re.findall(_INSIDE, text))
        best = max(float(sum(c in some for c in letters)) for some in known)
        if ends is not None:
            best = max(best, float(len(ends.findall(text))))
        if len(strange) < SHORTEST_RUN * len(re.findall(r"[^\x00-\x7f]+", text)):
            best = max(best, MIXED * sum(c in every for c in letters))
        capitals = len(re.findall(_CAPITAL_INSIDE, text))
        return (best + len(strange) - len(letters) - 2 * inside - capitals) / max(1, len(strange))

    return score


def _ranked(order: str) -> Score:
    """How usual the letters are: about 0.75 for text of the language; capitals inside words count against it."""
    weight = {c: 1 - 0.6 * i / len(order) for i, c in enumerate(order)}

    def score(text: str) -> float:
        strange = re.findall(r"[^\x00-\x7f]", text)
        value = sum(weight.get(c, 0.0) if c == c.lower() else 0.6 if c.lower() in weight else 0.0 for c in strange)
        marks = sum(c in _MARKS for c in strange)
        broken = len(re.findall(r"[а-яёα-ωά-ώ][А-ЯЁΑ-Ω]", text))
        return (value + 0.6 * marks - broken) / max(1, len(strange))

    return score


def _wide(encoding: str, low: int, high: int, usual: str) -> Score:
    """Share of characters in the table of common ones (lead byte `low` to `high`), or matching `usual`.

    A single one among ASCII letters ("r駸um") is an accent of a Western language misread.
    """
    pattern = re.compile(usual)

    def score(text: str) -> float:
        strange = re.findall(r"[^\x00-\x7f]", text)
        runs = re.findall(r"(?<![^\x00-\x7f])[^\x00-\x7f](?![^\x00-\x7f])", text)
        good = sum(bool(pattern.match(c)) or low <= c.encode(encoding, "replace")[0] <= high for c in strange)
        return float(good - 2 * len(runs)) / max(1, len(strange))

    return score


_PUNCTUATION = r"[　-〟！-～]"
_KANA = r"[぀-ヿ　-〟！-～]"
# Their words are runs of bytes beyond ASCII.
OWN_ALPHABET = {
    "cp1251": _ranked(_RUSSIAN),
    "koi8_r": _ranked(_RUSSIAN),
    "cp866": _ranked(_RUSSIAN),
    "iso8859_5": _ranked(_RUSSIAN),
    "cp1253": _ranked(_GREEK),
    "cp1255": _ranked(_HEBREW),
    "cp1256": _ranked(_ARABIC),
    "cp874": _ranked(_THAI),
}
# In the order of preference where scores are equal.
CANDIDATES: dict[str, Score] = {
    WESTERN: _letters(*_WESTERN, final=_FINAL),
    "iso8859_15": _letters(*_WESTERN, final=_FINAL),
    "cp1250": _letters(*_CENTRAL),
    "iso8859_2": _letters(*_CENTRAL),
    "cp1254": _letters(*_TURKISH),
    "cp1257": _letters(*_BALTIC),
    **OWN_ALPHABET,
    "cp932": _wide("cp932", 0x88, 0x97, _KANA),
    "euc_jp": _wide("euc_jp", 0xB0, 0xCF, _KANA),
    "cp949": _wide("euc_kr", 0xB0, 0xC8, _PUNCTUATION),
    "gb18030": _wide("gb2312", 0xB0, 0xD7, _PUNCTUATION),
    "big5": _wide("big5", 0xA4, 0xC6, _PUNCTUATION),
    "mac_roman": _letters(*_WESTERN, final=_FINAL),
    "cp850": _letters(*_WESTERN, final=_FINAL),
    "cp852": _letters(*_CENTRAL),
}
_JAPANESE = re.compile(r"[぀-ヿ]")


def _scores(sample: bytes) -> dict[str, float]:
    found: dict[str, float] = {}
    runs = re.findall(rb"[\x80-\xff]+", sample)
    alone = sum(map(len, runs)) < SHORTEST_RUN * len(runs)
    for encoding, score in CANDIDATES.items():
        if alone and encoding in OWN_ALPHABET:
            continue
        try:
            text = sample.decode(encoding)
        except UnicodeDecodeError:
            continue
        value = score(text)
        if encoding in ("cp932", "euc_jp") and not _JAPANESE.search(text):
            value = 0.0  # Japanese has no sentence without kana; Chinese and Korean have
        if encoding == "gb18030" and _JAPANESE.search(text):
            value -= 0.2
        found[encoding] = value
    return found


def sample_of(raw: bytes) -> bytes:
    """The first 32 KiB of the lines that have bytes beyond ASCII: the others tell nothing."""
    lines: list[bytes] = []
    size = 0
    for match in re.finditer(rb"[^\n]*[\x80-\xff][^\n]*", raw):
        lines.append(match.group())
        size += len(match.group())
        if size > SAMPLE:
            break
    joined = b"\n".join(lines)
    return joined if size <= 4 * SAMPLE else joined[:SAMPLE]


def encoding_of(raw: bytes) -> str | None:
    """The likeliest encoding of bytes that are not UTF-8, by Python's name; None where nothing fits.

    What the text declares (`charset=...`, `encoding="..."`) counts before what its letters say, where it can be
    read so. Odd bytes among much ASCII that fit nothing are taken for Windows' Western European code page.
    """
    declared = _declared(raw)
    if declared is not None:
        return declared
    sample = sample_of(raw)
    scores = _scores(sample)
    if scores:
        best = max(scores, key=lambda name: scores[name])  # the first of the best
        if scores[best] >= FITS:
            return best
    beyond = len(re.findall(rb"[\x80-\xff]", sample))
    return WESTERN if beyond <= FEW * len(sample) else None


def _declared(raw: bytes) -> str | None:
    """The encoding that the head of a text names, where all of the text can be read so."""
    for match in DECLARED.finditer(raw[:HEAD]):
        try:
            name = codecs.lookup(match[1].decode("ascii")).name
            encoding = MEANT.get(name, name)
            raw.decode(encoding)
        except (LookupError, ValueError):
            continue
        if encoding not in ("utf-8", "utf-7", "utf-16", "utf-32", "idna", "punycode"):
            return encoding
    return None


def wide_without_mark(raw: bytes) -> str | None:
    """UTF-16 of Western text without a mark: every other byte of the head is zero."""
    head = raw[: HEAD // 2 * 2]
    if len(head) < 4 or len(head) % 2:
        return None
    half = len(head) // 2
    even, odd = head[::2].count(0) / half, head[1::2].count(0) / half
    if odd > 0.7 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 and odd < 0.05 else None


def is_mostly_utf8(raw: bytes) -> bool:
    """Whether what is wrong in UTF-8 is little beside what is right in it: characters, or whole lines."""
    sample = sample_of(raw).decode("utf-8", "surrogateescape")
    wrong = len(re.findall("[\udc80-\udcff]", sample))
    right = len(re.findall("[^\x00-\x7f\udc80-\udcff]", sample))
    lines = sample.splitlines()
    wrong_lines = sum(re.search("[\udc80-\udcff]", line) is not None for line in lines)
    return right >= 4 * wrong or 2 * wrong_lines < len(lines)

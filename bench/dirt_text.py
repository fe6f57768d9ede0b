"""Dirt for text."""

from __future__ import annotations

import html
import random
from collections.abc import Callable

from dirt import Make, Plant, emptied, same

# Public facts in languages whose letters tell encodings apart; none is of more than Latin-1, TYPOGRAPHIC aside.
SENTENCES = (
    "Zürich liegt am Übergang zwischen See und Fluß, und die Bäume blühen schön.",
    "Le café du théâtre est ouvert à partir de midi, même en août; la crème brûlée est célèbre.",
    "El niño soñó con una mañana de otoño en la montaña y después volvió al pueblo pequeño.",
    "A tradução não está concluída; as ações começarão amanhã, após a reunião da comissão.",
    "På øen går børnene i skole hele året, også når sneen ligger højt på vejene.",
)
TYPOGRAPHIC = (
    "„Größe“ ist nicht alles – das weiß man…",
    "L’été dernier – déjà si loin – coûtait 20 € par jour…",
    "“It’s naïve” – so she said – “to pay €5 for a résumé…",
)
LICENSE = """This file is part of the Example Documentation Collection, release 4.2.
Copyright (c) 2001-2024 the Example Documentation Project and its contributors.
Redistribution and use, with or without modification, are permitted under the terms of the Example License.
"""
MENU = ("Home", "Products", "Documentation", "Download", "Forum", "Jobs", "About us", "Contact", "Privacy policy")
NEAR_WORDS = 64  # words that a document needs so that an edit leaves four fifths of its 5-grams
CONTROLS = "\x01\x02\x07\x08\x0b\x0e\x1a\x7f"


def reading(raw: bytes) -> str:
    """The text of an untouched file."""
    return raw.decode("utf-8", errors="replace")


def decodes(raw: bytes) -> bool:
    """Whether a file is UTF-8 and says something."""
    try:
        return len(raw.decode("utf-8").split()) >= 8
    except UnicodeDecodeError:
        return False


def with_letters(raw: bytes, dice: random.Random) -> str:
    """The text, and after it sentences with letters beyond ASCII."""
    return reading(raw) + "\n" + "\n".join(dice.sample(SENTENCES, 2)) + "\n"


def with_typography(raw: bytes, dice: random.Random) -> str:
    """The same, with quotation marks, dashes and a euro sign."""
    return with_letters(raw, dice) + dice.choice(TYPOGRAPHIC) + "\n"


def encoded(text: Callable[[bytes, random.Random], str], encoding: str) -> Make:
    """The text in another encoding; letters that it lacks are left out."""
    return lambda raw, dice: text(raw, dice).encode(encoding, errors="ignore")


def mojibake(rounds: int) -> Make:
    """UTF-8 that was read as Windows-1252 and saved again, so many times."""

    def make(raw: bytes, dice: random.Random) -> bytes:
        text = with_typography(raw, dice)
        for _ in range(rounds):
            text = "".join(as_browsers_do(byte) for byte in text.encode("utf-8"))
        return text.encode("utf-8")

    return make


def as_browsers_do(byte: int) -> str:
    """Windows-1252, its five undefined bytes as control characters."""
    return chr(byte) if byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else bytes([byte]).decode("cp1252")


def page(raw: bytes, dice: random.Random) -> bytes:
    """The text as an article of a web page, with a menu, a script and a footer around it."""
    parts = filter(None, (part.strip() for part in reading(raw).split("\n\n")))
    paragraphs = "\n".join(f"<p>{html.escape(part)}</p>" for part in parts)
    menu = "".join(f'<li><a href="/{name.lower().replace(" ", "-")}">{name}</a></li>' for name in MENU)
    document = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Reference</title>\n'
        "<style>body { font: 16px serif } nav li { display: inline }</style>\n"
        "<script>window.dataLayer = window.dataLayer || []; function track(x) { dataLayer.push(x); }</script>\n"
        f"</head><body><nav><ul>{menu}</ul></nav>\n<main><article>\n{paragraphs}\n</article></main>\n"
        "<footer>We use cookies to improve your visit. <a href='/accept'>Accept all</a> &copy; 2024</footer>\n"
        "</body></html>\n"
    )
    return document.encode()


def with_license(raw: bytes, dice: random.Random) -> bytes:
    """The same three lines on top of many documents."""
    return LICENSE.encode() + b"\n" + raw


def with_controls(raw: bytes, dice: random.Random) -> bytes:
    """Control characters between words, and colors of a terminal."""
    words = reading(raw).split(" ")
    for _ in range(max(3, len(words) // 50)):
        place = dice.randrange(len(words))
        words[place] += dice.choice([*CONTROLS, "\x1b[31m", "\u200b"])
    return " ".join(words).encode()


def too_short(raw: bytes, dice: random.Random) -> bytes:
    """A remark of a few letters."""
    return dice.choice([b"ok\n", b"TBD\n", b"see above\n", b"n/a\n"])


def white_space(raw: bytes, dice: random.Random) -> bytes:
    """Nothing to read."""
    return b" \n\t\n" * dice.randrange(5, 50)


def binary(raw: bytes, dice: random.Random) -> bytes:
    """Bytes of no text."""
    return dice.randbytes(dice.randrange(500, 3000))


def spam(raw: bytes, dice: random.Random) -> bytes:
    """One line again and again."""
    line = dice.choice(["Buy cheap watches online now!", "Click here to subscribe.", "Loading, please wait"])
    return f"{line}\n".encode() * dice.randrange(60, 200)


def symbols(raw: bytes, dice: random.Random) -> bytes:
    """A soup of signs."""
    runs = ("".join(dice.choices("#$%&*+=<>|~^@{}[]/\\;:", k=dice.randrange(1, 9))) for _ in range(200))
    return " ".join(runs).encode() + b"\n"


def edited(raw: bytes, dice: random.Random) -> bytes:
    """One word in sixty replaced, so that at least four fifths of the word 5-grams stay."""
    words = reading(raw).split(" ")
    count = max(1, len(reading(raw).split()) // 90)
    places = [place for place, word in enumerate(words) if word.strip().isalpha()]
    for place in dice.sample(places, min(count, len(places))):
        words[place] = dice.choice(["another", "revised", "different", "changed"])
    return " ".join(words).encode()


def long_enough(raw: bytes) -> bool:
    """Whether an edited copy is still a near copy."""
    return decodes(raw) and len(reading(raw).split()) >= NEAR_WORDS


PLANTS = (
    Plant("Latin-1", encoded(with_letters, "latin-1"), fits=decodes, truth=with_letters),
    Plant("Windows-1252", encoded(with_typography, "cp1252"), fits=decodes, truth=with_typography),
    Plant("UTF-16", encoded(with_typography, "utf-16"), fits=decodes, truth=with_typography),
    Plant("mojibake, one round", mojibake(1), fits=decodes, truth=with_typography),
    Plant("mojibake, two rounds", mojibake(2), fits=decodes, truth=with_typography),
    Plant("HTML page", page, fits=decodes),
    Plant("control characters", with_controls, fits=decodes),
    Plant("0 bytes", emptied),
    Plant("white space only", white_space),
    Plant("too short", too_short),
    Plant("binary junk", binary),
    Plant("one line repeated", spam),
    Plant("symbols only", symbols),
    Plant("exact copy", same, copy=True, fits=decodes),
    Plant("near copy: words changed", edited, copy=True, fits=long_enough),
    Plant("repeated license header", with_license, share=0.25, fits=decodes),
)

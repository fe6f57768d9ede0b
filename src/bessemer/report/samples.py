"""What can be shown of a sample: a picture (of sound: its spectrogram) or a text, which may hold anything."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from bessemer.report import format as say

IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
PNG = "data:image/png;base64,"
WIDE = 1.5  # width over height from which a picture is shown as wide as it is
EXCERPT = 280  # characters of a text that are shown
# What the template reads of a sample, of one of two copies or of a doubted label; older reports have less.
BLANK: dict[str, Any] = dict.fromkeys(("path", "label", "split", "given", "suggested", "confidence", "wrong"), "")


def image(source: object) -> str:
    """`source` where it is an image inside the page; empty otherwise, so that the page fetches nothing."""
    return str(source) if IMAGE.fullmatch(str(source)) else ""


def shown(value: object) -> dict[str, str]:
    """What can be shown of a sample: `image`, a data URI, or the start of its `text`; both empty where nothing."""
    if not isinstance(value, str):
        return {"image": "", "text": ""}
    picture = image(value)
    return {"image": picture, "text": "" if picture else excerpt(value)}


def excerpt(text: str) -> str:
    """The start of a text; every sign that a page cannot hold is a visible box."""
    start = say.visible(text[:EXCERPT].strip())
    return f"{start} …" if len(text) > EXCERPT else start


def samples(found: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Samples that have something to show, each with `image` and `text` fit for the page."""
    ready = [{**BLANK, **one, **shown(image(one.get("image")) or one.get("text"))} for one in found or []]
    return [one for one in ready if one["image"] or one["text"]]


def form(found: Sequence[Mapping[str, Any]]) -> str:
    """How samples want to be laid out: `text`, `wide` pictures, or nothing in particular."""
    first = next((one for one in found if one.get("image") or one.get("text")), None)
    if first is None:
        return ""
    return "wide" if _ratio(str(first.get("image"))) >= WIDE else "text" if first.get("text") else ""


def _ratio(picture: str) -> float:
    """Width over height of a PNG, which stand in its first bytes; 1 for others."""
    if not picture.startswith(PNG):
        return 1.0
    head = b64decode(picture[len(PNG) : len(PNG) + 32])
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    return width / height if height else 1.0

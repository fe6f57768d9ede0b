"""Documents that are HTML, and their text.

A few `<` and `>` don't make a document HTML: source code, generics and a text that speaks of `<p>` stay as they
are.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from bessemer.errors import UsageError

# What may stand before the first tag of a page.
_BEFORE = r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.{0,2000}?-->\s*)*"
_PAGE = re.compile(_BEFORE + r"<(?:!doctype\s+html|html|head|body)\b[^<]*>", re.I | re.S)
_BLOCK = r"(?:p|div|br|li|ul|ol|dl|dd|dt|table|tr|td|th|h[1-6]|blockquote|section|article|center|hr|pre)"
_TAG = re.compile(rf"</?{_BLOCK}(?:\s[^<>]*)?/?>", re.I)
_CLOSED = re.compile(rf"</{_BLOCK}\s*>|<br\s*/?>", re.I)
_ANY_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>")
_MENTION = re.compile(rf"(?<=\w )</?{_BLOCK}>(?= \w)", re.I)  # "the <p> tag"
_MARKDOWN = re.compile(r"^(?:#{1,6} |```|~~~)", re.M)
# A line of source code, or one where the tag stands between quotation marks or in back ticks.
_CODE_LINE = re.compile(
    r"^\s*(?:[#@}\])]|//|/\*|(?:def|class|import|from|return|if|for|while|elif|else|try|var|let|const|function|public"
    r"|private|static|fn|use|package|print|echo)\b.*[(){}:;=.]|[\w.\[\]]+\s*[-+*/|]?=\s)|[;{]\s*$|[\"'`][^\"'`<>\n]*</?[A-Za-z]"
)
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # lxml refuses to store them
TAGS, EVERY, CODE = 3, 400, 0.2  # least tags, one in so many characters, most lines of code
BREAKS = frozenset(
    ["p", "div", "br", "li", "ul", "ol", "dl", "dd", "dt", "table", "tr", "h1", "h2", "h3", "h4", "h5", "h6"]
).union(["blockquote", "section", "article", "pre", "hr", "title"])
DROPPED = ("script", "style", "noscript", "template", "svg", "iframe", "object", "head")
LITTLE = 0.25  # of the text on the page: less means that the extraction took the page for navigation


def looks_like_html(text: str) -> bool:
    """Whether a document is an HTML page, or a piece of one: block tags in prose, as feeds have them."""
    if "<" not in text:
        return False
    if _PAGE.match(text):
        return True
    if not _CLOSED.search(text):
        return False
    blocks, tags = len(_TAG.findall(text)), len(_ANY_TAG.findall(text))
    if blocks < TAGS or blocks * EVERY < len(text) or blocks < tags / 4:
        return False
    if _MARKDOWN.search(text) or len(_MENTION.findall(text)) > blocks / 4:
        return False
    lines = [line for line in text.splitlines() if line.strip()]
    return sum(bool(_CODE_LINE.search(line)) for line in lines) <= CODE * len(lines)


def html_text(text: str) -> str:
    """The main text of an HTML page or piece, entities resolved.

    trafilatura (Barbaresi, "Trafilatura: a web scraping library", ACL 2021) finds the main part of a page, without
    menus and footers. It is made for articles: where it returns under a quarter of the words, or the document
    is only a piece of a page, all text is taken, without scripts and styles.
    """
    if not _PAGE.match(text):
        return _all_text(text, r"[^\S\n]+")  # its line breaks are the writer's
    everything = _all_text(text, r"\s+")
    if not everything.strip():
        return ""
    main = _main_text(text)
    return main if len(main.split()) >= LITTLE * len(everything.split()) else everything


def _main_text(text: str) -> str:
    try:
        import trafilatura
    except ImportError as error:  # its dependency justext asks lxml for an extra that older versions of pip miss
        raise UsageError(f"trafilatura cannot be loaded: {error}", "pip install lxml_html_clean") from error
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it logs each page that holds little
    main = trafilatura.extract(text, favor_recall=True, include_comments=False, deduplicate=False)
    return main or ""


def _all_text(text: str, space: str) -> str:
    """Every text node in order, with line breaks where blocks begin and end; `space` becomes one space."""
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        root = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):  # tags without any content
        return re.sub("<[^<>]*>", "", text)
    for element in list(root.iter(*DROPPED)):
        element.drop_tree()
    literal = {inner for pre in root.iter("pre") for inner in pre.iter()}
    for element in root.iter(etree.Element):
        element.text = _plain(element.text, None if element in literal else space)
        element.tail = _plain(element.tail, None if element.getparent() in literal else space)
        _break_lines(element)
    return str(root.text_content())


def _plain(text: str | None, space: str | None) -> str:
    allowed = _NOT_XML.sub(" ", text or "")
    return re.sub(space, " ", allowed) if space else allowed


def _break_lines(element: Any) -> None:
    if element.tag in BREAKS:
        element.tail = "\n" + (element.tail or "").lstrip(" ")
        if element.tag != "br":
            element.text = "\n" + (element.text or "").lstrip("\n" if element.tag == "pre" else " ")
    elif element.tag in ("td", "th"):
        element.tail = "\t" + (element.tail or "").lstrip(" ")

"""HTML documents and their text."""

from __future__ import annotations

import pytest

from bessemer.data.text.html import html_text, looks_like_html
from bessemer.data.text.repair import clean_text

SENTENCE = "The council met on Tuesday and agreed on the plan for the new bridge over the river. "
PAGE = f"""<!DOCTYPE html>
<html><head><title>News</title><style>p {{ color: red }}</style><script>var x = 1 < 2;</script></head>
<body><nav><ul><li><a href="/">Home</a></li><li><a href="/contact">Contact</a></li></ul></nav>
<article><h1>A bridge</h1><p>{SENTENCE * 3}</p>
<p>Fish &amp; chips &lt;b&gt; caf&eacute;. {SENTENCE * 2}</p></article>
<footer>Terms and conditions</footer></body></html>"""


@pytest.mark.parametrize(
    "text",
    [
        "<html><body>x</body></html>",
        "  <!-- made by hand -->\n<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'>\n<p>x",
        '<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>',
        "<p>One.</p><p>Two</p>",
        "Great.<br /><br />Loved it.<br />",
    ],
)
def test_html(text: str) -> None:
    assert looks_like_html(text)


@pytest.mark.parametrize(
    "text",
    [
        "no tags",
        "<p>one paragraph is too little",
        "<config><item name='a'/><item name='b'/></config>",
        '<?xml version="1.0"?><feed><entry>x</entry></feed>',
        "template <typename T> class Set { Map<T, Set<T>> m; };",
        "print('<p>')\nprint('</p>')\nprint('<div>')\nprint('</div>')",
        "In prose of a length like this" * 200 + "<br><br><br>",
    ],
)
def test_not_html(text: str) -> None:
    assert not looks_like_html(text)


def test_main_text_of_a_page() -> None:
    text = html_text(PAGE)
    assert "Fish & chips <b> café." in text
    assert text.count("The council met") == 5
    assert not any(word in text for word in ("var x", "color", "<p>", "Contact"))
    clean, repairs = clean_text(PAGE)
    assert repairs == ("HTML stripped",)
    assert clean_text(clean) == (clean, ())


def test_pages_that_are_not_articles_keep_all_text() -> None:
    cells = "".join(f"<tr><td>part {i}</td><td>{i * 3} pieces</td></tr>" for i in range(30))
    page = f"<html><body><form><table>{cells}</table></form></body></html>"
    assert "part 29" in html_text(page)
    assert "87 pieces" in html_text(page)


def test_pieces_keep_line_breaks_and_literal_text() -> None:
    text = html_text("<p>One\nline</p><pre>  a\n    b &lt;x&gt;</pre><table><tr><td>1</td><td>2</td></tr></table>")
    assert "One\nline" in text
    assert "  a\n    b <x>" in text
    assert "1\t2" in text


@pytest.mark.parametrize(
    "text", ["<br><br><br>", "<p></p><p></p>", "<html></html>", "<!doctype html>", "<html><head></head>"]
)
def test_pages_without_text_are_empty(text: str) -> None:
    assert html_text(text).strip() == ""


def test_references_to_forbidden_characters() -> None:
    assert clean_text("<p>a&#1;b</p><p><pre>c&#x1b;d</pre></p>")[0].split() == ["a", "b", "c", "d"]


def test_keep_leaves_pages() -> None:
    assert clean_text(PAGE, "keep")[0] == PAGE

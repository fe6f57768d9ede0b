"""Old encodings are told by what comes out of them: whole texts, single sentences, single odd bytes."""

from __future__ import annotations

import random

import pytest

from bessemer.data.files.encoding import encoding_of

# Encodings by which Windows and older systems wrote a language, and sentences in it.
SENTENCES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "German": (
        ("cp1252", "cp850", "mac_roman"),
        (
            "Die Länge beträgt fünf Meter, die Größe steht auf dem Schild.",
            "Können Sie mir bitte sagen, wo der nächste Bahnhof ist?",
            "Schöne Grüße aus Köln; das Gerät läuft übrigens wieder.",
        ),
    ),
    "French": (
        ("cp1252", "iso8859_15"),
        (
            "L'été dernier, nous avons visité un château près de la forêt.",
            "Où êtes-vous allés hier soir ? Ça n'a pas été très long.",
            "Le garçon a mangé une crêpe à la crème avec son cœur.",
        ),
    ),
    "Spanish": (
        ("cp1252",),
        (
            "El envío llegó tarde y dañado, no lo compraré más.",
            "¿Cuántos años tiene la niña? ¡Qué pregunta tan difícil!",
            "Buena calidad y un precio más bajo que en otros sitios, según mi opinión.",
        ),
    ),
    "Portuguese": (
        ("cp1252",),
        (
            "Não compro mais, o produto não funcionou e a devolução é difícil.",
            "Ótima qualidade, preço bom, coração e emoção na estação.",
            "As informações estão disponíveis à noite e também aos sábados.",
        ),
    ),
    "Italian": (
        ("cp1252",),
        (
            "La città è bella, però non c'è più tempo per visitarla.",
            "Perché non può venire lunedì? È già partito.",
            "La qualità è buona e il prezzo è giusto, così lo ricomprerò.",
        ),
    ),
    "Swedish": (
        ("cp1252",),
        (
            "Jag åker till Göteborg på lördag och äter där.",
            "Det är för många människor på gården, så vi går hem.",
            "Får jag låna din bil när du är färdig med den?",
        ),
    ),
    "Danish": (
        ("cp1252",),
        (
            "Jeg har købt nogle æbler på torvet, og de er røde.",
            "Rødgrød med fløde er bedst om sommeren, når vejret er smukt.",
            "Må jeg spørge, hvornår båden går?",
        ),
    ),
    "Dutch": (
        ("cp1252",),
        (
            "De coördinatie van de financiële reünie is geïnspireerd.",
            "Eén café in België is drieëntwintig jaar oud.",
        ),
    ),
    "English of a Macintosh": (
        ("mac_roman",),
        ("It’s late, and we don’t care. That’s how it is.",),
    ),
    "English": (
        ("cp1252",),
        (
            "The refund of £20 never came, and nobody answers my letters.",
            "It’s late – “only €5”, they said… but it’s not.",
            "A naïve résumé from the café on the corner.",
            "Keep it below 20°C for 30 minutes ± 5.",
        ),
    ),
    "Polish": (
        ("cp1250", "iso8859_2", "cp852"),
        (
            "Zażółć gęślą jaźń; książka leży na półce już od miesiąca.",
            "Proszę powiedzieć, gdzie są pieniądze, które wysłałem?",
            "Nie mogę znaleźć kluczy, więc zostanę w domu cały dzień.",
        ),
    ),
    "Czech": (
        ("cp1250", "iso8859_2"),
        (
            "Příliš žluťoučký kůň úpěl ďábelské ódy.",
            "Kde je nejbližší nádraží? Děkuji za odpověď.",
            "Tento výrobek je velmi dobrý, určitě ho koupím znovu.",
        ),
    ),
    "Hungarian": (
        ("cp1250", "iso8859_2"),
        (
            "Árvíztűrő tükörfúrógép, ez nagyon jó minőségű termék.",
            "Hol van a legközelebbi pályaudvar? Köszönöm a választ.",
            "Később érkezett meg, és sajnos törött volt, többé nem veszek ilyet.",
        ),
    ),
    "Romanian": (
        ("cp1250", "iso8859_2"),
        (
            "Aţi văzut că fetiţa îşi aşteaptă părinţii în faţa casei?",
            "Vă mulţumesc pentru răspuns, este o carte foarte bună şi ieftină.",
        ),
    ),
    "Turkish": (
        ("cp1254",),
        (
            "Bugün hava çok güzel, değil mi? Şimdi dışarı çıkıyoruz.",
            "Ürün iyi ama kargo çok yavaştı, bir daha almayacağım.",
            "İstanbul'da yaşıyorum ve öğrenciyim, ağabeyim de öğretmen.",
        ),
    ),
    "Lithuanian": (
        ("cp1257",),
        (
            "Ačiū už atsakymą, prekė labai gera ir pigi, pirksiu dar kartą šįmet.",
            "Kur yra artimiausia geležinkelio stotis? Negaliu rasti savo raktų, ėjau ilgai.",
        ),
    ),
    "Russian": (
        ("cp1251", "koi8_r", "cp866", "iso8859_5"),
        (
            "Привет, как дела? Сегодня хорошая погода.",
            "Товар пришёл поздно и с повреждениями, больше не куплю!",
            "Съешь же ещё этих мягких французских булок, да выпей чаю.",
        ),
    ),
    "Ukrainian": (
        ("cp1251",),
        ("Дякую за відповідь, товар дуже добрий і недорогий.", "Де знаходиться найближчий вокзал, їхати далеко?"),
    ),
    "Greek": (
        ("cp1253", "iso8859_7"),
        (
            "Καλημέρα κόσμε, τι κάνετε σήμερα;",
            "Το προϊόν ήρθε αργά και ήταν χαλασμένο, δεν θα ξαναγοράσω.",
            "Πού βρίσκεται ο πλησιέστερος σταθμός; Ευχαριστώ πολύ.",
        ),
    ),
    "Hebrew": (
        ("cp1255",),
        ("שלום, מה שלומך היום? מזג האוויר יפה מאוד.", "המוצר הגיע מאוחר והיה שבור, לא אקנה שוב."),
    ),
    "Arabic": (
        ("cp1256",),
        ("مرحبا، كيف حالك اليوم؟ الطقس جميل جدا.", "وصل المنتج متأخرا وكان مكسورا، لن أشتري مرة أخرى."),
    ),
    "Thai": (
        ("cp874",),
        ("สวัสดีครับ วันนี้อากาศดีมาก", "สินค้ามาช้าและเสียหาย ผมจะไม่ซื้ออีกแล้ว"),
    ),
    "Japanese": (
        ("cp932", "euc_jp"),
        (
            "今日は天気がいいですね。東京へ行きましょう。",
            "商品が届くのが遅く、壊れていました。もう買いません。",
            "カタカナとひらがなを使います。",
        ),
    ),
    "Chinese": (
        ("gb18030",),
        ("今天天气很好,我们去北京吧。这是一个测试。", "商品来得很晚,而且坏了,我不会再买。"),
    ),
    "Chinese of Taiwan": (
        ("big5",),
        ("今天天氣很好,我們去台北吧。這是一個測試。", "商品來得很晚,而且壞了,我不會再買。"),
    ),
    "Korean": (
        ("cp949",),
        ("안녕하세요. 오늘 날씨가 좋네요.", "상품이 늦게 왔고 부서져 있었어요. 다시는 안 살 거예요."),
    ),
}
CASES = [
    (language, encoding, sentence)
    for language, (encodings, sentences) in SENTENCES.items()
    for encoding in encodings
    for sentence in sentences
]
ENGLISH = "All was well with it, and we would buy it again.\n" * 40


def read_as(raw: bytes) -> str:
    return raw.decode(encoding_of(raw) or "ascii", "replace")


@pytest.mark.parametrize(("language", "encoding", "sentence"), CASES)
def test_a_single_sentence(language: str, encoding: str, sentence: str) -> None:
    assert read_as(sentence.encode(encoding)) == sentence


@pytest.mark.parametrize(
    ("language", "encoding"), [(one, name) for one, (names, _) in SENTENCES.items() for name in names]
)
def test_all_sentences_in_a_long_text_and_in_quoted_cells(language: str, encoding: str) -> None:
    text = "\n".join(f'"{number}","{one}"' for number, one in enumerate(SENTENCES[language][1] * 30))
    assert read_as(text.encode(encoding)) == text
    assert read_as((ENGLISH + text).encode(encoding)) == ENGLISH + text


# A letter or a sign that stands alone in a text that is ASCII otherwise: as people of Western Europe write it.
ODD = (
    """
£20|€5|5 €|it’s|don’t|“yes”|café|naïve|Länge|Straße|señor|façade|año|São|José|Müller|Zoë|20°C|±5|½ cup|5 µm|© 2020
®|™|§ 5|one – two|one — two|wait…|• item|À la carte|Übung|Øst|på|få|Château|où|très|Noël|cœur|10×20|«oui»|¿Qué?
¡No!|n° 5|2²|piñata|crème|Ångström|é|Größe|für|à|ll’été|Málaga|Córdoba|Perú|aún|más|então|avô|você|così|più|perché
ÜBER|ÉTÉ
""".strip()
    .replace("\n", "|")
    .split("|")
)


@pytest.mark.parametrize("odd", ODD)
def test_a_single_odd_byte(odd: str) -> None:
    for text in (odd, f"We had {odd} there", f"text,label\n{ENGLISH}{odd},a\n"):
        assert read_as(text.encode("cp1252")) == text


@pytest.mark.parametrize(
    ("head", "text", "encoding"),
    [
        ('<meta charset="iso-8859-2">', "Zażółć", "iso8859-2"),
        ("<?xml version='1.0' encoding='windows-1251'?>", "Да", "cp1251"),
        ("# -*- coding: latin-1 -*-", "Ångström “x”", "cp1252"),
        ("Content-Type: text/plain; charset=Shift_JIS", "東京", "cp932"),
    ],
)
def test_a_declared_encoding_counts_first(head: str, text: str, encoding: str) -> None:
    raw = f"{head}\n{text}\n".encode(encoding)
    assert encoding_of(raw) == encoding


def test_what_declares_another_encoding_than_it_is_in_is_told_by_its_letters() -> None:
    raw = b'<meta charset="utf-8">' + "Die Länge beträgt fünf Meter".encode("cp1252")
    assert encoding_of(raw) == "cp1252"
    assert encoding_of(b"charset=nonsense " + "Größe".encode("cp1252")) == "cp1252"


def test_what_fits_nothing_has_no_encoding_unless_it_is_little() -> None:
    noise = random.Random(0)
    assert encoding_of(bytes(noise.randrange(128, 256) for _ in range(600))) is None
    assert encoding_of(b"plain words " * 30 + b"\x98\xb8\xe6") == "cp1252"

"""A CSV file to the columns that the exported model takes, without bessemer: the model card shows this source.

It says again in few lines what `bessemer.data.table` does to numbers, dates and categories, and a test holds one
against the other.
"""

import csv
import datetime
import math
import re
from typing import Any

import numpy as np

MODEL = "columns.onnx"
TOGETHER = False  # each output is the answer of a row
UNSAID = {"na", "n/a", "nan", "null", "none", "nil", "nat", "missing", "unknown"}
UNSAID |= {"<na>", "#n/a", "#na", "#null!", "?", "-", "--", "."}


def read(path: str, about: dict[str, Any], folder: str) -> dict[str, Any]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        dialect = csv.Sniffer().sniff(file.readline(), ",;\t|")
        file.seek(0)
        rows = list(csv.DictReader(file, dialect=dialect))
    says, feeds = about["settings"], {}
    for name in says["numbers"]:
        comma, unit = name in says["decimal_comma"], says["units"].get(name, "")
        feeds[name] = np.array([[number(row[name], comma, unit)] for row in rows], np.float64)
    for name, form in says["dates"].items():
        feeds[name] = np.array([[seconds(row[name], form)] for row in rows], np.float64)
    for name in says["categories"]:
        feeds[name] = np.array([[said(row[name])] for row in rows], object)
    return feeds


def said(cell: str) -> str:
    """A cell's text, empty where it says that nothing is known."""
    return "" if cell.strip().lower() in UNSAID else cell.strip()


def number(cell: str, comma: bool, unit: str) -> float:
    """What is no number in the column's form says nothing."""
    text = said(cell).replace("\u2212", "-")
    if unit:
        text = text.removeprefix(unit).removesuffix(unit).strip()
    mark, group = (",", ".") if comma else (".", ",")
    if re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}([{group} \u00a0\u202f'’]\d{{3}})+({re.escape(mark)}\d*)?", text):
        text = re.sub(f"[^0-9+{mark}-]", "", text)
    try:
        found = float(text.replace(",", ".") if comma and "." not in text else text)
    except ValueError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def seconds(cell: str, form: str) -> float:
    """Seconds since 1970, UTC."""
    for clock in ("", " %H:%M", " %H:%M:%S"):
        try:
            text = said(cell)
            iso = form == "iso"
            moment = (
                datetime.datetime.fromisoformat(text) if iso else datetime.datetime.strptime(text, form + clock)
            )
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
    return math.nan

"""The snippet of a model card: a raw file to an answer with ONNX Runtime and without bessemer.

It is put together from the sources of two modules, so that what the card shows is code that is checked and tested.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

from bessemer.data.kind import Kind

PROGRAM = """
folder = "export/onnx"  # of the run
with open(f"{{folder}}/preprocess.json", encoding="utf-8") as file:
    about = json.load(file)
model = onnxruntime.InferenceSession(f"{{folder}}/{{MODEL}}")
for path in sys.argv[1:]:  # such as {example}
    (outputs,) = model.run(None, read(path, about, folder))
    print(json.dumps(answers(outputs, about, TOGETHER)))
"""


def snippet(kind: Kind, answers: str) -> str | None:
    """A program that answers the files it is given; `answers` is the module of that function. None without one."""
    if kind.alone is None:
        return None
    imports = {"import json", "import sys", "import onnxruntime"}
    bodies = []
    for module in (kind.alone, answers):
        body = ast.parse(source := _source(module)).body[1:]  # without the docstring
        first = next(place for place, node in enumerate(body) if not isinstance(node, ast.Import | ast.ImportFrom))
        imports |= {ast.unparse(node) for node in body[:first]}
        bodies.append("\n".join(source.splitlines()[body[first].lineno - 1 :]))
    listed = "\n".join(sorted(imports, key=lambda line: (line.startswith("from"), line)))
    return "\n\n".join([listed, *bodies]) + "\n\n" + PROGRAM.format(example=kind.example)


def _source(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")

"""What is listed below a folder: links by the settings, never in a circle, and nothing that bessemer wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bessemer.prepare.source.tree import Tree, is_own_folder, is_own_recipe

RECIPE = "name: x\nseed: 0\ndata:\n  # a note\n  source: text_folder\n  path: /x\n"


def add(root: Path, *names: str, content: str = "x") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def listed(tree: Tree) -> dict[str, str]:
    return {
        os.path.relpath(found.path, tree.root): found.problem.reason if found.problem else ""
        for found in tree.files()
    }


@pytest.fixture
def linked(tmp_path):
    """A folder with links out of it, inside it, to itself and to nothing."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    add(root, "a/1")
    add(outside, "c/1", "c/deep/2", "file")
    (root / "c").symlink_to(outside / "c")
    (root / "b").symlink_to(root / "a")
    (root / "a" / "out").symlink_to(outside / "file")
    (root / "a" / "loop").symlink_to(root)
    (root / "a" / "above").symlink_to(tmp_path)
    (root / "self").symlink_to("self")
    (outside / "c" / "back").symlink_to(root / "a")
    return os.path.realpath(root)


def test_links_that_lead_out_are_not_followed_but_told(linked):
    tree = Tree(linked)
    out = "link out of the data folder"
    assert listed(tree) == {"a/1": "", "a/out": out, "c": out, "self": ""}
    assert [os.path.basename(path) for path in tree.passed] == ["b"]
    assert "data.links: follow" in next(found.problem.detail for found in tree.files() if found.problem)


def test_links_that_lead_out_are_followed_where_asked_for_and_never_in_a_circle(linked):
    tree = Tree(linked, follow=True)
    found = listed(tree)
    assert set(found.values()) == {""}
    assert {"a/1", "a/out", "b/1", "c/1", "c/deep/2", "c/back/1", "self"} <= set(found)
    assert not any("loop" in name or "above" in name for name in found)
    assert {os.path.basename(path) for path in tree.out} == {"out", "c"}


def test_links_behind_links_have_an_end(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    for place in range(12):
        add(tmp_path / f"f{place}", "1")
        for name in "xy":
            (tmp_path / f"f{place}" / name).symlink_to(tmp_path / f"f{place + 1}")
    (root / "in").symlink_to(tmp_path / "f0")
    found = listed(Tree(os.path.realpath(root), follow=True))
    assert len(found) < 100
    assert "links behind links" in found.values()


@pytest.mark.parametrize(
    "made",
    [
        ("recipe.yaml", "log.jsonl", "stages/prepare-1/x.txt"),
        ("recipe.yaml", ".lock"),
        ("model.onnx", "preprocess.json"),
        ("architecture.json", "weights.safetensors", "card.md"),
        ("dataset.json", "rows.arrow"),
    ],
)
def test_what_bessemer_wrote_is_known_by_what_it_holds(tmp_path, made):
    add(tmp_path, *(f"any/name/{name}" for name in made), content=RECIPE)
    add(tmp_path, "a/1.txt", "note.yaml")
    (tmp_path / "first.yml").write_text(RECIPE)
    tree = Tree(os.path.realpath(tmp_path))
    assert listed(tree) == {"a/1.txt": "", "note.yaml": ""}
    assert sorted(os.path.basename(path) for path in tree.own) == ["first.yml", "name"]


def test_a_folder_named_runs_with_other_things_is_data(tmp_path):
    add(tmp_path, "runs/1.txt", "runs/recipe.yaml", "runs/log.jsonl", content="data:\n  - 1\n")
    assert not is_own_folder(str(tmp_path / "runs"), {"recipe.yaml", "log.jsonl"})
    assert set(listed(Tree(os.path.realpath(tmp_path)))) == {"runs/1.txt", "runs/recipe.yaml", "runs/log.jsonl"}


@pytest.mark.parametrize(
    "text", ["data: 1\n", "source: x\n", "data:\nother:\n  source: x\n", "data:\n  path: x\n"]
)
def test_other_yaml_is_no_recipe(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    assert not is_own_recipe(str(tmp_path / "a.yaml"))
    (tmp_path / "a.yaml").write_text(text + RECIPE)
    assert is_own_recipe(str(tmp_path / "a.yaml"))
    os.mkfifo(tmp_path / "b.yaml")
    assert not is_own_recipe(str(tmp_path / "b.yaml"))

"""The way of a photon count: each step of the page names one file, and what it names is defined there."""

from __future__ import annotations

import ast
import re

from tests.helpers.ioc_process import ROOT

PAGE = (ROOT / "docs" / "explanation" / "a-photons-way.md").read_text(encoding="utf-8")
STEP = re.compile(r"^ ?(\d+)  \w+ +(\S+\.py)\n +\|? +(\w+)(?:\.(\w+))?(?:\(\))?[:,]", re.MULTILINE)
"""Number and file of a step, and the class, method or function with which its text begins."""


def defined(file: str) -> set[str]:
    tree = ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
    return {node.name for node in tree if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_each_step_names_one_file_and_what_is_in_it() -> None:
    steps = STEP.findall(PAGE)
    assert [int(number) for number, *_ in steps] == list(range(1, 20))
    assert PAGE.count(".py") == len(steps)
    for number, file, *names in steps:
        assert {name for name in names if name} <= defined(file), number


def test_functions_of_the_example_are_in_the_file_of_their_step() -> None:
    files = {number: file for number, file, *_ in STEP.findall(PAGE)}
    examples = re.findall(r"^- `(\w+)` \(step (\d+)\)", PAGE, re.MULTILINE)
    assert len(examples) == 4
    for name, number in examples:
        assert name in defined(files[number]), name

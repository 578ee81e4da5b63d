"""Changes of single tokens: where they are, and that a source has exactly one token changed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.helpers.ioc_process import ROOT
from tests.mutants.__main__ import drawn, name
from tests.mutants.change import Change, changes
from tests.mutants.choose import Chooser
from tests.mutants.patch import put_in

SOURCE = '''"""1 + 1 in a text is no place."""
def ratio(a: "int | None", b=2) -> "float | int":
    """Neither here: a / b."""
    return (a @ b) / b if a <= b and b else -a
'''


def test_operators_comparisons_and_numbers_are_found_where_they_are():
    assert changes(SOURCE) == [
        Change(2, 29, "2", "3"),
        Change(4, 14, "@", "*"),
        Change(4, 19, "/", "*"),
        Change(4, 28, "<=", ">"),
        Change(4, 33, "and", "or"),
    ]
    assert changes(SOURCE)[2].applied(SOURCE).splitlines()[3] == "    return (a @ b) * b if a <= b and b else -a"


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("a < b", [">="]), ("a < 0", ["<=", "1"]), ("len(a) >= n", [">"]), ("a.size > n", [">="]),
        ("a > 0.5", ["<=", "1.5"]), ("99", ["100"]), ("100", ["200"]), ("1e3", ["2000.0"]), ("assert a + b", []),
        ("def warm_up():\n    run(1)", []), ("def other():\n    run(1)", ["2"]), ("a: 'x | y' = 1", ["2"]),
        ("STARTS = 9", []), ("TRIALS, ROUNDS = 3, 4", []), ("STEPS = 9", ["10"]),
    ],
)  # fmt: skip
def test_what_is_changed_can_make_a_difference(text: str, new: list[str]) -> None:
    assert [change.new for change in changes(text)] == new


def test_columns_are_those_of_bytes():
    """A letter of two bytes before the operator."""
    (change,) = changes("x = 'µ' + y\n")
    assert change.applied("x = 'µ' + y\n") == "x = 'µ' - y\n"


def imported(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module as it is after its import."""
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(text, module.__dict__)
    return module


LIBRARY = """
from dataclasses import dataclass
from functools import cache
LIMIT = 1500
def twice(x, factor=2): return factor * x
@cache
def kept(x): return twice(x)
@dataclass(frozen=True)
class Pair:
    a: int
    b: int = 700
    def sum(self): return self.a + self.b
"""


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("factor * x", "factor + x", (5, 1500, 701)),
        ("factor=2", "factor=3", (9, 1500, 701)),
        ("LIMIT = 1500", "LIMIT = 1501", (6, 1501, 701)),
        ("self.a + self.b", "self.a - self.b", (6, 1500, -699)),
        ("b: int = 700", "b: int = 701", (6, 1500, 702)),
    ],
)
def test_a_change_reaches_every_module_that_imported_it(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str, found: tuple[int, int, int]
) -> None:
    imported("tests.library_of_a_test", LIBRARY, monkeypatch)
    text = "from tests.library_of_a_test import *\ndef used(): return twice(3), LIMIT, Pair(1).sum()"
    user = imported("tests.user_of_a_test", text, monkeypatch)
    assert user.used() == (6, 1500, 701) and user.kept(3) == 6
    put_in("tests.library_of_a_test", Path("library.py"), LIBRARY.replace(old, new))
    assert user.used() == found and user.kept(3) == found[0]


def test_tests_that_call_the_function_are_chosen_the_quickest_first() -> None:
    source = ROOT / "reduction" / "errors.py"
    file = str(source.relative_to(ROOT))
    tests = {
        "slow": {"seconds": 3.0, "lines": [f"{file}:5"]},
        "quick": {"seconds": 0.1, "lines": [f"{file}:5"]},
        "other": {"seconds": 0.1, "lines": ["reduction/settings.py:20"]},
    }
    assert Chooser(ROOT, tests).tests(source, 5) == ["quick", "slow"]
    assert Chooser(ROOT, tests).tests(source, 5, budget=3.0) == ["quick"]


def test_a_sample_stays_the_same_where_other_lines_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten sources of fifty sums; in a second tree the first of them has thirty more on top."""

    def sample(tree: str, added: int) -> set[str]:
        root = tmp_path / tree
        root.mkdir()
        monkeypatch.setattr("tests.mutants.__main__.ROOT", root)
        found = []
        for number in range(10):
            sums = range(-added if number == 0 else 0, 50)
            path, source = root / f"{number}.py", "".join(f"x{each % 1000} = y + z\n" for each in sums)
            path.write_text(source)
            found += [(path, change) for change in changes(source)]
        return {name(*place) for place in drawn(found, 100, 1)}

    first, second = sample("first", 0), sample("second", 30)
    assert len(first & second) > 88  # of 530 changes, 30 are new

"""Changes of single tokens: where they are, and that a source has exactly one token changed."""

from __future__ import annotations

from tests.mutants.change import Change, changes

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
        Change(4, 28, "<=", "<"),
        Change(4, 33, "and", "or"),
    ]
    assert changes(SOURCE)[2].applied(SOURCE).splitlines()[3] == "    return (a @ b) * b if a <= b and b else -a"


def test_columns_are_those_of_bytes():
    """A letter of two bytes before the operator."""
    (change,) = changes("x = 'µ' + y\n")
    assert change.applied("x = 'µ' + y\n") == "x = 'µ' - y\n"

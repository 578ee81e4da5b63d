"""What a user types at the prompt: plans with misspelt arguments, or given to `preview` as they would be to `RE`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def refuse_unknown(name: str, known: Iterable[str], given: Iterable[str]) -> None:
    """Refuse arguments that a plan does not have.

    Raises
    ------
    TypeError
        Naming the argument, those that resemble it, and all that there are.
    """
    names = list(known)
    for each in given:
        if each not in names:
            like = difflib.get_close_matches(each, names, n=2)
            meant = f"; did you mean {' or '.join(like)}? It has" if like else "; it has"
            raise TypeError(f"{name} has no argument {each!r}{meant} {', '.join(names)}")


def as_typed(plans: Mapping[str, Callable[..., Any]], plan: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """The plan and its arguments, also of a call: ``preview(energy_scan(passes=2))``.

    Raises
    ------
    TypeError
        If the call is that of another plan, or has begun.
    """
    if not inspect.isgenerator(plan):
        return plan, args, kwargs
    if plan.__name__ not in plans or inspect.getgeneratorstate(plan) != inspect.GEN_CREATED or args or kwargs:
        raise TypeError(f"preview takes {', '.join(plans)}, for example preview(energy_scan, passes=2)")
    given = inspect.getgeneratorlocals(plan)
    plan.close()
    named = given["kwargs"] if "kwargs" in given else {name: each for name, each in given.items() if name != "self"}
    return plans[plan.__name__], given.get("args", ()), named

"""Keys of configuration and scenario, from the models that read them."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from beamline.config.models import Configuration
from docs.generator.markdown import code, plain_default, table
from sim_ioc.scenario.scenario import SCENARIO_DIRECTORY, Scenario

HEADINGS = ("key", "type", "default", "range", "meaning")
COMMENT = re.compile(r"(\w+) = [^#]*# (.*)")
SIGNS: tuple[tuple[type, str, str], ...] = ((Ge, "ge", ">="), (Gt, "gt", ">"), (Le, "le", "<="), (Lt, "lt", "<"))


def configuration() -> str:
    """Every key of a configuration TOML."""
    return "\n".join(_sections(Configuration, {}))


def scenario() -> str:
    """Every key of a scenario TOML; meanings of the model, otherwise the comments of the default scenario."""
    return "\n".join(_sections(Scenario, _comments(SCENARIO_DIRECTORY / "default.toml")))


def _sections(model: type[BaseModel], comments: Mapping[str, str]) -> Iterator[str]:
    """Keys at the top, then each table below its name; tables of tables after it."""
    yield "## Top of the file\n"
    yield table(HEADINGS, _rows(model, "", comments))
    yield from _below(model, "", comments)


def _below(model: type[BaseModel], path: str, comments: Mapping[str, str]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner, several = _model_of(field.annotation)
        if inner is None:
            continue
        title = f"{path}{name}.NAME" if get_origin(field.annotation) is dict else f"{path}{name}"
        yield f"## `[[{title}]]`\n" if several else f"## `[{title}]`\n"
        yield f"{' '.join((inner.__doc__ or '').split())}\n"
        defaults = field.default if isinstance(field.default, BaseModel) else None
        yield table(HEADINGS, _rows(inner, f"{title}.", comments, defaults))
        yield from _below(inner, f"{title}.", comments)


def _rows(
    model: type[BaseModel], path: str, comments: Mapping[str, str], defaults: BaseModel | None = None
) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        if _model_of(field.annotation)[0] is not None:
            continue
        meaning = field.description or comments.get(f"{path}{name}", "")
        yield (
            code(field.alias or name),
            _kind(field.annotation),
            _default(field, getattr(defaults, name, None)),
            _range(field),
            meaning,
        )


def _model_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model of a table, and whether it is an array of tables."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    if get_origin(annotation) in (Union, types.UnionType):
        return _model_of(next(each for each in get_args(annotation) if each is not type(None)))
    if get_origin(annotation) is tuple:
        inner = get_args(annotation)[0]
        return (inner, True) if isinstance(inner, type) and issubclass(inner, BaseModel) else (None, False)
    if get_origin(annotation) is dict:
        return _model_of(get_args(annotation)[1])
    return None, False


def _kind(annotation: Any) -> str:
    names = {str: "text", float: "number", int: "integer", bool: "true or false", Path: "path"}
    if annotation in names:
        return names[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inner[0])
    if origin is dict:
        return f"table of names to {_kind(inner[1])}"
    if origin is Literal:
        return ", ".join(code(f'"{each}"') for each in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(each) for each in inner if each is not type(None))
    if origin is tuple:
        if get_origin(inner[0]) is tuple:
            return f"list of rows of {_kind(inner[0])}"
        return f"list of {_kind(inner[0])}s" if Ellipsis in inner else f"{len(inner)} {_kind(inner[0])}s"
    return str(getattr(annotation, "__name__", annotation))


def _default(field: FieldInfo, of_table: Any) -> str:
    if of_table is not None:
        return plain_default(of_table)
    if field.is_required():
        return "needed"
    value = field.default
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "none"
    return plain_default(value)


def _range(field: FieldInfo) -> str:
    limits = [
        (sign, getattr(each, name)) for kind, name, sign in SIGNS for each in field.metadata if isinstance(each, kind)
    ]
    return ", ".join(f"{sign} {limit:g}" for sign, limit in limits)


def _comments(path: Path) -> dict[str, str]:
    """Comments behind the entries of a TOML file, by full name."""
    found, where = {}, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            where = line.strip("[] ") + "."
        elif entry := COMMENT.match(line):
            found[where + entry[1]] = entry[2].strip()
    return found

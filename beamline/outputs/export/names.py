"""File names from metadata, which anybody may have written: they stay names, in the folder that was asked for."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from beamline.outputs.export.errors import ExportError

LONGEST = 40
"""Characters of one part of a name."""
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._+-]+")
SEVERAL = re.compile(r"_{2,}|\.{2,}")


def safe_name(text: object, longest: int = LONGEST) -> str:
    """Letters, digits and ``. _ + -`` of a text; never empty, never a hidden file, an option or a way to elsewhere."""
    name = SEVERAL.sub("_", NOT_IN_NAMES.sub("_", str(text)))
    return name[:longest].strip("._-") or "unnamed"


def file_in(folder: Path, *parts: object, suffix: str) -> Path:
    """A file of a folder whose name is made of these parts.

    Raises
    ------
    ExportError
        If the folder is a file, or the file would lie outside the folder.
    """
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"{folder} is a file, not a folder; choose another --out")
    path = folder / ("_".join(safe_name(part) for part in parts if str(part)) + suffix)
    if path.resolve().parent != folder.resolve() and not path.is_symlink():
        raise ExportError(f"{path} would not lie in {folder}")
    return path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file to write beside `path`, which takes its name when it is whole: never half a file, never through a link.

    Raises
    ------
    ExportError
        If the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise ExportError(f"{path.parent} cannot be written ({error.strerror}); choose another --out") from error
    os.close(descriptor)
    draft = Path(name)
    try:
        yield draft
        mask = os.umask(0)
        os.umask(mask)
        draft.chmod(0o666 & ~mask)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

"""Safe file names from untrusted metadata: never outside the chosen folder."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from beamline.outputs.export.errors import ExportError

LONGEST = 40
"""Most characters per part of a name."""
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._+-]+")
SEVERAL = re.compile(r"_{2,}|\.{2,}")


def safe_name(text: object, longest: int = LONGEST) -> str:
    """Letters, digits and ``. _ + -`` of a text; never empty, a hidden file, an option or a path."""
    name = SEVERAL.sub("_", NOT_IN_NAMES.sub("_", str(text)))
    return name[:longest].strip("._-") or "unnamed"


def file_in(folder: Path, *parts: object, suffix: str) -> Path:
    """Path in a folder, with a name made of these parts.

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
    """Write to a temporary file that replaces `path` when complete: never a partial file, never through a link.

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

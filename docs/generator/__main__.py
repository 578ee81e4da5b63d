"""Rewrite every generated section."""

from __future__ import annotations

from docs.generator.pages import outdated, pages

for path, text in pages().items():
    changed = outdated(path, text)
    if changed:
        path.write_text(text, encoding="utf-8")
    print(f"{path.name}: {'written' if changed else 'unchanged'}")

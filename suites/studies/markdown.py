"""Markdown tables."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a blank line after it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in lines), ""])


def code(text: str) -> str:
    """In code's type, with what would end a cell escaped."""
    return f"`{text}`".replace("|", "\\|")

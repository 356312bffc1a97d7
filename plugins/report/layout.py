"""Lays out rows of text: as a Markdown table, or as aligned columns."""

from collections.abc import Container, Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. It ends with a new line, so that parts joined by new lines are separated by a blank line."""
    first, *others = map(table_line, (head, *rows))
    return "\n".join([first, f"|{'---|' * len(head)}", *others, ""])


def table_line(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def code(text: str) -> str:
    """Format as code, with the character that ends a table cell escaped."""
    return f"`{text}`".replace("|", "\\|")


def columns(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """One line for each row, with two spaces between columns; columns whose numbers are in `right` are right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]

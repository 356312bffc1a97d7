"""How rows of texts are laid out: a Markdown table on a page, aligned columns on a terminal."""

from collections.abc import Container, Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; it ends in a new line, so that a blank line follows where parts are joined by new lines."""
    first, *others = (f"| {' | '.join(cells)} |" for cells in (head, *rows))
    return "\n".join([first, f"|{'---|' * len(head)}", *others, ""])


def code(text: str) -> str:
    """In code's type, with what would end a cell escaped."""
    return f"`{text}`".replace("|", "\\|")


def columns(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """A line a row, two spaces between columns; those whose numbers are in `right` are aligned there."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]

"""How studies end: with an exit code, and a sentence where something keeps them from their end."""

import sys
from collections.abc import Callable

from fixtures.errors import BadInput


def code_of(study: Callable[[], int], interrupted: str, *troubles: type[Exception]) -> int:
    """What `study` returns; 2 for bad input, a missing file or one of `troubles`, 130 if interrupted, each with a sentence."""
    known: tuple[type[Exception], ...] = (BadInput, FileNotFoundError, *troubles)
    try:
        return study()
    except known as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ninterrupted: {interrupted}", file=sys.stderr)
        return 130

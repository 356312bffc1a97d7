"""Programs beside pytest: their options, and how they end: with pytest's exit codes, and a sentence where they cannot go on."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

import pytest

from fixtures.errors import BadInput, Unavailable

USAGE = int(pytest.ExitCode.USAGE_ERROR)
INTERRUPTED = 130  # as a shell has it for Ctrl-C


class Parser(argparse.ArgumentParser):
    """argparse's, but a wrong option ends with 4, as pytest's do; argparse has 2, which is an interrupted run of pytest."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message on standard error, and exit."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: error: {message}\n")


def code_of(program: Callable[[], int], interrupted: str, *troubles: type[Exception]) -> int:
    """What `program` returns; 4 for bad input, what is not installed, a missing file or one of `troubles`, 130 if interrupted.

    Each with a sentence on standard error.
    """
    known: tuple[type[Exception], ...] = (BadInput, Unavailable, FileNotFoundError, *troubles)
    try:
        return program()
    except known as error:
        print(error, file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print(f"\ninterrupted: {interrupted}", file=sys.stderr)
        return INTERRUPTED

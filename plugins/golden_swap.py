"""Puts new golden data in the place of old ones, so that a kill at any moment loses neither."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from fixtures.whole import locked, remove_leftovers


def previous(where: Path) -> Path:
    """Where golden data are between the two renames; with_suffix would cut a model's name at its dot."""
    return where.with_name(f".{where.name}.old")


def turn(where: Path) -> AbstractContextManager[None]:
    """Only its holder renames these golden data."""
    return locked(where.with_name(f".{where.name}.lock"))


@contextmanager
def replacing(where: Path) -> Iterator[Path]:
    """An empty folder to be filled; after the block it takes the place of `where`. Two at once wait for one another."""
    where.parent.mkdir(parents=True, exist_ok=True)
    with turn(where):
        remove_leftovers(where.parent, f".{where.name}.")
        work = Path(tempfile.mkdtemp(prefix=f".{where.name}.", dir=where.parent))
        try:
            yield work
            if where.exists():
                shutil.rmtree(previous(where), ignore_errors=True)
                where.replace(previous(where))
            work.replace(where)  # a kill just before this line: plugins/golden.put_back
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        shutil.rmtree(previous(where), ignore_errors=True)

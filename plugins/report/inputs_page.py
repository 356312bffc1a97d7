"""`--inputs-page FILE` writes a Markdown page with the kinds of input that this run compared, and how many of each."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fixtures.datasets.kinds import texts as every_text
from fixtures.storage.atomic import write_text
from plugins.cells.beside import of_every_kind
from plugins.cells.fixtures import SUBJECTS
from plugins.cells.made import made_files
from plugins.cells.promises import COMPARED
from plugins.golden.verified import names_of
from plugins.report.dimensions import Values, of_files, of_tokens
from plugins.report.layout import table
from plugins.run.write_failures import noted
from plugins.subjects import Subjects

HEAD = ("dimension", "value", "inputs")
INTRODUCTION = """# Inputs

What a run compares with the reference, by kind. Made by `make inputs` from a run with one encoder and one preprocessor; every
other one gets the same inputs. Fresh inputs (E16) and damaged files (P9) come on top."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --inputs-page."""
    group = parser.getgroup("clip-conformance")
    group.addoption("--inputs-page", type=Path, metavar="FILE", help="write the kinds of compared inputs as Markdown")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the page if anything was compared."""
    target: Path | None = session.config.getoption("--inputs-page")
    names = session.config.stash.get(COMPARED, set())
    if target and names:
        with noted(session.config, "inputs page"):
            write_text(target, page(session.config.stash[SUBJECTS], names))


def page(subjects: Subjects, names: set[str]) -> str:
    """The page for a run that compared the inputs of these names."""
    files = [subjects.dataset.path(name) for name in subjects.dataset.images if name in names]
    files += [file.path for file in made_files(subjects) if file.name in names]
    known = list(zip(names_of(subjects, "text"), subjects.tokens, subjects.dataset.texts, strict=True))
    kinds = of_every_kind(subjects, "text")
    rows = [row for name, row, _ in known if name in names]
    rows += [row for name, row in zip(kinds.names, kinds.inputs, strict=True) if name in names]
    texts = [text for name, _, text in known if name in names]
    texts += [text for name, text in every_text(subjects.dataset.texts) if name in names]
    parts = [INTRODUCTION, "", f"## Image files ({len(files)})", "", _table(of_files(files, subjects.model.geometry))]
    if rows:
        parts += [f"## Texts ({len(rows)})", "", _table(of_tokens(np.stack(rows), texts, subjects.model.vocabulary))]
    pixels = [re.sub(r"^picture \d+ ", "", name) for name in of_every_kind(subjects, "image").names if name in names]
    kinds_of_pixels = {"near duplicates, flat and fine images": Counter(pixels)}
    return "\n".join([*parts, f"## Pixels ({len(pixels)})", "", _table(kinds_of_pixels)])


def _table(found: Values) -> str:
    return table(HEAD, _rows(found))


def _rows(found: Values) -> Iterator[tuple[str, str, str]]:
    for dimension, values in found.items():
        for number, (value, count) in enumerate(values.most_common()):
            yield "" if number else dimension, value, str(count)

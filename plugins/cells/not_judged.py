"""An encoder whose vectors have a wrong form breaks E1 only; its other promises are reported as not judged."""

from collections.abc import Generator
from typing import NoReturn

import pytest

from plugins.cells.form import BrokenForm
from plugins.cells.matrix import encoder_of, subject
from plugins.cells.promises import EXPECTED, Declared, broken, promise, reproduce
from plugins.latency.adapter import without_times
from plugins.report.rows import RESULTS


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move E1 to the front of its encoder's tests, because it decides whether the others can be judged."""
    items.sort(key=lambda item: promise(item)[0] != "E1")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Cover the fixtures, which compute vectors too."""
    try:
        return (yield)
    except BrokenForm as trouble:
        _end(item, trouble)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Cover the test function."""
    try:
        return (yield)
    except BrokenForm as trouble:
        without_times(pyfuncitem)
        _end(pyfuncitem, trouble)


def _end(item: pytest.Item, trouble: BrokenForm) -> NoReturn:
    """E1 breaks; other promises are not judged, which fails the test if E1 has not reported it."""
    if promise(item)[0] == "E1":
        raise (Declared if EXPECTED in item.stash else pytest.fail.Exception)(
            broken(item, str(trouble)), pytrace=False
        ) from None
    about, key, sentence = subject(item), encoder_of(item), f"E1 is broken: {trouble}"
    said = [outcome for name, outcome, _ in item.config.stash[RESULTS].outcomes[str(key)] if name == f"E1:{trouble.tower}"]
    if said and "passed" not in said:
        raise pytest.skip.Exception(sentence) from None
    lines = (f"{promise(item)[0]} is not judged: {sentence}", f"in {about}", f"again: {reproduce(item)}")
    raise pytest.fail.Exception("\n".join(lines), pytrace=False) from None

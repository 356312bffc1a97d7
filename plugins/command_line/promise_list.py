"""`pytest --promises` prints the list of promises, as docs/promises.md shows it."""

import pytest

from plugins.cells.promises import promise
from plugins.report.layout import code, table


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag."""
    parser.getgroup("clip-conformance").addoption("--promises", action="store_true", help="list the promises and stop")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Print the promises as a Markdown table, one row each."""
    if session.config.getoption("--promises"):
        found = {}
        for item in session.items:
            name, text = promise(item)
            if name:
                found[name] = (text, item.path.relative_to(session.config.rootpath))
        rows = [(name, text, code(str(path.parent))) for name, (text, path) in sorted(found.items())]
        session.config.get_terminal_writer().write(table(("id", "promise", "suite"), rows))
        pytest.exit(f"{len(found)} promises", 0)

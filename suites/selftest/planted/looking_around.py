"""A plug-in for inner runs: each test notes which process runs it, on which cores, and how many processes run beside."""

import json
import os
from collections.abc import Generator

import psutil
import pytest

from fixtures.storage.lines import Lines


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Note it while the test runs."""
    from plugins.parallel.main import WORKERS  # a module with hooks must not be imported before pytest has registered it

    workers = [p for p in psutil.Process().children() if "worker" in json.dumps(p.environ().get("CLIP_CONFORMANCE_WORKER", ""))]
    note = {"test": item.nodeid, "process": os.getpid(), "cores": sorted(os.sched_getaffinity(0)), "workers": len(workers)}
    Lines(item.config.rootpath / os.environ["NOTES"]).append(note | {"main": WORKERS in item.config.stash})
    return (yield)

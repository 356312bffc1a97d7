"""A CUDA error that persists in a process (illegal access, device assert) fails the cell that caused it, not later ones.

After a failed CUDA test, the device is checked. If it is lost, the supervised child ends and a new one continues. In an
unsupervised run, later CUDA tests are skipped with the reason.
"""

import os
import warnings
from collections.abc import Generator

import pytest

from plugins.cells.given_back import not_built
from plugins.cells.matrix import encoder_of
from plugins.supervision.journal import JOURNAL, LOST_DEVICE, names_of


def ask() -> str:
    """Why the CUDA device no longer works, in one line; empty while it works, or if torch cannot tell."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not torch.cuda.is_available():
            return ""
    try:
        torch.zeros(1, device="cuda").add_(1)
        torch.cuda.synchronize()
    except RuntimeError as error:
        return "" if not_built(error).no_room else str(error).splitlines()[0]  # out of memory, but not lost
    return ""


def _on_cuda(item: pytest.Item) -> bool:
    key = encoder_of(item)
    return key is not None and key.device == "cuda"


class DeviceLost:
    """Tracks whether the device is lost during a run."""

    def __init__(self) -> None:
        self._test = ""  # the running CUDA test
        self._why = ""  # the device has been lost since this test
        self._no_more: str | None = None  # why CUDA tests are skipped; None before the first one

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """End the run if a fresh process does not see the device, because its failed cells would be forgotten."""
        journal = session.config.stash.get(JOURNAL, None)
        known = {item.nodeid for item in session.items}
        for line in journal.losses if journal else []:
            if line["test"] not in known:
                pytest.exit(f"{line['blame']}; a fresh process sees no device", returncode=int(pytest.ExitCode.TESTS_FAILED))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip CUDA tests if the device is lost. After a loss, a fresh process checks the device once before it continues."""
        if not _on_cuda(item):
            return
        self._test, self._why = item.nodeid, ""
        journal = item.config.stash.get(JOURNAL, None)
        if self._no_more is None:
            losses = journal.losses if journal else []
            why = ask() if losses else ""
            self._no_more = f"{losses[-1]['blame']}; it stays lost in a fresh process: {why}" if why else ""
        if self._no_more:
            pytest.skip(self._no_more)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Check the device after a failure, unless the failure is replayed."""
        report = yield
        if report.failed and self._test == item.nodeid and not self._why and (why := ask()):
            self._why = why
            again = "run without --unsupervised to continue in a fresh process"
            self._no_more = f"the CUDA device was lost in {item.nodeid} ({why}): {again}"
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # registered after the journal, which has written the test's end by then
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """In a supervised child: record the loss and end, so that a new child continues."""
        result = yield
        journal = item.config.stash.get(JOURNAL, None)
        if journal is not None and self._test == item.nodeid and self._why:
            blame = f"the CUDA device was lost in {item.nodeid} ({self._why})"
            journal.append(blame=blame, lost=True, test=item.nodeid, about=names_of(item))
            item.config.get_terminal_writer().flush()
            os._exit(LOST_DEVICE)
        return result


def pytest_configure(config: pytest.Config) -> None:
    """Register one instance a run."""
    config.pluginmanager.register(DeviceLost(), "device-lost")

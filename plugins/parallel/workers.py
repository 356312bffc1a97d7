"""The worker processes: how they are started, what they report, how they end."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.progress import ProgressLine, say
from fixtures.storage.lines import Line, Tail
from plugins.parallel.claims import Claims
from plugins.parallel.plan import shares
from plugins.parallel.worker import CLAIMS, CORES, NUMBER
from plugins.supervision.journal import LIFE, WORKER, Journal
from plugins.supervision.supervisor import command, memory_limit

POLL_S, SIGN_S = 0.05, 10.0
END_S = 30.0  # between a worker's last test and its end


@dataclass
class Worker:
    """One worker: a supervised run of its own, so that a test that kills it costs one cell there too."""

    number: int
    process: subprocess.Popen[bytes]
    life: int  # the end of a pipe: the worker dies when it closes
    tail: Tail
    log: Path

    @property
    def alive(self) -> bool:
        """True until it has ended."""
        return self.process.poll() is None


class Workers:
    """All workers of a run; their journals and logs lie beside the run's journal."""

    def __init__(self, config: pytest.Config, journal: Journal, count: int) -> None:
        self.journal, folder = journal, journal.path.parent
        shutil.rmtree(folder / CLAIMS, ignore_errors=True)  # of workers that died with an earlier main process
        self.claims = Claims(folder / CLAIMS)
        limit = f"--memory-limit={memory_limit(config) / count:.3f}"
        self._workers = [self._start(config, n, cores, limit) for n, cores in enumerate(shares(count), 1)]
        self._running: dict[int, str] = {}  # by worker: what its test is about
        self._signed = 0.0

    def _start(self, config: pytest.Config, number: int, cores: Sequence[int], limit: str) -> Worker:
        path = self.journal.path.with_name(f"worker-{number}.jsonl")
        shutil.copy(self.journal.path, path)  # with what earlier processes have finished
        log, (theirs, life) = path.with_suffix(".log"), os.pipe()
        environment = {WORKER: str(path), LIFE: str(theirs), NUMBER: str(number), CORES: ",".join(map(str, cores))}
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*command(config), limit],
                cwd=config.invocation_params.dir,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs],
                process_group=0,
            )
        os.close(theirs)
        return Worker(number, process, life, Tail(path, path.stat().st_size), log)

    def wait(self, group: str, enough: Callable[[], bool]) -> None:
        """Wait until a worker has done `enough` for a group of tests, or none will."""
        line = ProgressLine("workers")
        while not enough() and self._will_run(group):
            time.sleep(POLL_S)
            self._hear()
            line.step(f"{' and '.join(dict.fromkeys(self._running.values()))}, {len(self.journal.done)} tests done")
        self._hear()
        line.finish()

    def _will_run(self, group: str) -> bool:
        owner = self.claims.owner(group)
        return any(worker.alive for worker in self._workers if owner in (None, worker.number))

    def _hear(self) -> None:
        """Adopt what the workers have finished, and sign for the supervisor that this process does not hang."""
        for worker in self._workers:
            for line in worker.tail.new():
                self._take(worker.number, line)
        if time.monotonic() - self._signed > SIGN_S:
            self._signed = time.monotonic()
            self.journal.append(waits="for a worker")

    def _take(self, number: int, line: Line) -> None:
        if "start" in line:
            self._running[number] = line["about"][0] or line["about"][1]
        if "blame" in line:
            say(f"{line['blame']}: its cell fails, the others continue")
        if "blame" in line or "end" in line:
            self.journal.adopt(line)

    def end(self) -> None:
        """Wait for all workers, which have nothing left to run; say so if one could not run at all. Once only."""
        if not self._workers:
            return
        for worker in self._workers:
            try:
                code = worker.process.wait(END_S)
            except subprocess.TimeoutExpired:
                code = None
            if code:
                last = worker.log.read_text(errors="replace").strip().splitlines()[-1:]
                say(f"worker {worker.number} ended with exit code {code}: {''.join(last)}")
        self._hear()
        self.kill()

    def kill(self) -> None:
        """End all workers now."""
        for worker in self._workers:
            os.close(worker.life)
            worker.process.wait()
        self._workers = []

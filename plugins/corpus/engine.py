"""Runs the work on all parts: in this process, or on Ray Data, whose workers keep their models and are replaced if they die."""

import os
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fixtures.errors import BadInput, Unavailable
from fixtures.machine.devices import CORES, cores, cuda_count
from plugins.corpus.work import Result, Task

if TYPE_CHECKING:
    from types import ModuleType

INSTALL = "pip install 'ray[data]'"
BLOCKS = 10_000  # of Ray Data: a block is what is repeated after a worker's death, and each costs the driver some memory
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # read by libraries when they are loaded


@dataclass(frozen=True)
class Engine:
    """Where the work runs: `workers` processes on Ray, or none for this process."""

    workers: int  # at most; a cluster may have room for fewer
    threads: int
    address: str | None = None  # of a Ray cluster; None: processes of this machine
    gpu: bool = False  # each worker gets one

    def __str__(self) -> str:
        if not self.workers:
            return f"this process, {self.threads} of {cores()} cores"
        return f"up to {self.workers} workers of {self.threads} cores on Ray, {self.address or 'this machine'}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start Ray or connect to it, and end that afterwards. Raises BadInput for a cluster that does not answer."""
        if not self.workers:
            before = {name: os.environ.get(name) for name in self._variables()}
            os.environ.update(self._variables())
            try:
                yield
            finally:
                for name, value in before.items():
                    os.environ.pop(name) if value is None else os.environ.update({name: value})
            return
        module = ray()
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        # Below that level Ray warns of arguments that a restarted worker may lack; Ray Data keeps them until the run ends.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        environment = {"env_vars": self._variables() | ({} if self.address else {"PYTHONPATH": os.pathsep.join(sys.path)})}
        local = {} if self.address else {"num_cpus": self.workers * self.threads, "include_dashboard": False}
        try:
            module.init(self.address or "local", runtime_env=environment, log_to_driver=False, logging_level="ERROR", **local)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = self.address or "this machine"
            hint = "check --address, and RAY_AUTH_MODE if the cluster wants a token"
            raise BadInput(f"no Ray cluster answers at {where} ({error}): {hint}") from None
        try:
            yield
        finally:
            module.shutdown()

    def _variables(self) -> dict[str, str]:
        """Equal threads give equal digits, wherever a part is computed."""
        return dict.fromkeys((CORES, *THREADS), str(self.threads))

    def room(self, resources: Mapping[str, float]) -> int:
        """Workers that a cluster of these resources can hold: each takes its threads' cores, and a GPU if it is to have one."""
        by_cores = int(resources.get("CPU", 0)) // self.threads
        return min(by_cores, int(resources.get("GPU", 0))) if self.gpu else by_cores

    def run(self, work: type, arguments: Sequence[Any], tasks: Sequence[Task]) -> Iterator[Result]:
        """The results, in any order: `work(*arguments)` is made once in each process and called for each task."""
        if not tasks:
            return
        if not self.workers:
            yield from map(work(*arguments), tasks)
            return
        import logging

        from ray.data import ActorPoolStrategy, DataContext, from_items

        for name in ("ray.data", "ray.data._internal"):
            logging.getLogger(name).setLevel(logging.ERROR)
        DataContext.get_current().enable_progress_bars = False
        room = self.room(ray().cluster_resources())
        if not room:
            raise BadInput(f"{self}: the cluster has no node of {self.threads} cores{' and a GPU' if self.gpu else ''}")
        items = [{"task": pickle.dumps(task)} for task in tasks]
        data = from_items(items, override_num_blocks=min(len(items), BLOCKS)).map(
            OnRay,
            fn_constructor_args=(work, *arguments),
            compute=ActorPoolStrategy(size=min(self.workers, room, len(items))),
            num_cpus=self.threads,
            num_gpus=1 if self.gpu else 0,
        )
        for row in data.iter_rows():
            if row["refused"]:
                raise BadInput(row["refused"])
            yield {"number": row["number"], "content": row["content"]}


class OnRay:
    """The work in a worker of Ray Data, whose rows are Arrow's. A refusal is a row: Ray would make a traceback of an error."""

    def __init__(self, work: type, *arguments: Any) -> None:
        self.work, self.refused = None, ""
        try:
            self.work = work(*arguments)
        except (BadInput, Unavailable) as reason:
            self.refused = str(reason)

    def __call__(self, row: dict[str, bytes]) -> dict[str, Any]:
        """One task's result, and why it was refused, if it was."""
        if self.work is None:
            return {"number": -1, "content": b"", "refused": self.refused}
        try:
            return {**self.work(pickle.loads(row["task"])), "refused": ""}
        except BadInput as reason:
            return {"number": -1, "content": b"", "refused": str(reason)}


def ray() -> "ModuleType":
    """Ray; raises BadInput with the command that installs it."""
    if find_spec("ray") is None:
        raise BadInput(f"package 'ray' is not installed: {INSTALL}, or add --workers 0 to use this process alone")
    return import_module("ray")


def chosen(workers: int | None, threads: int, address: str | None, parts: int, gpu: bool) -> Engine:
    """The engine of these options: as many workers as there is room and work for; none without Ray, or where one would do."""
    if workers is None and address is None:
        room = min(parts, cuda_count() if gpu else cores() // threads)
        workers = room if room > 1 and find_spec("ray") is not None else 0
    return Engine(parts if workers is None else workers, threads, address, gpu)

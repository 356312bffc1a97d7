"""Which worker runs which group of tests: the first one that asks."""

import hashlib
from contextlib import suppress
from pathlib import Path


class Claims:
    """Links in a folder, made whole or not at all: the group's name in a digest, pointing to its worker's number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def claim(self, group: str, worker: int) -> bool:
        """Claim a group; True also if this worker had it already, before it was started again."""
        with suppress(FileExistsError):
            self._link(group).symlink_to(str(worker))
        return self.owner(group) == worker

    def owner(self, group: str) -> int | None:
        """The worker that has the group; None if no worker has."""
        try:
            return int(str(self._link(group).readlink()))
        except FileNotFoundError:
            return None

    def _link(self, group: str) -> Path:
        return self.folder / hashlib.sha256(group.encode()).hexdigest()[:32]

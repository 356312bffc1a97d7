"""The folder of a user: a git repository with backends of their own, data, limits and histories. Commands run in it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fixtures import ROOT
from plugins.latency.limits import FILE
from suites.studies.few import few_scenes
from suites.studies.gate_power.commands.outcome import JUNIT, REPORT, Unexpected, sentence
from suites.studies.gate_power.commands.rows import Cell

HERE = Path(__file__).parent
SUBJECT, PLAIN = "gate_subject.py", "test_plain.py"
SCENES = 4  # of the data set for models that have no golden data here
LONGEST_S = 1800.0
INI = "[pytest]\naddopts = -p no:cacheprovider\n"  # without it pytest takes that of the repository around this folder


class Place:
    """`folder` is made if it is not there; what is planted in its working tree is removed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.original = folder, (HERE / SUBJECT).read_text(encoding="utf-8")
        (folder / "history").mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "plain_benchmark.py", folder / PLAIN)
        (folder / "pytest.ini").write_text(INI)
        self.plant("{}")
        if not (folder / ".git").exists():
            who = ("-c", "user.name=user", "-c", "user.email=user@localhost")
            for command in (["init", "-q"], ["add", SUBJECT, PLAIN, "pytest.ini"], [*who, "commit", "-qm", "My backends"]):
                self._checked(["git", *command])

    def plant(self, text: str) -> None:
        """Change the working tree, and nothing that is committed."""
        changed = self.original.replace('PLANTED = "{}"', f"PLANTED = {json.dumps(text)}")
        (self.folder / SUBJECT).write_text(changed, encoding="utf-8")

    def run(self, command: Sequence[str], **variables: str) -> tuple[int, str]:
        """The exit code and all that is printed; an earlier run's files are gone. Raises Unexpected if it does not end."""
        for name in (JUNIT, REPORT):
            (self.folder / name).unlink(missing_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTEST_", "GATE_"))}
        own = {"PYTHONPATH": str(ROOT), "CLIP_CONFORMANCE_CACHE": str(self.folder / "cache"), "COLUMNS": "250"}
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env={**kept, **own, **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LONGEST_S,
            )
        except subprocess.TimeoutExpired as error:
            said = error.stdout.decode(errors="replace") if error.stdout else ""
            raise Unexpected(sentence(f"{' '.join(command)} took more than {LONGEST_S:g} s", said)) from error
        return done.returncode, done.stdout

    def golden(self, cell: Cell) -> Path:
        """The folder of golden data: the repository's for its own model, else one that is made once, in a few minutes."""
        if not cell.pretrained:
            return ROOT / "golden"
        folder, model = self.folder / "golden", [f"--model={cell.model}", f"--pretrained={cell.pretrained}"]
        if not folder.exists():
            shutil.rmtree(self.folder / "few", ignore_errors=True)
            few_scenes(self.folder / "few", SCENES)
            made = [sys.executable, "-m", "pytest", str(ROOT), "--update-golden", *model, "--dataset=few", "--golden=making"]
            code, said = self.run(made)
            if "were rewritten" not in said:
                raise Unexpected(sentence(f"{' '.join(made)} ended with {code}", said))
            (self.folder / "making").rename(folder)
        return folder

    def limits(self, slowdown: float, golden: Path) -> Path:
        """A folder for --golden: the golden data, and a latency.toml that allows this slowdown."""
        folder = self.folder / f"golden-{slowdown:g}"
        folder.mkdir(exist_ok=True)
        for data in (path for path in golden.iterdir() if (path / "manifest.json").exists()):
            if not (folder / data.name).is_symlink():
                (folder / data.name).symlink_to(data.resolve())
        text = FILE.read_text(encoding="utf-8")
        changed = re.sub(r"(?m)^slowdown = .*", f"slowdown = {slowdown:g}", text, count=1)
        (folder / FILE.name).write_text(changed, encoding="utf-8")
        return folder

    def _checked(self, command: Sequence[str]) -> None:
        code, said = self.run(command)
        if code:
            raise Unexpected(sentence(f"{' '.join(command)} ended with {code}", said))

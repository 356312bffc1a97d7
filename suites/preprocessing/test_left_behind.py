"""What a preprocessor promises to the cells after it."""

from fixtures.capability import Preprocessor
from plugins.cells.promises import Judge
from plugins.process.left_behind import LeftBehind
from plugins.subjects import Subjects


def test_left_behind(
    subjects: Subjects, preprocessor: Preprocessor, preprocessor_name: str, left_behind: LeftBehind, judge: Judge
) -> None:
    """P12 a preprocessor leaves the process as it was: settings, child processes, threads, files, sockets."""
    path, geometry = subjects.dataset.path(subjects.dataset.scenes[0]), subjects.model.geometry
    with left_behind.leaving(preprocessor_name):
        preprocessor(path, geometry)
    found = left_behind.take_findings(preprocessor_name)
    judge(not found, "\n".join(found))

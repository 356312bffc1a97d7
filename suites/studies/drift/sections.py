"""The audit's three questions: where and why, at what cost, what to do; each with its measure, its Markdown and its picture."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures.errors import BadInput
from plugins.golden.verified import load_golden
from plugins.subjects import Subjects
from suites.studies.drift import page, plot, policy_page, policy_plot, ranking_page, ranking_plot
from suites.studies.drift.audit import Step, audit_cells, audit_planted, audit_ranges
from suites.studies.drift.policy_audit import audit_policy
from suites.studies.drift.ranking import audit_ranking
from suites.studies.drift.sampling import Budget
from suites.studies.drift.worst_search import audit_worst

Found = dict[str, Any]
RANKED = (("torch-eager", "fp16"), ("torch-eager", "bf16"), ("torchao", "int8"), ("onnxruntime", "int8"))


@dataclass(frozen=True)
class Section:
    """`measure(subjects, golden folder, step)` gives what stands under `key` in the evidence, or in it itself without one."""

    key: str
    title: str
    measure: Callable[[Subjects, Path, Step], Found]
    markdown: Callable[[Found], str]
    svg: Callable[[Found], str]
    steps: int  # of the default model

    def added(self, found: Found, subjects: Subjects, golden: Path, step: Step) -> Found:
        """The evidence with this section's; raises nothing for a model without golden data: what needs them is left out."""
        try:
            own = self.measure(subjects, golden, step)
        except BadInput as reason:
            if not self.key:
                raise
            own = {"left_out": str(reason).replace(f"{golden.parent}/", "")}
        return {**found, **({self.key: own} if self.key else own)}

    def of(self, found: Found) -> Found:
        """This section's part of the evidence."""
        part: Found = found[self.key] if self.key else found
        return part


def _layers(subjects: Subjects, golden: Path, step: Step) -> Found:
    return {
        **audit_cells(subjects, step),
        "ranges": audit_ranges(subjects, step),
        "planted": audit_planted(subjects, step),
        "worst": audit_worst(subjects, golden, step),
    }


def _ranking(subjects: Subjects, golden: Path, step: Step) -> Found:
    return audit_ranking(subjects, load_golden(subjects), RANKED[:: Budget(subjects.model).ranked], step)


def _policy(subjects: Subjects, golden: Path, step: Step) -> Found:
    return audit_policy(subjects, load_golden(subjects), golden / "policies" / subjects.model.id, step)


SECTIONS = (
    Section("", "Where and why", _layers, page.markdown, plot.svg, 24),
    Section("ranking", "What it costs", _ranking, ranking_page.markdown, ranking_plot.svg, 5),
    Section("policy", "What to do", _policy, policy_page.markdown, policy_plot.svg, 10),
)

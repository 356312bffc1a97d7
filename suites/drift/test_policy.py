"""What a cell promises about its drift budget, and what to do where it breaks the promise."""

import math
from pathlib import Path

import pytest

from fixtures.cells import EncoderKey
from fixtures.policies.policy import BASES, PREFIX
from fixtures.progress import ProgressLine
from fixtures.registry import backends
from plugins.cells.promises import Judge
from plugins.command_line.policy_options import drift_budget, policy_file
from plugins.golden.verified import Golden
from plugins.measures.drift.policies.policy import find_policy, write_policy
from plugins.report.rows import Record
from plugins.subjects import Subjects
from suites.studies.drift.policy_audit import budgets
from suites.studies.drift.policy_page import sentence


def test_policy(
    subjects: Subjects, golden: Golden, encoder_key: EncoderKey, judge: Judge, record: Record, pytestconfig: pytest.Config
) -> None:
    """D6 drift stays within its budget; where it does not, the failure names the fewest operations to keep in fp32."""
    targets = budgets(subjects, golden, encoder_key.base, drift_budget(pytestconfig))
    loaded = subjects.encoder(encoder_key)
    shares = {tower: float(target.shares(loaded.encode(target.batch, tower)).max()) for tower, target in targets.items()}
    record("drift_budget", {tower: share for tower, share in shares.items() if math.isfinite(share)})
    if all(share <= 1 for share in shares.values()):
        return
    what = ", ".join(f"{tower} drift is {_times(share)}" for tower, share in shares.items() if share > 1)
    judge(not encoder_key.policy, f"{what}: the policy is not enough; search again without it")
    backend, base = backends()[encoder_key.backend], encoder_key.base
    judge(base in BASES, f"{what}: {base} is no low precision, so no operations kept in fp32 would help")
    able = [other.name for other in backends().values() if base in other.policies]
    judge(base in backend.policies, f"{what}: {backend.name} keeps no single operations in fp32; {', '.join(able)} do")
    line = ProgressLine(f"searching a policy for {encoder_key}")
    target = policy_file(pytestconfig, encoder_key)
    policy, found = find_policy(
        backend, subjects.model, base, encoder_key.device, targets, target.stem, line.step, with_frontier=False
    )
    line.finish()
    record("policy_search", found)
    hint = f"; use it: --precision {PREFIX}{_shown(write_policy(policy, target), pytestconfig)}" if policy else ""
    judge(False, f"{what}: {sentence(found)}{hint}")


def _times(share: float) -> str:
    return f"{share:.3g} times its budget" if math.isfinite(share) else "not finite"


def _shown(file: Path, config: pytest.Config) -> Path:
    """As it can be typed where the command was typed."""
    here = config.invocation_params.dir
    return file.relative_to(here) if file.is_relative_to(here) else file

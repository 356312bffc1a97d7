"""The key of stored runs: everything that can change a latency on this machine, without values that change by themselves."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from plugins.run.environment import fingerprint, set_of

JUDGES = ("pytest", "pytest-benchmark", "scipy")  # these only measure and judge, so their versions change no latency
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Machine = Mapping[str, Any]


def machine() -> dict[str, Any]:
    """The fingerprint without the versions of measuring packages, with the thread settings, and a key of all that."""
    found: dict[str, Any] = dict(fingerprint())
    found["packages"] = {name: version for name, version in found["packages"].items() if name not in JUDGES}
    found["threads"] = set_of(THREADS)
    return {**found, "key": hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:12]}


def differences(now: Machine, then: Machine) -> list[str]:
    """ "packages.onnxruntime 1.30.0 → 1.31.1" for each field that differs; the stored value first."""
    here, there = _flat(now), _flat(then)
    names = sorted(name for name in {*here, *there} - {"key"} if here.get(name) != there.get(name))
    return [f"{name} {there.get(name, 'absent')} → {here.get(name, 'absent')}" for name in names]


def _flat(found: Machine) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": str(v) for inner, v in value.items()}
        else:
            flat[name] = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return flat

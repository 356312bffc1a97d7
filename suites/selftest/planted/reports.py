"""Reports with chosen cells, as report.json has them."""

from typing import Any

HOSTILE = "</script><b onclick='x()'>E2 & \"quoted\"</b>"  # a reason that is no markup
RATIOS = [0.40, 0.41, 0.40, 0.42, 0.41, 0.40, 0.50, 0.51, 0.52, 0.50, 0.51, 0.53]  # another level from the seventh run


def row(
    backend: str, precision: str = "fp32", preprocessor: str = "original_clip", share: float = 0.5, **more: Any
) -> dict[str, Any]:
    """A cell that passes, with all the figures that the page draws; `share`: its drift, of what is allowed."""
    drift = {
        "cosine_distance": {"median": 1e-8, "p99": 5e-8, "max": 1e-7},
        "share_of_tolerance": share,
        "worst_input": "scene_000.jpg",
    }
    latency = {"p50": 3.0 * (1 + share), "p90": 4.0, "p95": 5.0, "p99": 9.0}
    ratio = {"ratio": 0.5, "low": 0.49, "high": 0.51, "verdict": "pass", "reference": "m-torch-eager-fp32-cpu"}
    history = {"change": {"ratio": 1.01, "low": 0.99, "high": 1.03}, "allowed_slowdown": 0.05, "would_have_seen": 0.031}
    return {
        "id": f"m-{backend}-{precision}-{preprocessor}-cpu",
        "backend": backend,
        "precision": precision,
        "preprocessor": preprocessor,
        "device": "cpu",
        "verdict": "pass",
        "reason": "",
        "broken_promises": [],
        "class": "interchangeable",
        "drift": {"image": drift, "image_encoder": drift, "text": drift},
        "retrieval": {"text_to_image": {"r1": 90.0, "change": -0.5, "ci95": [-1.0, 0.0], "n": 400}},
        "latency_ms": {"image": latency, "text": latency},
        "latency_ratio": {
            "image": {**ratio, **history, "trend": {"ratios": RATIOS, "runs": len(RATIOS)}},
            "text": ratio,
        },
        **more,
    }


def failed(reason: str = HOSTILE) -> dict[str, Any]:
    """A cell that fails."""
    return row("b", "int8", share=7.4, verdict="fail", reason=reason, broken_promises=["E2", "C1"], **{"class": "broken"})


def skipped(backend: str = "c") -> dict[str, Any]:
    """A cell that did not run."""
    name = f"m-{backend}-fp16-original_clip-cpu"
    reason = f"m-{backend}-fp16-cpu: {backend} is not installed: pip install {backend}"
    few = {"backend": backend, "precision": "fp16", "preprocessor": "original_clip", "device": "cpu"}
    return {"id": name, **few, "verdict": "skipped", "reason": reason, "broken_promises": []}


def report(*rows: dict[str, Any]) -> dict[str, Any]:
    """A report of these cells."""
    run = {"started": "2026-11-29T00:00:00+00:00", "commit": "abc", "strict": False, "command": "pytest", "seed": 1}
    environment = {"python": "3.11", "packages": {"torch": "2.15.0"}, "cpu_isa": ["avx2"]}
    return {"schema": 1, "run": run, "environment": environment, "cells": [*rows]}

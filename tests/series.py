"""Numbers of every picture of what was measured, made by hand."""

from __future__ import annotations

from tuneworthy.model.evidence import Series

MONTHS = ("2026-08", "2026-09", "2026-10", "2026-11", "2026-12")


def every(say: str = "") -> tuple[Series, ...]:
    """One of each; every text begins with ``say``."""
    return (
        volume(),
        latency(),
        voice(),
        knowledge(),
        signatures(say),
        arms(say),
        examples(),
    )


def volume() -> Series:
    """A month in part, three whole ones and one ahead."""
    return Series(
        id="volume",
        columns={
            "month": MONTHS,
            "requests": (400, 18_000, 19_500, 21_250, 22_000.4),
            "low": (400, 18_000, 19_500, 21_250, 20_100.0),
            "high": ("open", 18_000, 19_500, 21_250, 24_700.0),
            "forecast": (False, False, False, False, True),
            "whole": (False, True, True, True, True),
        },
    )


def latency() -> Series:
    """Three bins."""
    return Series(
        id="latency_by_tokens",
        columns={
            "input_tokens_low": (200.0, 900.0, 2_000.0),
            "input_tokens_high": (899.0, 1_999.0, 4_321.0),
            "p50_s": (0.8, 1.1, 1.9),
            "p95_s": (1.7, 2.4, 4.125),
            "n": (500, 500, 501),
        },
    )


def voice() -> Series:
    """Three turns."""
    return Series(
        id="voice_by_turn",
        columns={
            "turn": (0, 1, 2),
            "share": (0.1, 0.15, 0.22),
            "low": (0.08, 0.12, 0.17),
            "high": (0.12, 0.19, 0.28),
            "n": (900, 700, 333),
        },
    )


def knowledge() -> Series:
    """Five hundred answers."""
    return Series(
        id="knowledge",
        columns={
            "sufficient": (True, True, False, False),
            "right": (True, False, True, False),
            "n": (312, 41, 18, 129),
        },
    )


def signatures(say: str) -> Series:
    """Two versions."""
    return Series(
        id="signatures",
        columns={
            "prompt": (f"{say}triage v1", f"{say}triage v2"),
            "outputs": (1_200, 3_400),
            "read_share": (0.91, 0.97),
            "right_share": (0.83, 0.95),
            "usual_keys_share": (0.83, 0.95),
            "different_keys": (14, 6),
        },
    )


def arms(say: str) -> Series:
    """Two prompts on one model."""
    return Series(
        id="arms",
        columns={
            "prompt": (f"{say}v2", f"{say}v1"),
            "model": (f"{say}openai:gpt-4o-mini",) * 2,
            "value": (0.81, 0.79),
            "low": (0.78, 0.76),
            "high": (0.84, 0.82),
            "low_of_all": (0.77, 0.75),
            "high_of_all": (0.85, 0.83),
            "cases": (412, 412),
            "runs": (412, 412),
            "errors": (0, 0),
        },
    )


def examples() -> Series:
    """Ninety answers of which seventy are left."""
    steps = (
        "all",
        "no_output",
        "error",
        "refused",
        "not_json",
        "flagged",
        "copy",
        "usable",
    )
    counts = (90, 0, 2, 3, 0, 10, 5, 70)
    return Series(id="examples_waterfall", columns={"step": steps, "n": counts})

"""All signals there are."""

from __future__ import annotations

from tuneworthy.measure.signals.arms import Arms
from tuneworthy.measure.signals.base import END_S, Signal
from tuneworthy.measure.signals.change import Change
from tuneworthy.measure.signals.examples import Examples
from tuneworthy.measure.signals.format import Format
from tuneworthy.measure.signals.instructions import Instructions
from tuneworthy.measure.signals.knowledge import Knowledge
from tuneworthy.measure.signals.latency import Latency
from tuneworthy.measure.signals.novelty import Novelty
from tuneworthy.measure.signals.personal import Personal
from tuneworthy.measure.signals.success import Success
from tuneworthy.measure.signals.terms import Terms
from tuneworthy.measure.signals.traffic import Traffic
from tuneworthy.measure.signals.voice import Voice
from tuneworthy.model.case import Materials


def signals(
    materials: Materials, *, near_copy: float = 0.8, end_s: float = END_S
) -> tuple[Signal, ...]:
    """One of every signal, new: a signal may remember what it has seen of one run.

    Args:
        materials: What the case says its outputs should be.
        near_copy: Share of three-word runs in common from which two texts are one; the framework's
            threshold of that name.
        end_s: Now, in seconds since 1970: later timestamps are none.

    Returns:
        The signals, in the order of the factors they bear on.
    """
    return (
        Format(materials),
        Terms(materials),
        Voice(materials),
        Knowledge(),
        Instructions(),
        Latency(target_s=materials.latency_target_s, end_s=end_s),
        Traffic(end_s=end_s),
        Change(near_copy=near_copy, end_s=end_s),
        Novelty(end_s=end_s),
        Examples(materials),
        Personal(),
        Success(),
        Arms(),
    )

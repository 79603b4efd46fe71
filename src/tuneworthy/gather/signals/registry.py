"""All signals there are."""

from __future__ import annotations

from tuneworthy.domain.materials import Materials
from tuneworthy.gather.signals.arms import Arms
from tuneworthy.gather.signals.base import Signal
from tuneworthy.gather.signals.change import Change
from tuneworthy.gather.signals.clock import END_S
from tuneworthy.gather.signals.examples import Examples
from tuneworthy.gather.signals.format import Format
from tuneworthy.gather.signals.instructions import Instructions
from tuneworthy.gather.signals.knowledge import Knowledge
from tuneworthy.gather.signals.latency import Latency
from tuneworthy.gather.signals.novelty import Novelty
from tuneworthy.gather.signals.personal import Personal
from tuneworthy.gather.signals.success import Success
from tuneworthy.gather.signals.terms import Terms
from tuneworthy.gather.signals.traffic import Traffic
from tuneworthy.gather.signals.voice import Voice


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

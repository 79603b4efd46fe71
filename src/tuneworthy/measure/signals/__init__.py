"""All signals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from tuneworthy.measure.sample import ALIKE
from tuneworthy.measure.signals.arms import ArmsSignal
from tuneworthy.measure.signals.base import TraceSignal
from tuneworthy.measure.signals.calls import CallsSignal
from tuneworthy.measure.signals.change import ChangeSignal
from tuneworthy.measure.signals.examples import ExamplesSignal
from tuneworthy.measure.signals.format import FormatSignal
from tuneworthy.measure.signals.instructions import InstructionsSignal
from tuneworthy.measure.signals.knowledge import KnowledgeSignal
from tuneworthy.measure.signals.latency import LatencySignal
from tuneworthy.measure.signals.mix import MixSignal
from tuneworthy.measure.signals.novelty import NoveltySignal
from tuneworthy.measure.signals.personal import PersonalSignal
from tuneworthy.measure.signals.running import RunningSignal
from tuneworthy.measure.signals.shape import ShapeSignal, TextsSignal
from tuneworthy.measure.signals.success import SuccessSignal
from tuneworthy.measure.signals.terms import TermsSignal
from tuneworthy.measure.signals.traffic import TrafficSignal
from tuneworthy.measure.signals.voice import VoiceSignal
from tuneworthy.model.case import Materials
from tuneworthy.plugins import plugin_objects


def signals(
    materials: Materials, near_copy: float | None = None
) -> tuple[TraceSignal, ...]:
    """New objects of all signals, in the order of the factors they are about; added ones come last.

    A signal may remember things of one run. ``near_copy`` is the framework's threshold: the share
    of common three-word runs from which two texts count as one.
    """
    return (
        FormatSignal(materials),
        TermsSignal(materials),
        VoiceSignal(materials),
        KnowledgeSignal(),
        InstructionsSignal(),
        LatencySignal(target_s=materials.latency_target_s),
        TrafficSignal(),
        ChangeSignal(ALIKE if near_copy is None else near_copy),
        NoveltySignal(),
        MixSignal(),
        ExamplesSignal(materials),
        PersonalSignal(),
        ShapeSignal(),
        TextsSignal(materials),
        SuccessSignal(),
        CallsSignal(),
        ArmsSignal(),
        RunningSignal(materials),
        *_added(materials),
    )


def _added(materials: Materials) -> Iterator[TraceSignal]:
    """Signals of installed packages, each made from the materials of the case."""
    for make_signal in plugin_objects("signals").values():
        signal: TraceSignal = cast("Any", make_signal)(materials)
        yield signal

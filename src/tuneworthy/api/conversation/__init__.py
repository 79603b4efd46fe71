"""The interview in free words: a model listens and proposes, a person confirms, the rules decide.

A surface asks ``Caller`` with a request from ``request_for``, has ``heard`` sift what came, puts
each proposal to the person, and hands what they confirm to ``interview.answered`` like any other
answer. The model sees the questions and the answers' states, never a note, a name or a trace.
"""

from __future__ import annotations

from tuneworthy.api.conversation.caller import RUN, Caller, model_named
from tuneworthy.api.conversation.catalogue import catalogue, following, refuse_unfit
from tuneworthy.api.conversation.reading import heard
from tuneworthy.api.conversation.request import LONGEST_WORDS, request_for
from tuneworthy.domain.conversation import Dropped, Heard, ModelAnswer, Proposal, Turn

__all__ = [
    "LONGEST_WORDS", "RUN", "Caller", "Dropped", "Heard", "ModelAnswer", "Proposal", "Turn",
    "catalogue", "following", "heard", "model_named", "refuse_unfit", "request_for",
]  # fmt: skip

"""The four kinds of better retrieval: they help where passages aren't found, and only there."""

from __future__ import annotations

from tuneworthy.domain.options import Judgement
from tuneworthy.verdict.options.facts import KNOWLEDGE_GOALS, Facts, judged


def _needed(facts: Facts, option: str) -> Judgement | None:
    """What settles it for all kinds alike; None where retrieval is what to mend.

    Counted recall goes before what is said of it: a passage that isn't found can't be used.
    """
    if (done := facts.nothing_to_mend()) is not None:
        return done
    if facts.tried(option):
        return judged("no", "tried")
    gaps, optimised = facts.state("knowledge_gaps"), facts.state("retrieval_optimised")
    recall, enough = facts.recall, facts.recall_enough
    if enough == "no":
        return None
    if enough == "yes":
        if gaps == "unknown":
            return judged("partly", "found_gaps_open", measured=True, recall=recall)
        reason = "found_and_misread" if gaps == "yes" else "found_and_used"
        return judged("no", reason, measured=True, recall=recall)
    if gaps == "yes" and optimised == "yes":
        return judged("no", "found_and_misread", recall=None)
    if gaps == "yes" and optimised == "no":
        return judged("partly", "misread_never_measured")
    if optimised == "no":
        return None
    if gaps == "no" and optimised == "yes":
        return judged("no", "found_and_used", recall=None)
    return judged("unknown", "retrieval_open", gaps=gaps, optimised=optimised)


def _missing(facts: Facts, helps: str, reason: str) -> Judgement:
    """Retrieval is what to mend: by the recall that was counted, or by the check that is no."""
    recall = facts.recall
    if recall is None and not _wants_knowledge(facts):
        return judged("partly", "retrieval_not_optimised")
    if helps == "yes":
        return judged("yes", reason, measured=recall is not None, recall=recall)
    return judged("partly", reason, measured=recall is not None, recall=recall)


def _wants_knowledge(facts: Facts) -> bool:
    return bool(facts.goals(KNOWLEDGE_GOALS)) or facts.state("domain_knowledge") == "yes"


def chunk_optimization(facts: Facts) -> Judgement:
    """The first thing to look at wherever passages are missed."""
    settled = _needed(facts, "chunk_optimization")
    return settled or _missing(facts, "yes", "chunks_first")


def hybrid_search(facts: Facts) -> Judgement:
    """Finds words of one's own that meaning alone misses."""
    settled = _needed(facts, "hybrid_search")
    if settled is not None:
        return settled
    own_words = "yes" in (facts.state("terminology_errors"), facts.state("domain_knowledge"))
    return _missing(facts, "yes" if own_words else "partly", f"own_words_{_word(own_words)}")


def reranking(facts: Facts) -> Judgement:
    """Puts the right passage first, for the time of a second pass."""
    settled = _needed(facts, "reranking")
    if settled is not None:
        return settled
    if facts.room_for_a_call == "no":
        return judged("partly", "second_pass_no_time", recall=facts.recall)
    long = facts.long_prompt == "yes"
    return _missing(facts, "yes" if long else "partly", f"much_context_{_word(long)}")


def query_expansion(facts: Facts) -> Judgement:
    """Asks the question in several wordings, for the time of another call."""
    settled = _needed(facts, "query_expansion")
    if settled is not None:
        return settled
    if facts.room_for_a_call == "no":
        return judged("no", "expansion_no_time", recall=facts.recall)
    varied = facts.state("exploration_phase") == "yes"
    return _missing(facts, "yes" if varied else "partly", f"many_wordings_{_word(varied)}")


def _word(holds: bool) -> str:
    return "yes" if holds else "open"

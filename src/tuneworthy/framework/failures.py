"""The causes of failures in a case, and how many failures each option can remove at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tuneworthy.model.base import Interval, Unknown
from tuneworthy.model.case import Case, overlaps
from tuneworthy.model.dossier import FailureResult
from tuneworthy.model.evidence import Evidence
from tuneworthy.model.framework import CAUSES, CauseId, FailureCause, Framework
from tuneworthy.stats.failures import (
    FailureShare,
    corrected_quality,
    failure_shares,
    leading_share,
    most_beside,
    most_of,
    share_interval,
)
from tuneworthy.words import counted, quality, quality_interval

FAILURE_CAUSES = "failure_causes"
"""The measurement that holds how many failures have each cause, as people said of a drawn sample."""

QUALITY_DETAILS = ("quality", "quality_low", "quality_high")
"""The measurement's details that tell the quality of the arm whose failures were read."""


@dataclass(frozen=True, slots=True)
class FailureAnalysis:
    """The kinds of failures in a case, and what follows from them."""

    shares: tuple[FailureShare, ...]
    """The causes that were seen, the commonest first; only the leading one where nobody counted."""
    n: int  #: Failures whose cause is known; 0 where it is only said which cause leads.
    grade: Literal["measured", "stated"]  #: Read failure by failure, or said.
    way: str  #: Whose failures these are, in words; empty for what runs today.
    causes: Mapping[CauseId, FailureCause]  #: Those of the framework.
    quality: Interval | Unknown  #: How good that way was found to be.
    target: float | Unknown  #: The quality that is good enough.
    cases: int | Unknown  #: Cases that its quality was counted on.

    def share_of(self, cause: CauseId) -> FailureShare | None:
        """The share of a cause; None for a cause that wasn't seen."""
        for share in self.shares:
            if share.cause == cause:
                return share
        return None

    def most_removed(self, option: str) -> float:
        """The largest share of the failures that an option, or a kind of tuning, can remove.

        This is the upper end of the share. It is 0 for an option that helps no cause, such as a
        cache.
        """
        helped = self._causes_helped([option])
        if self.n == 0:  # nobody counted, and it is said which cause leads
            leading = self.shares[0].cause
            return most_beside(leading, helped)
        return most_of(self._real_counts, helped)

    def _causes_helped(self, options: Sequence[str]) -> list[CauseId]:
        """The causes that any of several options helps."""
        helped = []
        for name, cause in self.causes.items():
            if any(option in cause.helped_by for option in options):
                helped.append(name)
        return helped

    @property
    def _real_counts(self) -> dict[CauseId, int]:
        """The failures by cause, without those whose reference is wrong: they are no failures."""
        counts = {share.cause: share.n for share in self.shares}
        counts.pop("wrong_reference", None)
        return counts

    def most_removed_by(self, options: Sequence[str]) -> float:
        """The largest share that several options remove together, of counted failures."""
        return most_of(self._real_counts, self._causes_helped(options))

    @property
    def corrected(self) -> Interval | Unknown:
        """The quality without failures whose reference is wrong; as measured where there are none."""
        wrong = self.share_of("wrong_reference")
        if isinstance(self.quality, Unknown) or wrong is None or wrong.n == 0:
            return self.quality
        return corrected_quality(self.quality, wrong)

    @property
    def wrong_references(self) -> int | Unknown:
        """An estimate of how many cases have a wrong reference, by the failures that were read.

        Cases whose answer happens to agree with a wrong reference aren't included.
        """
        quality = self.quality
        corrected = self.corrected
        if isinstance(self.cases, Unknown):
            return self.cases
        if isinstance(quality, Unknown) or isinstance(corrected, Unknown):
            return Unknown(ask="measure the quality of what runs today")
        # each case with a wrong reference counts as right once the reference is mended
        return round((corrected.value - quality.value) * self.cases)

    @property
    def labels_first(self) -> bool:
        """Whether wrong references cost at least as much quality as the target is away."""
        quality = self.quality
        corrected = self.corrected
        target = self.target
        if isinstance(quality, Unknown) or isinstance(corrected, Unknown):
            return False
        if isinstance(target, Unknown) or quality.value >= target:
            return False
        return corrected.value >= target


def failures_of(
    case: Case, ledger: Mapping[str, Evidence], framework: Framework
) -> FailureAnalysis | None:
    """The known failures of a case; None where nobody states any, or the framework asks for none.

    Failures that were read one by one go before counts in the case file, and counts go before the
    leading cause. ``ledger`` holds the measurements that count, by id.
    """
    if not framework.causes:
        return None
    if not _is_supposed(case):
        read = ledger.get(FAILURE_CAUSES)
        if read is not None and not isinstance(read.value, Unknown):
            return _analyse_read_failures(read, case, framework)
    return _analyse_stated_failures(case, framework)


def _analyse_stated_failures(
    case: Case, framework: Framework
) -> FailureAnalysis | None:
    """The analysis by the failures in the case file; None where it has neither counts nor a cause."""
    stated = case.failures
    if stated is None:
        return None
    counted = failure_shares(stated.counts)
    shares = tuple(share for share in counted if share.n > 0)
    if not shares and stated.mostly != "unknown":
        shares = (leading_share(stated.mostly),)
    if not shares:
        return None
    return FailureAnalysis(
        shares=shares,
        n=sum(share.n for share in shares),
        grade="stated",
        way="",
        causes=framework.causes,
        quality=_stated_quality(case),
        target=_target(case),
        cases=_stated_cases(case),
    )


def _is_supposed(case: Case) -> bool:
    """Whether this is a what-if about failures, which no measurement may overrule."""
    return any(overlaps(path, "failures") for path in case.origin.assumed)


def _analyse_read_failures(
    read: Evidence, case: Case, framework: Framework
) -> FailureAnalysis | None:
    """The analysis by failures that people read one by one; None where they gave no cause."""
    counts: dict[CauseId, int] = {}
    for cause in CAUSES:
        count = read.details.get(cause, 0)
        # a ledger that somebody wrote in may hold anything
        if isinstance(count, int) and count > 0:
            counts[cause] = count
    shares = failure_shares(counts)
    if not shares:
        return None
    quality = _measured_quality(read)
    cases = read.details.get("cases", 0)
    has_cases = isinstance(cases, int) and cases > 0
    return FailureAnalysis(
        shares=shares,
        n=sum(counts.values()),
        grade="measured",
        way=read.source,
        causes=framework.causes,
        quality=_stated_quality(case) if quality is None else quality,
        target=_target(case),
        cases=int(cases) if has_cases else _stated_cases(case),
    )


def _measured_quality(read: Evidence) -> Interval | None:
    """The quality of the arm whose failures were read; None where that isn't kept with them."""
    value_key, low_key, high_key = QUALITY_DETAILS
    value = read.details.get(value_key)
    low = read.details.get(low_key)
    high = read.details.get(high_key)
    # a ledger that somebody wrote in may hold anything
    if not isinstance(value, float | int):
        return None
    if not isinstance(low, float | int) or not isinstance(high, float | int):
        return None
    if not 0 <= low <= value <= high <= 1:  # no interval of a share
        return None
    return Interval(low, value, high)


def _stated_quality(case: Case) -> Interval | Unknown:
    today = case.today
    if today.quality is None:
        return Unknown(ask="say what share of cases it gets right (today.quality)")
    return share_interval(today.quality, today.cases)


def _stated_cases(case: Case) -> int | Unknown:
    if case.today.cases is None:
        return Unknown(ask="say on how many cases that was counted (today.cases)")
    return case.today.cases


def _target(case: Case) -> float | Unknown:
    if case.targets.quality is None:
        return Unknown(ask="say which share is good enough (targets.quality.at_least)")
    return case.targets.quality.at_least


# The analysis as the dossier keeps it.

_NAMED = 3  # options that a sentence names at most; all are in ``helped_by``
_NOTHING_HELPS = Unknown(
    ask="mend the evaluation set: nothing that is tried on the system helps"
)


def failure_results(
    analysis: FailureAnalysis | None, framework: Framework
) -> tuple[FailureResult, ...]:
    """Every cause that was seen, with what helps; empty where nothing is known about the failures."""
    if analysis is None:
        return ()
    return tuple(
        _result(share, analysis, framework)
        for share in analysis.shares
        if _is_seen(share)
    )


def _is_seen(share: FailureShare) -> bool:
    # the cause that leads without a count has an unknown share and no number
    return share.n > 0 or isinstance(share.share, Unknown)


def _result(
    share: FailureShare, analysis: FailureAnalysis, framework: Framework
) -> FailureResult:
    """One cause with what helps, and the quality if all of its failures were mended."""
    rule = analysis.causes[share.cause]
    offered = {*framework.options, *framework.approaches}
    helped_by = tuple(option for option in rule.helped_by if option in offered)
    quality_at_most: float | Unknown = _NOTHING_HELPS
    if helped_by:
        quality_at_most = _quality_if_mended(share, analysis)
    return FailureResult(
        cause=share.cause,
        title=rule.title,
        n=share.n,
        share=share.share,
        low=share.low,
        high=share.high,
        grade=analysis.grade,
        helped_by=helped_by,
        quality_at_most=quality_at_most,
        says=_says(share.cause, helped_by, analysis, framework),
    )


def _quality_if_mended(
    share: FailureShare, analysis: FailureAnalysis
) -> float | Unknown:
    """The quality if all failures of a cause were mended, by the upper end of its share."""
    if isinstance(analysis.quality, Unknown):
        return analysis.quality
    quality = analysis.quality.value
    return quality + (1 - quality) * share.high


def _says(
    cause: CauseId,
    helped_by: tuple[str, ...],
    analysis: FailureAnalysis,
    framework: Framework,
) -> str:
    """A few words on what helps; for wrong references, what they mean for the measured quality."""
    if cause == "wrong_reference":
        return _noise_text(analysis)
    if not helped_by:
        return "ask it plainly, or accept both answers"
    titles = list[str]()
    for name in helped_by:
        option = framework.options.get(name)
        if option is None or option.kind == "tuning" or option.variant_of is not None:
            continue  # tuning is named once, and a variant by its option
        titles.append(option.title)
    named = titles[:_NAMED]
    if any(name in framework.approaches for name in helped_by):
        named.append("tuning")
    return ", ".join(named)


def _noise_text(analysis: FailureAnalysis) -> str:
    """A sentence on the quality that remains once wrong references are mended."""
    measured = analysis.quality
    corrected = analysis.corrected
    if isinstance(measured, Unknown) or isinstance(corrected, Unknown):
        return "mend these references"
    rather = quality_interval(corrected.value, corrected.low, corrected.high)
    text = f"the measured {quality(measured.value)} is rather {rather}"
    many = analysis.wrong_references
    if isinstance(many, Unknown) or many == 0:
        fix = "mend these references"
    else:
        fix = f"mend about {counted(many, 'reference')}"
    if analysis.labels_first:
        return f"{text}: {fix} first"
    return f"{text}; {fix}"

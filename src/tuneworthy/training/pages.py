"""What is shown of the training data, of a hand-off, and of a decision that is watched."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from tuneworthy.measure.signals.base import ESTIMATE_FACTOR
from tuneworthy.model.base import Unknown
from tuneworthy.model.training import BetterThanModel
from tuneworthy.report import blocks as b
from tuneworthy.stats.intervals import wilson
from tuneworthy.training.export import ExportReport
from tuneworthy.training.gate import GATES, DataReport
from tuneworthy.training.watch import WatchReport
from tuneworthy.words import amount, count, counted, day, listing, sentence, share, usd

_MOST_REFUSALS = 20


def data_document(found: DataReport) -> b.Document:
    """What passed the gates, what didn't, and what to do next."""
    made = found.made
    headline = "No example is usable yet"
    if made.size:
        headline = (
            f"{counted(made.size, 'example')} passed every gate: {count(made.train)} to train on, "
            f"{count(made.validation)} held back to validate on"
        )
    rows, samples = [], []
    for gate in made.gates:
        of = share(gate.examples / gate.of) if gate.of else "–"
        if gate.examples:
            samples.append(b.part(f"{GATES[gate.id]}", b.bullets(gate.samples)))
        rows.append((GATES[gate.id], count(gate.examples), of, count(gate.of)))
    table = b.table("Gates", "Kept out, as it | #Examples | #Share | #Of", rows, quiet=True)
    sections = [
        b.section("", "Where they come from", b.bullets(map(sentence, _origins(found)))),
        b.section("", "The gates", table),
        b.section("", "Samples, with personal data masked", samples),
    ]
    record = (("digest", made.digest),) if made.size else ()
    after = [*_next(found, shlex.quote(found.folder))]
    return b.Document(found.case, headline, sections, record=record, after=after)


def _origins(found: DataReport) -> Iterator[str]:
    made, read = found.made, found.read
    files = sum(one.example.origin == "file" for one in read.found)
    yield f"{counted(files, 'example')} of training files; {count(made.stated)} stand as stated"
    if logged := len(read.found) - files:
        yield f"{counted(logged, 'answer')} of logs; {count(made.unreviewed)} unreviewed candidates"
    if read.left_out:
        why = (f"{name.replace('_', ' ')} {count(n)}" for name, n in sorted(read.left_out.items()))
        yield f"logged answers left out: {', '.join(why)}"
    yield from _reviews(found) if made.reviewers else ()
    if made.better is not None:
        yield _better(made.better)
    if found.tokens:
        middle, most = found.tokens[len(found.tokens) // 2], found.tokens[-1]
        yield f"about {amount(middle)} tokens an example, {amount(most)} at most, by characters"
    if found.masked:
        yield f"personal data was masked in {counted(found.masked, 'example')}"
    if not found.evaluation:
        yield "no evaluation set is named: whether any example is in it is unknown"


def _reviews(found: DataReport) -> Iterator[str]:
    made, (good, n) = found.made, found.random
    yield (
        f"reviewed by {listing(made.reviewers)}: {count(made.accepted)} accepted, "
        f"{count(made.edited)} edited, {count(made.rejected)} rejected"
    )
    if made.rejected:
        yield f"rejected: {listing([f'{why} {count(n)}' for why, n in made.reasons.items()])}"
    if n:
        low, high = map(share, wilson(good, n))
        yield f"good enough, of {count(n)} drawn at random: {share(good / n)} ({low} to {high})"
    if made.twice:
        yield f"two people said the same of {count(made.agreed)} of {count(made.twice)}"


def _better(one: BetterThanModel) -> str:
    """Whether labels are better than the model's own answers."""
    told = "can't be distinguished from"
    if not one.low <= 0.5 <= one.high:
        told = "are better than" if one.low > 0.5 else "are worse than"
    more = f"; about {count(one.needed)} pairs would tell" if one.needed else ""
    return (
        f"the labels {told} the own answers of {one.arm}: preferred in {share(one.share)} "
        f"({share(one.low)} to {share(one.high)}) of {counted(one.pairs, 'pair')}{more}"
    )


def _next(found: DataReport, case: str) -> Iterator[str]:
    made = found.made
    if made.better is not None and made.better.high < 0.5:
        yield "Don't tune on these: a model learns to answer worse. Edit the labels first."
    if made.unreviewed:
        yield f"Review them: tuneworthy data review {case} --reviewer NAME"
    if any(gate.id == "disagreement" and gate.examples for gate in made.gates):
        yield f"Settle what reviewers differ on: tuneworthy evalset adjudicate {case}"
    if made.size and made.better is None:
        yield f"Are they better than the model? tuneworthy data compare {case} --reviewer NAME"
    if made.size:
        yield f"Does tuning on them work? tuneworthy pilot {case} --dry-run"
        yield f"For a service or a library: tuneworthy export {case} --to TARGET"


def export_document(done: ExportReport) -> b.Document:
    """What was written, or why nothing was."""
    title = done.to.title
    if done.folder is None:
        refused, every = len(done.refusals), done.train + done.validation
        why = [f"{counted(n, 'line')}: {reason}" for reason, n in done.reasons.most_common()]
        rows = [
            (f"{one.file}:{one.line}", one.source, "; ".join(one.why))
            for one in done.refusals[:_MOST_REFUSALS]
        ]
        told = f"It would refuse {count(refused)} of {counted(every, 'line')}." if refused else None
        lines = b.table("Lines", "Line | From | Why", rows, quiet=True) if rows else None
        parts = (b.bullets(map(sentence, (*done.problems, *why))), told, lines)
        after = ["Edit these, or leave them out with --leave-out"] if refused else []
        headline = f"nothing was written, as {title} would refuse it"
        return b.Document(done.case, headline, [b.section("", "Why", *parts)], after=after)
    held = f", {count(done.validation)} to validate on" if done.validation else ""
    headline = f"wrote {done.folder}: {counted(done.train, 'example')} to train on{held}"
    steps = b.bullets(done.command.strip().split("\n"), ordered=True)
    sections = [
        b.section("", title, b.facts(_facts(done))),
        b.section("", "How to start it, in that folder", steps),
    ]
    return b.Document(done.case, headline, sections)


def _facts(done: ExportReport) -> Iterator[tuple[str, ...]]:
    to, offer = done.to, done.to.offer
    yield "Base model", done.base
    epochs = (
        f"in {to.epochs:g} epochs, by characters: up to {ESTIMATE_FACTOR:g} times more or fewer"
    )
    yield "Tokens trained", f"about {amount(float(f'{done.trained_tokens:.2g}'))}", epochs
    price = done.usd
    yield "Price", f"unknown: {price.ask}" if isinstance(price, Unknown) else usd(price)
    yield "Kept by the service", to.keeps or "unknown: ask it in writing"
    if offer is not None and offer.until:
        yield "New work until", str(offer.until), offer.says
    if to.advised is not None and done.train < to.advised:
        yield "Advised", f"{count(to.advised)} examples or more; there are {count(done.train)}"
    if done.refusals:
        yield "Left out", f"{counted(len(done.refusals), 'line')} that it would refuse"
    if to.says:
        yield "To know", to.says
    yield "As read on", str(to.dated), ", ".join(to.sources)


_MARKS = {"attention": "look at it", "unknown": "unknown", "holds": "holds"}


def watch_document(seen: WatchReport) -> b.Document:
    """How a decision stands."""
    order = sorted(seen.checks, key=lambda one: [*_MARKS].index(one.state))
    rows = [(_MARKS[one.state], one.says) for one in order]
    n = sum(one.state == "attention" for one in seen.checks)
    says = {"attention": f"{counted(n, 'thing')} to look at", "holds": "the decision holds"}
    headline = f"{says.get(seen.state, 'nothing could be looked at')}, as of {day(seen.day)}"
    table = b.table("What it rests on", "State | What", rows, quiet=True)
    return b.Document(seen.case, headline, [b.section("", "", table)])

"""Labelling: what to show, in which order, and what was said so far."""

from __future__ import annotations

import os
import random
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Literal

from tuneworthy.errors import CaseError, ConflictError, InputError
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.files.evalset import csv_text, evalset_text, named_evalset, read_csv, write_evalset
from tuneworthy.files.stores import (
    ADJUDICATED,
    FOLDER,
    append_label,
    keep_rubric,
    labeller_name,
    latest_labels,
    read_labels,
    read_rubrics,
    rubric_path,
    written_choice,
    written_plan,
)
from tuneworthy.lab.judge import SCALE, label_sample, rubric_text, shuffled
from tuneworthy.lab.outputs import ArmOutputs, arm_outputs, outputs_of
from tuneworthy.lab.prepare import MOST_TOKENS, PreparedLab, prepare
from tuneworthy.model.base import Unknown
from tuneworthy.model.case import Case
from tuneworthy.model.evalset import (
    PAIRS,
    SCALES,
    AgreementOf,
    Coefficient,
    Disagreement,
    EvalCase,
    ItemKey,
    Label,
    Task,
    digest_of,
)
from tuneworthy.model.lab import CeilingPlan, JudgePlan
from tuneworthy.pipeline import load_case
from tuneworthy.report import render as render_document
from tuneworthy.report.sections.evalset import Item, agreement_document
from tuneworthy.stats.intervals import wilson

# What people have to label for a judged lab: outputs of drawn cases, not knowing whose.

For = Literal["report", "choose", "verify"]
"""The arms a ceiling lab chose, on its untouched cases; all its arms, on the cases for selecting;
or both arms of a verification, on its untouched cases."""


def drawn_items(source: str | Path, rubric: str | Path, lab: For) -> tuple[list[Item], str]:
    """The outputs that a lab under a judge needs labels of, and the rubric's text.

    Cases come in the order in which they were drawn before anything was labelled; the arms of a
    case are shuffled, and an output that several of them wrote is shown once.

    Args:
        source: The case.
        rubric: The file the lab was given.
        lab: What for.

    Raises:
        InputError: If no lab with this judge has chosen its arms, or something can't be read.
    """
    case = load_case(source)
    plan, chosen = _plan(case, source, lab)
    text = rubric_text(rubric)
    if digest_of(text, SCALE) != plan.rubric:
        fix = f"give the one the lab was given, {plan.file}, or run the lab with this one"
        raise CaseError("is another rubric than the lab's", where=str(rubric), fix=fix)
    ready = prepare(source, seed=plan.seed, max_tokens=plan.max_tokens, scored=False)
    arms = chosen or tuple(arm.id for arm in ready.plan.arms)
    items = list(_items(ready, plan, arms, lab))
    if not items:
        fix = f"run the lab on: tuneworthy {'verify' if lab == 'verify' else 'ceiling'} {source}"
        raise CaseError("no drawn case was answered by these arms", where=str(source), fix=fix)
    return items, text


def _plan(case: Case, source: str | Path, lab: For) -> tuple[JudgePlan, tuple[str, ...]]:
    """Who judges, and the arms that are asked for; () for all."""
    chosen: tuple[str, ...] = ()
    if lab == "verify":
        written = written_plan(case)
        judge = written.judge if written else None
        chosen = (written.tuned, written.untuned) if written else ()
    else:
        choice = written_choice(case) or (written_plan(case) if lab == "choose" else None)
        judge = choice.judge if choice else None
        chosen = choice.chosen if isinstance(choice, CeilingPlan) else ()
    if judge is None:
        name = "verify" if lab == "verify" else "ceiling"
        fix = f"run it first: tuneworthy {name} {source} --judge RUBRIC --judge-model MODEL"
        raise CaseError("no lab with a judge has chosen its arms yet", where=str(source), fix=fix)
    return judge, () if lab == "choose" else chosen


def _items(ready: PreparedLab, plan: JudgePlan, arms: Sequence[str], lab: For) -> Iterator[Item]:
    outputs = outputs_of(ready)
    for case in label_sample(
        ready.plan.select if lab == "choose" else ready.plan.report, plan.labels, plan.seed
    ):
        mixed = [arm for arm in arms if case.id in outputs.get(arm, {})]
        chance = random.Random(digest_of("arms", str(plan.seed), case.id))  # noqa: S311  # an order is no secret
        chance.shuffle(mixed)
        own = {outputs[arm][case.id]: arm for arm in reversed(mixed)}
        for text, arm in reversed(own.items()):
            yield Item("rubric", case, (arm,), (text,), SCALES[SCALE], rubric=plan.rubric)


# Labelling: what to show, in which order, and what was said so far.


@dataclass(slots=True)
class Session:
    """One labeller on the way; every answer is kept as soon as it is given."""

    case: Case
    labeller: str
    items: Sequence[Item]
    """What there is to label, in the order of showing."""
    rubric: str
    """The text to hold outputs against; empty for other tasks."""
    said: dict[ItemKey, Label]
    """What this labeller said before, and since."""
    notes: Mapping[ItemKey, tuple[str, ...]] = field(default_factory=dict)
    """What others said, for whoever settles it."""
    again: bool = False
    """Whether the present item is shown although it has a label."""
    at: int = 0

    def labelled(self, item: Item) -> bool:
        """Whether this labeller has said something of just these outputs."""
        label = self.said.get(item.key)
        return label is not None and label.output == shown_digest(item)

    @property
    def done(self) -> int:
        """Items with a label."""
        return sum(self.labelled(item) for item in self.items)

    def current(self) -> Item | None:
        """The item to show now; None when all are labelled or skipped."""
        while self.at < len(self.items):
            item = self.items[self.at]
            if self.again or not self.labelled(item):
                return item
            self.at += 1
        return None

    def answer(self, said: str) -> None:
        """Keep what was said of the present item, and go on.

        Args:
            said: One of the item's choices, or the right answer.
        """
        item = self.current()
        assert item is not None  # there is nothing to answer otherwise
        self.keep(item, said)
        self.at += 1
        self.again = False

    def keep(self, item: Item, said: str) -> None:
        """Keep what was said of an item."""
        task, rubric, case, arm, against = item.key
        assert task == item.task
        label = Label(
            task=item.task,
            case=case,
            value=item.true_value(said),
            arm=arm,
            against=against,
            rubric=rubric,
            output=shown_digest(item),
        )
        append_label(self.case, self.labeller, label)
        self.said[label.key] = label

    def skip(self) -> None:
        """Leave the present item for another time."""
        self.at += 1
        self.again = False

    def back(self) -> None:
        """Show the item before again; a new answer to it counts, and the old one stays on file."""
        if self.at:
            self.at -= 1
            self.again = True


def begin(
    source: str | Path,
    labeller: str,
    *,
    rubric: str | Path | None = None,
    scale: str = "yes-no",
    pairwise: tuple[str, str] | None = None,
    arms: Sequence[str] = (),
    seed: int = 0,
    max_tokens: int = MOST_TOKENS,
    lab: For | None = None,
) -> Session:
    """A labelling session that goes on where this labeller stopped.

    Cases come in an order drawn by the seed, the same for every labeller, so that the first ones
    are a random sample and two labellers meet; the arms of a case are shuffled and never named.

    Args:
        source: The case.
        labeller: Who labels.
        rubric: File to hold outputs against; without it and without a pair, right answers are asked
            for where a case has none.
        scale: ``yes-no`` or ``1-5``, for a rubric.
        pairwise: Two arms, whose outputs are compared.
        arms: Arms to label; all that answered when not given.
        seed: For the order, and as the lab was given it.
        max_tokens: As the lab was given it.
        lab: With a rubric: what a lab under a judge needs, as it wrote that down; all options but
            the rubric are its own then.

    Raises:
        InputError: If there is nothing to label, or something can't be read.
    """
    case, name = load_case(source), labeller_name(labeller)
    if lab is not None:
        if rubric is None:
            raise InputError("needs the rubric", where="--for", fix="give --rubric FILE as well")
        items, text = drawn_items(source, rubric, lab)
    else:
        items, text = _prepared(source, case, rubric, scale, pairwise, arms, seed, max_tokens)
    return Session(case, name, items, text, latest_labels(read_labels(case).get(name, ())))


def _prepared(
    source: str | Path,
    case: Case,
    rubric: str | Path | None,
    scale: str,
    pairwise: tuple[str, str] | None,
    arms: Sequence[str],
    seed: int,
    max_tokens: int,
) -> tuple[list[Item], str]:
    if rubric is None and pairwise is None:
        return _to_answer(source, case, seed), ""
    held = arm_outputs(source, seed=seed, max_tokens=max_tokens)
    text = "" if rubric is None else read_text(Path(rubric), MIB, CaseError).strip()
    if pairwise is not None:
        if pairwise[0] == pairwise[1]:
            raise CaseError("names one arm twice", where="--pairwise", fix="name two")
        items = list(pair_items(held, held.arms(pairwise), seed, digest_of(text) if text else ""))
    else:
        items = list(rubric_items(held, held.arms(arms), scale, seed, digest_of(text, scale)))
    if not items:
        fix = "run the lab on: tuneworthy ceiling"
        raise CaseError("no case was answered by these arms", where=str(source), fix=fix)
    return items, text


def _to_answer(source: str | Path, case: Case, seed: int) -> list[Item]:
    cases = named_evalset(case)
    if cases is None:
        fix = f"make one: tuneworthy evalset {source}, then name it under data.evaluation"
        raise CaseError("names no evaluation set", where=case.where("data"), fix=fix)
    lacking = [one for one in cases if one.reference is None]
    if not lacking:
        fix = "label outputs with --rubric FILE or --pairwise ARM ARM"
        raise CaseError("every case has a right answer", where=str(source), fix=fix)
    return [Item("answer", one) for one in shuffled(lacking, seed)]


def rubric_items(
    held: ArmOutputs, arms: Sequence[str], scale: str, seed: int, digest: str
) -> Iterator[Item]:
    """Outputs one by one: case after case, the arms of each shuffled."""
    for case in shuffled(held.cases, seed):
        mixed = [arm for arm in arms if case.id in held.outputs[arm]]
        _chance(seed, case).shuffle(mixed)
        for arm in mixed:
            output = held.outputs[arm][case.id]
            yield Item("rubric", case, (arm,), (output,), SCALES[scale], rubric=digest)


def pair_items(held: ArmOutputs, arms: Sequence[str], seed: int, digest: str) -> Iterator[Item]:
    """Outputs of two arms side by side, which of them stands first by chance."""
    one, other = arms
    for case in shuffled(held.cases, seed):
        if case.id in held.outputs[one] and case.id in held.outputs[other]:
            outputs = held.outputs[one][case.id], held.outputs[other][case.id]
            flipped = _chance(seed, case).random() < 0.5
            yield Item("pairwise", case, (one, other), outputs, PAIRS, flipped, digest)


def shown_digest(item: Item) -> str:
    """Begin of the SHA-256 of the outputs of an item; empty where it has none."""
    return digest_of(*item.outputs) if item.outputs else ""


def _chance(seed: int, case: EvalCase) -> random.Random:
    return random.Random(digest_of("arms", str(seed), case.id))  # noqa: S311  # an order is no secret


# What labellers agree on, what has to be settled, and the answers that come of it.

Said = dict[str, dict[ItemKey, Label]]
"""What counts of each labeller's labels."""


def agreement(source: str | Path, *, seed: int = 0) -> tuple[AgreementOf, ...]:
    """How far the labellers of a case agree, for each task and rubric.

    Args:
        source: The case.
        seed: For the draws of the intervals.

    Raises:
        InputError: If there are no labels, or they can't be read.
    """
    found = agreement_so_far(source, seed=seed)
    if not found:
        fix = f"label some: tuneworthy evalset label {source} --labeller NAME"
        raise CaseError("has no labels yet", where=str(source), fix=fix)
    return found


def agreement_so_far(source: str | Path, *, seed: int = 0) -> tuple[AgreementOf, ...]:
    """The same, and () where there are no labels yet."""
    case = load_case(source)
    said = _said(case)
    people = {name: labels for name, labels in said.items() if name != ADJUDICATED}
    groups = sorted({key[:2] for labels in people.values() for key in labels})
    clusters = {one.id: one.cluster for one in named_evalset(case) or ()}
    settled = said.get(ADJUDICATED, {})
    return tuple(_agreement(group, people, settled, clusters, seed) for group in groups)


def render(found: Sequence[AgreementOf], source: str | Path, *, colour: bool = False) -> str:
    """Agreement as a page."""
    return render_document(agreement_document(found, folder=str(source)), colour=colour)


def begin_adjudicating(
    source: str | Path,
    *,
    rubric: str | Path | None = None,
    seed: int = 0,
    max_tokens: int = MOST_TOKENS,
) -> Session:
    """A session over what labellers differ on and nobody has settled; it doesn't say who is who.

    Args:
        source: The case.
        rubric: The rubric's file, to show it.
        seed: As the lab was given it.
        max_tokens: As the lab was given it.

    Raises:
        InputError: If there is nothing to settle, or what was labelled can't be shown again.
    """
    case = load_case(source)
    cases = {one.id: one for one in shuffled(named_evalset(case) or (), seed)}
    differ = [
        one for group in agreement(source) for one in group.disagreements if one.settled is None
    ]
    if not differ:
        fix = f"see them: tuneworthy evalset agreement {source}"
        raise CaseError("has nothing to settle", where=str(source), fix=fix)
    outputs: Mapping[str, Mapping[str, str]] = {}
    if any(one.key[0] != "answer" for one in differ):
        outputs = arm_outputs(source, seed=seed, max_tokens=max_tokens).outputs
    said = _said(case)
    shown = {
        (digest, label.key)
        for labels in said.values()
        for label in labels.values()
        for digest in [label.output]
    }
    items, notes = [], {}
    for one in sorted(
        differ, key=lambda each: list(cases).index(each.key[2]) if each.key[2] in cases else -1
    ):
        item = _item(one, cases, outputs)
        if item is not None and (shown_digest(item), one.key) in shown:
            items.append(item)
            notes[one.key] = _notes(item, one)
    if not items:
        fix = "put back the prompts and the set that were labelled"
        raise CaseError("what was labelled isn't there any more", where=str(source), fix=fix)
    text = "" if rubric is None else read_text(Path(rubric), MIB, CaseError).strip()
    return Session(case, ADJUDICATED, items, text, said.get(ADJUDICATED, {}), notes)


def _notes(item: Item, one: Disagreement) -> tuple[str, ...]:
    """What was said, as of the outputs in the order they are shown; nobody is named."""
    return tuple(sorted({item.true_value(value) for _, value in one.said}))


def _item(
    one: Disagreement, cases: Mapping[str, EvalCase], outputs: Mapping[str, Mapping[str, str]]
) -> Item | None:
    task, rubric, case_id, *names = one.key
    case, arms = cases.get(case_id), tuple(name for name in names if name)
    if case is None or any(case_id not in outputs.get(arm, {}) for arm in arms):
        return None
    shown = tuple(outputs[arm][case_id] for arm in arms)
    if task == "answer":
        return Item("answer", case)
    if task == "pairwise":
        return Item("pairwise", case, arms, shown, PAIRS, rubric=rubric)
    scale = next((each for each in SCALES.values() if all(v in each for _, v in one.said)), None)
    return None if scale is None else Item("rubric", case, arms, shown, scale, rubric=rubric)


def labelled_cases(source: str | Path) -> tuple[EvalCase, ...]:
    """The evaluation set of a case with the right answers that labelling gave.

    Where a case has none, what was settled counts, and otherwise what all its labellers say.

    Raises:
        InputError: If the case names no set, or something can't be read.
    """
    case = load_case(source)
    cases = named_evalset(case)
    if cases is None:
        fix = f"make one: tuneworthy evalset {source}, then name it under data.evaluation"
        raise CaseError("names no evaluation set", where=case.where("data"), fix=fix)
    answers = _answers(_said(case))
    return tuple(
        one.model_copy(update={"reference": answers[one.id]})
        if one.reference is None and one.id in answers
        else one
        for one in cases
    )


def export(source: str | Path, form: str) -> str:
    """The labelled set as ``csv`` or ``jsonl``."""
    cases = labelled_cases(source)
    return csv_text(cases) if form == "csv" else evalset_text(cases)


def import_csv(file: str | Path, output: str | Path) -> int:
    """Write the cases of a CSV as an evaluation set; nothing that is there is replaced.

    Returns:
        How many cases it has.

    Raises:
        InputError: If the CSV can't be read, or the file exists.
    """
    cases = read_csv(Path(file))
    write_evalset(Path(output), cases)
    return len(cases)


def _answers(said: Said) -> dict[str, str]:
    """The right answer of each case by its labels; none where they differ and nobody settled it."""
    given: dict[str, list[str]] = {}
    for name, labels in said.items():
        for label in labels.values():
            if label.task == "answer" and name != ADJUDICATED:
                given.setdefault(label.case, []).append(label.value)
    agreed = {
        case: values[0]
        for case, values in given.items()
        if len({plain("answer", value) for value in values}) == 1
    }
    settled = said.get(ADJUDICATED, {}).values()
    return agreed | {one.case: one.value for one in settled if one.task == "answer"}


def plain(task: str, value: str) -> str:
    """A label as it is compared: case and blanks of an answer don't count."""
    return " ".join(value.casefold().split()) if task == "answer" else value


def _said(case: Case) -> Said:
    return {name: latest_labels(labels) for name, labels in read_labels(case).items()}


def _agreement(
    group: tuple[Task, str] | tuple[str, ...],
    people: Said,
    settled: Mapping[ItemKey, Label],
    clusters: Mapping[str, str],
    seed: int,
) -> AgreementOf:
    task, rubric = group[0], group[1]
    names = [name for name in sorted(people) if any(key[:2] == group for key in people[name])]
    keys = sorted({key for name in names for key in people[name] if key[:2] == group})
    table, differ, both = [], [], 0
    for key in keys:
        labels = [people[name].get(key) for name in names]
        newest = [one for one in labels if one is not None]
        row = [None if one is None else plain(task, one.value) for one in labels]
        table.append(row)
        both += len(newest) >= 2
        if len({each for each in row if each is not None}) > 1:
            told = tuple((n, one.value) for n, one in zip(names, labels, strict=True) if one)
            end = settled.get(key)
            differ.append(Disagreement(key=key, said=told, settled=end.value if end else None))
    low, high = wilson(both - len(differ), both)
    return AgreementOf.model_validate(
        {
            "task": task,
            "rubric": rubric,
            "labellers": tuple(names),
            "labelled": len(keys),
            "both": both,
            "same": both - len(differ),
            "low": low,
            "high": high,
            "coefficients": _coefficients(table, [clusters.get(k[2], k[2]) for k in keys], seed),
            "disagreements": tuple(differ),
        }
    )


def _coefficients(
    table: Sequence[Sequence[str | None]], clusters: Sequence[str], seed: int
) -> tuple[Coefficient, ...]:
    import numpy as np

    from tuneworthy.stats.agreement import cohen_kappa, fleiss_kappa, nominal_alpha

    if len(table[0]) < 2:
        return ()
    first = ("cohen_kappa", cohen_kappa) if len(table[0]) == 2 else ("fleiss_kappa", fleiss_kappa)
    found = []
    for name, of in (first, ("nominal_alpha", nominal_alpha)):
        one = of(table, clusters, np.random.default_rng(seed))
        ask = "label more of the same items, with both labels in use"
        told = (
            {"id": name, "value": Unknown(ask=ask)}
            if one is None
            else {
                "id": name,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "items": one.items,
            }
        )
        found.append(Coefficient.model_validate(told))
    return tuple(found)


# Labelling where nothing is remembered between two looks: a question is known by what it shows.

_desk_all__ = (
    "Desk",
    "Desks",
    "Overview",
    "Work",
    "add_rubric",
    "agreement_of",
    "open_desk",
    "overview",
)

LONGEST = 100_000
"""Characters of a right answer."""
_DESKS = 8  # kept at a time
_FILES = 5_000  # of a case that are looked at

Kind = Literal["answer", "rubric", "pairwise", "settle"]


@dataclass(frozen=True, slots=True)
class Work:
    """What somebody labels."""

    kind: Kind
    labeller: str = ""
    """Nobody in particular, for what is settled."""
    rubric: str = ""
    """Name of a kept rubric; empty for none."""
    scale: str = "yes-no"
    """For a rubric: what may be said."""
    arms: tuple[str, ...] = ()
    """Two for pairs; for a rubric those that are labelled, all where none is named."""
    seed: int = 0
    """For the order, and as the lab was given it."""
    max_tokens: int = MOST_TOKENS
    """As the lab was given it."""


class Desk:
    """What there is to label, by id.

    Args:
        session: The items in their order, and what was said of them.
        ids: Of the items, where they are known already.
    """

    def __init__(self, session: Session, ids: tuple[str, ...] | None = None) -> None:
        self._session = session
        self._ids = tuple(map(item_id, session.items)) if ids is None else ids
        self._places = {name: place for place, name in enumerate(self._ids)}

    def shared_with(self, labeller: str) -> Desk:
        """The same questions for somebody, with what they have said by now."""
        case, name = self._session.case, labeller_name(labeller)
        said = latest_labels(read_labels(case).get(name, ()))
        return Desk(replace(self._session, labeller=name, said=said), self._ids)

    @property
    def rubric(self) -> str:
        """The text that outputs are held against; empty for none."""
        return self._session.rubric

    @property
    def done(self) -> int:
        """Questions with a label."""
        return self._session.done

    @property
    def of(self) -> int:
        """Questions there are."""
        return len(self._ids)

    def place(self, name: str) -> int | None:
        """The place of a question, from 1; None for one that isn't there."""
        found = self._places.get(name)
        return None if found is None else found + 1

    def item(self, name: str) -> Item | None:
        """A question by its id; None for one that isn't there."""
        found = self._places.get(name)
        return None if found is None else self._session.items[found]

    def said(self, name: str) -> str:
        """What this labeller said of it, as of the outputs as they are shown; empty for nothing."""
        item = self.item(name)
        if item is None or not self._session.labelled(item):
            return ""
        return item.true_value(self._session.said[item.key].value)

    def notes(self, name: str) -> Sequence[str]:
        """What others said of it, for whoever settles it."""
        item = self.item(name)
        return () if item is None else self._session.notes.get(item.key, ())

    def open_after(self, name: str = "") -> str:
        """Id of the first question without a label behind another; empty where none is left."""
        start = self._places.get(name, -1) + 1
        items = self._session.items
        left = (p for p in range(start, len(items)) if not self._session.labelled(items[p]))
        return next((self._ids[place] for place in left), "")

    def before(self, name: str) -> str:
        """Id of the question before; empty for the first."""
        place = self._places.get(name, 0)
        return self._ids[place - 1] if place else ""

    def say(self, name: str, said: str) -> None:
        """Keep what was said of a question; the same once more keeps nothing.

        Args:
            name: Its id.
            said: One of its choices, or the right answer.

        Raises:
            ConflictError: If there is no such question any more; nothing is kept.
            InputError: If that can't be said of it, or can't be kept.
        """
        item = self.item(name)
        if item is None:
            what = "what that page showed has changed since, or is settled; nothing was kept"
            raise ConflictError(what, fix="go on with the next")
        told = said.strip() if not item.choices else said
        if item.choices and told not in item.choices:
            raise InputError(f'"{said[:40]}" can\'t be said of it', fix="choose one of the answers")
        if not told or len(told) > LONGEST:
            raise InputError("a right answer has some text, and not too much", where="answer")
        if self.said(name) != told:
            self._session.keep(item, told)


def item_id(item: Item) -> str:
    """What a question is known by: all it is about, and the texts as they are shown."""
    flipped = "flipped" if item.flipped else ""
    case = item.case.model_dump_json(exclude_defaults=True)
    return digest_of("item", *item.key, shown_digest(item), flipped, case)


def open_desk(source: str | Path, work: Work) -> Desk:
    """What there is to label of a case.

    Raises:
        InputError: If there is nothing, or something can't be read.
    """
    rubric = rubric_path(load_case(source), work.rubric) if work.rubric else None
    if work.kind == "settle":
        return Desk(
            begin_adjudicating(source, rubric=rubric, seed=work.seed, max_tokens=work.max_tokens)
        )
    if work.scale not in SCALES:
        raise InputError(f'"{work.scale[:40]}" is no scale', fix=" or ".join(SCALES))
    pair: tuple[str, str] | None = None
    if work.kind == "pairwise":
        if len(work.arms) != 2:
            raise InputError("a pair is two arms", where="arms", fix="choose two")
        pair = work.arms[0], work.arms[1]
    if work.kind == "rubric" and rubric is None:
        raise InputError("needs a rubric", where="rubric", fix="write one, or choose one")
    return Desk(
        begin(
            source,
            work.labeller,
            rubric=rubric if work.kind != "answer" else None,
            scale=work.scale,
            pairwise=pair,
            arms=work.arms if work.kind == "rubric" else (),
            seed=work.seed,
            max_tokens=work.max_tokens,
        )
    )


class Desks:
    """Desks of a server, kept as long as every file of their case is as it was.

    What somebody has said is read anew each time, and what is to be settled is never kept. Safe to
    use from several threads.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Path, Work], tuple[object, Desk]] = OrderedDict()
        self._lock = Lock()

    def open(self, source: str | Path, work: Work) -> Desk:
        """As ``open_desk``."""
        if work.kind == "settle":
            return open_desk(source, work)
        key = Path(source).resolve(), replace(work, labeller="")
        stamp = _stamp(key[0])
        with self._lock:
            kept = self._kept.get(key)
        if stamp is None or kept is None or kept[0] != stamp:
            desk = open_desk(source, work)
            with self._lock:
                self._kept[key] = (stamp, desk)
                self._kept.move_to_end(key)
                while len(self._kept) > _DESKS:
                    self._kept.popitem(last=False)
            return desk
        return kept[1].shared_with(work.labeller)


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...] | None:
    """Size and time of every file of a case but its labels; None for a folder with very many."""
    found: list[tuple[str, int, int]] = []
    for place, folders, files in os.walk(folder):
        if place == str(folder / FOLDER) and "labels" in folders:
            folders.remove("labels")
        if len(found) + len(files) > _FILES:
            return None
        for name in files:
            with suppress(OSError):
                told = os.stat(os.path.join(place, name))  # noqa: PTH116, PTH118  # a hot path
                found.append((f"{place}/{name}", told.st_size, told.st_mtime_ns))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Overview:
    """What could be labelled, and what was."""

    lacking: int
    """Cases without a right answer."""
    cases: int
    rubrics: dict[str, str]
    """Text by name."""
    arms: tuple[str, ...]
    """Arms whose outputs are there."""
    no_arms: InputError | None
    """Why there are none."""
    agreement: tuple[AgreementOf, ...]
    """How far labellers agree; () before there is a label."""


def overview(source: str | Path, *, seed: int = 0, max_tokens: int = MOST_TOKENS) -> Overview:
    """What there is to label of a case, and how far it has come.

    Args:
        source: The case.
        seed: As the lab was given it.
        max_tokens: As the lab was given it.

    Raises:
        InputError: If the case or its labels can't be read.
    """
    case = load_case(source)
    cases, rubrics = named_evalset(case) or (), read_rubrics(case)
    arms: tuple[str, ...] = ()
    why: InputError | None = None
    try:
        arms = tuple(sorted(arm_outputs(source, seed=seed, max_tokens=max_tokens).outputs))
    except InputError as caught:
        why = caught
    return Overview(
        lacking=sum(one.reference is None for one in cases),
        cases=len(cases),
        rubrics=rubrics,
        arms=arms,
        no_arms=why,
        agreement=agreement_so_far(source),
    )


def agreement_of(source: str | Path) -> tuple[tuple[AgreementOf, ...], dict[str, str]]:
    """How far labellers agree, () before there is a label; and what each rubric says, by digest.

    Raises:
        InputError: If the case or its labels can't be read.
    """
    rubrics = read_rubrics(load_case(source)).values()
    ways = ((), *((scale,) for scale in SCALES))
    return agreement_so_far(source), {digest_of(t, *way): t for t in rubrics for way in ways}


def add_rubric(source: str | Path, text: str) -> str:
    """Keep a rubric for the labellers of a case; its name.

    Raises:
        InputError: If it says nothing, or can't be kept.
    """
    return keep_rubric(load_case(source), text)

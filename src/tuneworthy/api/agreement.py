"""What labellers agree on, what has to be settled, and the answers that come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tuneworthy.api.answered import answered
from tuneworthy.api.lab import MOST_TOKENS
from tuneworthy.api.labelling import Item, Session, shown_digest
from tuneworthy.api.road import load_case
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.evalset import EvalCase
from tuneworthy.domain.labels import (
    PAIRS,
    SCALES,
    AgreementOf,
    Coefficient,
    Disagreement,
    ItemKey,
    Label,
    Task,
)
from tuneworthy.domain.record import Unknown
from tuneworthy.files.disk import MIB, read_text
from tuneworthy.files.evalcsv import csv_text, read_csv
from tuneworthy.files.evalset import evalset_text, named_evalset, write_evalset
from tuneworthy.files.labels import ADJUDICATED, latest_labels, read_labels
from tuneworthy.labs.drawn import shuffled
from tuneworthy.report.agreement import agreement_page
from tuneworthy.stats.intervals import wilson

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
    return agreement_page(found, folder=str(source), colour=colour)


def begin_adjudicating(
    source: str | Path, *, rubric: str | Path | None = None, seed: int = 0,
    max_tokens: int = MOST_TOKENS,
) -> Session:  # fmt: skip
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
        outputs = answered(source, seed=seed, max_tokens=max_tokens).outputs
    said = _said(case)
    shown = {(digest, label.key) for labels in said.values() for label in labels.values()
             for digest in [label.output]}  # fmt: skip
    items, notes = [], {}
    for one in sorted(differ, key=lambda each: list(cases).index(each.key[2])
                      if each.key[2] in cases else -1):  # fmt: skip
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
    group: tuple[Task, str] | tuple[str, ...], people: Said, settled: Mapping[ItemKey, Label],
    clusters: Mapping[str, str], seed: int,
) -> AgreementOf:  # fmt: skip
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
    return AgreementOf.model_validate({
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
    })  # fmt: skip


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
        told = {"id": name, "value": Unknown(ask=ask)} if one is None else {
            "id": name, "value": one.value, "low": one.low, "high": one.high, "items": one.items,
        }  # fmt: skip
        found.append(Coefficient.model_validate(told))
    return tuple(found)

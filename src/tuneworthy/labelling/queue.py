"""Labelling: the items and their order, the labels, and the agreement of labellers."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple, cast

from tuneworthy.errors import CaseError, ConflictError, InputError, argument
from tuneworthy.files import stores
from tuneworthy.files.cache import Cache, stamps
from tuneworthy.files.evalset import named_evalset, strict_json
from tuneworthy.files.materials import read_materials
from tuneworthy.lab.judge import SCALE, label_sample, rubric_text, shuffled
from tuneworthy.lab.prepare import (
    MOST_TOKENS,
    arm_outputs,
    evalset_of,
    outputs_of,
    prepare,
    with_searched,
)
from tuneworthy.labelling.failures import (
    causes_text,
    failure_items,
    kept_draw,
    proposals,
)
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
from tuneworthy.model.lab import CeilingPlan, JudgePlan, VerifyPlan
from tuneworthy.pipeline import load_case
from tuneworthy.report.sections.evalset import Item
from tuneworthy.stats.intervals import wilson
from tuneworthy.syntax.document import did_you_mean
from tuneworthy.text.json import Validator, validator
from tuneworthy.training.candidates import (
    LABEL,
    named_lines,
    own_answers,
    pair_items,
    read_candidates,
    review_items,
)

For = Literal["report", "choose", "verify"]
"""The outputs a lab needs: of the arms that a ceiling lab chose, on its held-out cases; of all its
arms, on the cases for selecting; or of both arms of a verification, on its held-out cases."""

Kind = Literal[
    "answer", "rubric", "pairwise", "settle", "training", "compare", "failure"
]
"""``training`` reviews candidates for training. ``compare`` compares labels with an arm's own
answers; only the arm is named. ``failure`` names the cause of each drawn failure."""

LONGEST = 100_000  #: Characters of a right answer.
_WHY = 200  # characters of a reason to reject


@dataclass(frozen=True, slots=True)
class LabelTask:
    """The labelling that somebody does: its kind, its labeller, and its outputs."""

    kind: Kind
    labeller: str = ""  #: Nobody in particular, for what is settled.
    rubric: str | Path = ""
    """The file of a rubric; for a server, the name of a kept one; empty for none."""
    scale: str = "yes-no"  #: For a rubric: which labels there are.
    arms: tuple[str, ...] = ()
    """For pairs, two arms; for a rubric, the arms to label, all where none is named."""
    seed: int = 0  #: For the order, and as the lab was given it.
    max_tokens: int = MOST_TOKENS  #: As the lab was given it.
    lab: For | None = None
    """The outputs that a lab with a grader needs, by its own plan. Then only the rubric counts of
    the other options."""


class ReferenceForm(NamedTuple):
    """The form that every right answer of an evaluation set needs."""

    is_json: bool = False
    valid: Validator | None = None  #: Whether a value fits the schema of the case.

    def problem(self, answer: str) -> str:
        """Why a text can't be a right answer; empty where it can."""
        if not self.is_json:
            return ""
        try:
            value = strict_json(answer)
        except (ValueError, RecursionError):
            return "is not JSON, which the others are"
        if self.valid is not None and not self.valid(value):
            return "doesn't fit data.output_schema"
        return ""


def answer_form(case: Case, cases: Sequence[EvalCase]) -> ReferenceForm:
    """The form of right answers: by the case's schema, or else the form that they have in common.

    Where every known right answer is an object or a list, the form is JSON. Where no right answer
    is known yet, the logged answers decide.
    """
    schema = read_materials(case).output_schema
    if schema is not None and schema.get("type") in ("object", "array"):
        valid, _ = validator(schema)
        return ReferenceForm(is_json=True, valid=valid)
    known = [entry.reference for entry in cases if entry.reference is not None]
    if not known:
        known = [entry.logged for entry in cases if entry.logged]
    return ReferenceForm(is_json=bool(known) and all(map(_is_container, known)))


def _is_container(answer: object) -> bool:
    """Whether an answer is an object or a list, as a value or as a text of JSON."""
    if isinstance(answer, str):
        try:
            answer = strict_json(answer)
        except (ValueError, RecursionError):
            return False
    return isinstance(answer, dict | list)


@dataclass
class LabelQueue:
    """The items to label, by id and in order; every label is kept as soon as it is given."""

    case: Case
    labeller: str
    items: dict[str, Item]
    """The items by id, in the order of showing. An id covers the item's subject and its shown
    texts."""
    rubric: str  #: The text to hold outputs against; empty for other tasks.
    labels: dict[ItemKey, Label]  #: The labels that this labeller has given so far.
    notes: Mapping[ItemKey, tuple[str, ...]] = field(default_factory=dict)
    """Labels by others, for the person who settles them."""
    form: ReferenceForm = field(default_factory=ReferenceForm)
    """The form that every right answer needs."""

    def shared_with(self, labeller: str) -> LabelQueue:
        """The same items for another labeller, with that labeller's labels so far."""
        name = stores.labeller_name(labeller)
        return replace(self, labeller=name, labels=_labels(self.case).get(name, {}))

    def is_labelled(self, item: Item) -> bool:
        label = self.labels.get(item.key)
        return label is not None and label.output == shown_digest(item)

    @property
    def done(self) -> int:
        return sum(map(self.is_labelled, self.items.values()))

    def place(self, name: str) -> int | None:
        """The place of an item, from 1; None where it isn't in the queue."""
        if name in self.items:
            return [*self.items].index(name) + 1
        return None

    def value_of(self, name: str) -> str:
        """This labeller's label for the outputs as they are shown; empty for none."""
        item = self.items.get(name)
        if item is None or not self.is_labelled(item):
            return ""
        return item.true_value(self.labels[item.key].value)

    def notes_on(self, name: str) -> Sequence[str]:
        """Labels of an item by others, for the person who settles them."""
        item = self.items.get(name)
        return () if item is None else self.notes.get(item.key, ())

    def open_after(self, name: str = "") -> str:
        """The id of the first item without a label after another one; empty where none is left."""
        left = [*self.items][self.place(name) or 0 :]
        return next((key for key in left if not self.is_labelled(self.items[key])), "")

    def before(self, name: str) -> str:
        """The id of the item before; empty for the first one."""
        place = self.place(name) or 1
        return [*self.items][place - 2] if place > 1 else ""

    def text_of(self, name: str) -> str:
        """This labeller's better answer, else the shown one."""
        item = self.items.get(name)
        label = None if item is None else self.labels.get(item.key)
        return (label.text if label and label.value == "edit" else "") or (
            item.outputs[0] if item else ""
        )

    def label(self, name: str, value: str, better: str = "") -> None:
        """Keep a label of an item if it is one of its choices. An unchanged label is kept once.

        ``better`` is the answer of an edit, or the reason for a rejection; with other labels it is
        dropped.
        """
        item = self.items.get(name)
        if item is None:
            what = "what that page showed has changed since, or is settled; nothing was kept"
            raise ConflictError(what, fix="go on with the next")
        text, more = self.checked(item, value, better)
        if self.value_of(name) != text or more:
            self.keep(item, text, more)

    def checked(self, item: Item, value: str, better: str = "") -> tuple[str, str]:
        """A label in its kept form, and the answer of an edit or the reason for a rejection.

        Raises:
            InputError: If it isn't a possible label of the item.
        """
        text = value if item.choices else value.strip()
        if item.choices and text not in item.choices:
            what = f'"{value[:40]}" can\'t be said of it'
            raise InputError(
                what, fix=f"choose one of these: {', '.join(item.choices)}"
            )
        if not text or len(text) > LONGEST:
            raise InputError(
                "a right answer has some text, and not too much", where="answer"
            )
        wrong = self.form.problem(text) if item.task == "answer" else ""
        if wrong:
            raise InputError(f"the answer {wrong}", fix="correct it; nothing was kept")
        if text == "reject":
            return text, better.strip()[:_WHY]
        if text != "edit":
            return text, ""
        if not better.strip() or len(better) > LONGEST or better == item.outputs[0]:
            raise InputError(
                "an edit changes the answer", fix="change it, or accept it"
            )
        return text, better

    def keep(self, item: Item, value: str, better: str = "") -> None:
        """Keep a label for the outputs as they are shown. It replaces an earlier label of the item."""
        _, rubric, case, arm, against = item.key
        label = Label(
            task=item.task,
            case=case,
            value=item.true_value(value),
            text=better,
            arm=arm,
            against=against,
            rubric=rubric,
            output=shown_digest(item),
        )
        stores.append_label(self.case, self.labeller, label)
        self.labels[label.key] = label


def _items_by_id(items: Iterable[Item]) -> dict[str, Item]:
    named = {}
    for item in items:
        flipped = "flipped" if item.flipped else ""
        case = item.case.model_dump_json(exclude_defaults=True)
        named[digest_of("item", *item.key, shown_digest(item), flipped, case)] = item
    return named


def shown_digest(item: Item) -> str:
    """The beginning of the SHA-256 of an item's outputs; empty without outputs."""
    return digest_of(*item.outputs) if item.outputs else ""


def open_queue(source: str | Path, task: LabelTask) -> LabelQueue:
    """The queue of items to label, starting where this labeller stopped.

    Cases come in an order drawn by the seed, the same for every labeller, so that the first ones
    are a random sample and two labellers meet; the arms of a case are shuffled and never named.
    """
    case = load_case(source)
    if task.kind == "settle":
        return _queue_to_settle(source, case, task)
    name = stores.labeller_name(task.labeller)
    text = ""
    form = ReferenceForm()
    notes: Mapping[ItemKey, tuple[str, ...]] = {}
    if task.lab is not None:
        items, text = _drawn_items(source, case, task.rubric, task.lab)
    elif task.kind == "training":
        items = review_items(read_candidates(case).found, named_lines(case))
    elif task.kind == "failure":
        draw = kept_draw(case)
        items = failure_items(case, draw)
        notes = proposals(draw, items)
        text = causes_text(case)
    elif task.kind == "compare":
        items = pair_items(own_answers(source, arm=task.arms[0] if task.arms else ""))
    elif task.kind == "answer":
        cases = evalset_of(case, source)
        lacking = [eval_case for eval_case in cases if eval_case.reference is None]
        form = answer_form(case, cases)
        if not lacking:
            fix = "label outputs with --rubric FILE or --pairwise ARM ARM"
            raise CaseError("every case has a right answer", where=str(source), fix=fix)
        items = [
            Item("answer", eval_case) for eval_case in shuffled(lacking, task.seed)
        ]
    else:
        items, text = _outputs_to_label(source, case, task)
    own = _labels(case).get(name, {})
    return LabelQueue(case, name, _items_by_id(items), text, own, notes, form)


def _outputs_to_label(
    source: str | Path, case: Case, task: LabelTask
) -> tuple[list[Item], str]:
    """The outputs to judge by a rubric or in pairs, in random order, with the rubric's text."""
    if task.scale not in SCALES:
        raise InputError(f'"{task.scale[:40]}" is not a scale', fix=" or ".join(SCALES))
    if task.kind == "pairwise" and len(task.arms) != 2:
        raise InputError("a pair is two arms", where="arms", fix="choose two")
    if task.kind == "rubric" and not task.rubric:
        raise InputError(
            "needs a rubric", where="rubric", fix="write one, or choose one"
        )
    outputs = arm_outputs(source, seed=task.seed, max_tokens=task.max_tokens)
    text = rubric_text(task.rubric) if task.rubric else ""
    cases = shuffled(named_evalset(case) or (), task.seed)
    if task.kind == "pairwise" and task.arms[0] == task.arms[1]:
        raise CaseError("names one arm twice", where="--pairwise", fix="name two")
    for name in task.arms:
        if name not in outputs:
            fix = did_you_mean(name, tuple(outputs))
            raise InputError(f'"{name[:80]}" answered nothing', where="ARM", fix=fix)
    arms = tuple(sorted(task.arms or outputs))
    if task.kind == "pairwise":
        items = _pair_items(
            cases, outputs, arms, digest_of(text) if text else "", task.seed
        )
    else:
        items = _rubric_items(cases, outputs, arms, digest_of(text, task.scale), task)
    if not items:
        fix = "run the lab on: tuneworthy ceiling"
        raise CaseError(
            "no case was answered by these arms", where=str(source), fix=fix
        )
    return items, text


Outputs = Mapping[str, Mapping[str, str]]  #: Output by arm, and by id of the case.


def _pair_items(
    cases: Iterable[EvalCase],
    outputs: Outputs,
    arms: tuple[str, ...],
    rubric: str,
    seed: int,
) -> list[Item]:
    """The outputs of two arms side by side, for each case that both answered.

    The seed draws which of them is shown first.
    """
    first, second = (outputs[arm] for arm in arms)
    items = []
    for case in cases:
        if case.id not in first or case.id not in second:
            continue
        item = Item(
            task="pairwise",
            case=case,
            arms=arms,
            outputs=(first[case.id], second[case.id]),
            choices=PAIRS,
            flipped=_chance(seed, case).random() < 0.5,
            rubric=rubric,
        )
        items.append(item)
    return items


def _rubric_items(
    cases: Iterable[EvalCase],
    outputs: Outputs,
    arms: tuple[str, ...],
    rubric: str,
    task: LabelTask,
) -> list[Item]:
    """Each output of some arms as an item, the arms of a case in an order drawn by the seed."""
    items = []
    for case in cases:
        for arm, output in _shuffle_arms(case, outputs, arms, task.seed):
            choices = SCALES[task.scale]
            items.append(
                Item("rubric", case, (arm,), (output,), choices, rubric=rubric)
            )
    return items


def _shuffle_arms(
    case: EvalCase, outputs: Outputs, arms: Sequence[str], seed: int
) -> list[tuple[str, str]]:
    """The arms with their outputs for a case, in an order drawn by the seed."""
    mixed = [arm for arm in arms if case.id in outputs.get(arm, {})]
    _chance(seed, case).shuffle(mixed)
    return [(arm, outputs[arm][case.id]) for arm in mixed]


def _chance(seed: int, case: EvalCase) -> random.Random:
    return random.Random(digest_of("arms", str(seed), case.id))  # noqa: S311  # an order is no secret


def _drawn_items(
    source: str | Path, case: Case, rubric: str | Path, lab: For
) -> tuple[list[Item], str]:
    """The outputs for which a lab with a grader needs labels, and the rubric's text.

    Cases come in an order that was drawn before any label. The arms of a case are shuffled, and an
    output that several of them wrote is shown once.
    """
    if not rubric:
        raise InputError(
            "needs the rubric", where="--for", fix="give --rubric FILE as well"
        )
    plan, chosen = _plan(case, source, lab)
    text = rubric_text(rubric)
    if digest_of(text, SCALE) != plan.rubric:
        fix = (
            f"give the one the lab was given, {plan.file}, or run the lab with this one"
        )
        raise CaseError("is another rubric than the lab's", where=str(rubric), fix=fix)
    ready = prepare(source, seed=plan.seed, max_tokens=plan.max_tokens, scored=False)
    if lab != "verify":
        ready = with_searched(ready)
    outputs = outputs_of(ready)
    arms = chosen or tuple(arm.id for arm in ready.plan.arms)
    cases = ready.plan.select if lab == "choose" else ready.plan.report
    items = []
    for eval_case in label_sample(cases, plan.labels, plan.seed):
        mixed = _shuffle_arms(eval_case, outputs, arms, plan.seed)
        own = {output: arm for arm, output in reversed(mixed)}
        items += [
            Item(
                "rubric",
                eval_case,
                (arm,),
                (output,),
                SCALES[SCALE],
                rubric=plan.rubric,
            )
            for output, arm in reversed(own.items())
        ]
    if not items:
        fix = f"run the lab on: tuneworthy {'verify' if lab == 'verify' else 'ceiling'} {source}"
        raise CaseError(
            "no drawn case was answered by these arms", where=str(source), fix=fix
        )
    return items, text


def _plan(
    case: Case, source: str | Path, lab: For
) -> tuple[JudgePlan, tuple[str, ...]]:
    """The plan for the grader, and the arms whose outputs people label; () for all arms.

    ``lab`` says what the labels are for: to ``choose`` an arm, for a ceiling lab's ``report``, or
    to ``verify`` a tuned model. To choose, the plan of either lab will do.
    """
    plan: CeilingPlan | VerifyPlan | None = None
    if lab != "verify":
        plan = stores.written_choice(case)
    if not plan and lab != "report":
        plan = stores.written_plan(case)
    if plan is None or plan.judge is None:
        name = "verify" if lab == "verify" else "ceiling"
        fix = f"run it first: tuneworthy {name} {source} --judge RUBRIC --judge-model MODEL"
        raise CaseError(
            "no lab with a judge has chosen its arms yet", where=str(source), fix=fix
        )
    if lab == "choose":
        return plan.judge, ()
    if isinstance(plan, CeilingPlan):
        own = (plan.before,) if plan.before else ()
        return plan.judge, tuple(dict.fromkeys((*plan.chosen, *own)))
    return plan.judge, (plan.tuned, plan.untuned)


#: The labels of each labeller that count.
LabelsByName = dict[str, dict[ItemKey, Label]]


def agreement(source: str | Path) -> tuple[AgreementOf, ...]:
    """The agreement of the labellers of a case, for each task and rubric."""
    groups = agreement_so_far(source)
    if not groups:
        fix = (
            f"label some: tuneworthy evalset export {argument(source)} --labeller NAME"
        )
        raise CaseError("has no labels yet", where=str(source), fix=fix)
    return groups


def agreement_so_far(source: str | Path) -> tuple[AgreementOf, ...]:
    """The same, but () where there are no labels yet."""
    case = load_case(source)
    labels = _labels(case)
    settled = labels.pop(stores.ADJUDICATED, {})
    groups = sorted({key.group for own in labels.values() for key in own})
    clusters = {item.id: item.cluster for item in named_evalset(case) or ()}
    return tuple(_agreement(group, labels, settled, clusters) for group in groups)


def _queue_to_settle(source: str | Path, case: Case, task: LabelTask) -> LabelQueue:
    """The queue of labels that differ and that nobody has settled; it hides who gave which."""
    cases = {
        entry.id: entry for entry in shuffled(named_evalset(case) or (), task.seed)
    }
    order = {name: place for place, name in enumerate(cases)}
    differ: list[Disagreement] = []
    for group in agreement(source):
        differ += [each for each in group.disagreements if each.settled is None]
    if not differ:
        fix = f"see them: tuneworthy evalset agreement {argument(source)}"
        raise CaseError("has nothing to settle", where=str(source), fix=fix)
    outputs: Outputs = {}
    keys = [dispute.key for dispute in differ]
    if any(key.task in ("rubric", "pairwise") and key.arm != LABEL for key in keys):
        outputs = arm_outputs(source, seed=task.seed, max_tokens=task.max_tokens)
    labels = _labels(case)
    labelled = {
        (label.output, label.key) for own in labels.values() for label in own.values()
    }
    items = []
    notes = {}
    differ.sort(key=lambda dispute: order.get(dispute.key.case, -1))
    # items of other queues, which have their texts themselves
    others: list[Item] = []
    if any(key.task == "training" for key in keys):
        others += review_items(read_candidates(case).found)
    if any(key.task == "failure" for key in keys):
        others += failure_items(case, kept_draw(case))
    by_key = {item.key: item for item in others}
    for dispute in differ:
        item = by_key.get(dispute.key) or _item(dispute, cases, outputs)
        if item is not None and (shown_digest(item), dispute.key) in labelled:
            items.append(item)
            values = {item.true_value(value) for _, value in dispute.said}
            notes[dispute.key] = tuple(sorted(values))
    if not items:
        fix = "put back the prompts and the set that were labelled"
        raise CaseError("the labelled items are gone", where=str(source), fix=fix)
    text = rubric_text(task.rubric) if task.rubric else ""
    own = labels.get(stores.ADJUDICATED, {})
    form = answer_form(case, tuple(cases.values()))
    return LabelQueue(
        case, stores.ADJUDICATED, _items_by_id(items), text, own, notes, form
    )


def _item(
    differ: Disagreement, cases: Mapping[str, EvalCase], outputs: Outputs
) -> Item | None:
    """The item on which people differ, to be settled; None where its case or outputs are gone."""
    task, rubric, case_id, first, second = differ.key
    case = cases.get(case_id)
    arms = tuple(filter(None, (first, second)))
    if case is None or any(case_id not in outputs.get(arm, {}) for arm in arms):
        return None
    values = {value for _, value in differ.said}
    choices: tuple[str, ...] | None = PAIRS if task == "pairwise" else ()
    if task == "rubric":
        choices = next((scale for scale in SCALES.values() if values <= {*scale}), None)
    texts = tuple(outputs[arm][case_id] for arm in arms)
    if choices is None:
        return None
    return Item(cast("Task", task), case, arms, texts, choices, rubric=rubric)


def labelled_cases(source: str | Path) -> tuple[EvalCase, ...]:
    """The evaluation set of a case, with right answers from labels.

    Where a case has no right answer, the settled label counts, else the one that all its labellers
    gave.
    """
    case = load_case(source)
    cases = evalset_of(case, source)
    labels = _labels(case)
    settled = _values_by_labeller([labels.pop(stores.ADJUDICATED, {})])
    answers = {case_id: values[0] for case_id, values in settled.items()}
    for case_id, values in _values_by_labeller(labels.values()).items():
        agree = len({_plain("answer", value) for value in values}) == 1
        if agree:
            answers.setdefault(case_id, values[0])
    labelled = []
    for each in cases:
        if each.reference is None and each.id in answers:
            labelled.append(each.model_copy(update={"reference": answers[each.id]}))
        else:
            labelled.append(each)
    return tuple(labelled)


def _values_by_labeller(labels: Iterable[dict[ItemKey, Label]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for label in (label for own in labels for label in own.values()):
        if label.task == "answer":
            values.setdefault(label.case, []).append(label.value)
    return values


def _label_text(label: Label) -> str:
    """The label as text; for an edit, the better answer."""
    return label.text if label.value == "edit" else label.value


def _plain(task: str, value: str) -> str:
    """A label in the form that is compared: case and blanks of an answer don't count."""
    if task == "answer":
        return " ".join(value.casefold().split())
    return value


def _labels(case: Case) -> LabelsByName:
    return {
        name: stores.latest_labels(labels)
        for name, labels in stores.read_labels(case).items()
    }


def _agreement(
    group: tuple[str, str],
    people: LabelsByName,
    settled: Mapping[ItemKey, Label],
    clusters: Mapping[str, str],
) -> AgreementOf:
    """How far people agree on one task, with the items on which they differ."""
    task, rubric = group
    names = [
        name
        for name in sorted(people)
        if any(key.group == group for key in people[name])
    ]
    keys = sorted({key for name in names for key in people[name] if key.group == group})
    table = []
    differ = []
    both = 0
    for key in keys:
        values = {
            name: _label_text(people[name][key])
            for name in names
            if key in people[name]
        }
        table.append(
            [_plain(task, values[name]) if name in values else None for name in names]
        )
        both += len(values) >= 2
        if len({_plain(task, value) for value in values.values()}) > 1:
            end = settled.get(key)
            settled_as = end.value if end else None
            pairs = tuple(values.items())
            differ.append(Disagreement(key=key, said=pairs, settled=settled_as))
    low, high = wilson(both - len(differ), both)
    return AgreementOf(
        task=cast("Task", task),
        rubric=rubric,
        labellers=tuple(names),
        labelled=len(keys),
        both=both,
        same=both - len(differ),
        low=low,
        high=high,
        coefficients=_coefficients(
            table, [clusters.get(key.case, key.case) for key in keys]
        ),
        disagreements=tuple(differ),
    )


def _coefficients(
    table: Sequence[Sequence[str | None]], clusters: Sequence[str]
) -> tuple[Coefficient, ...]:
    """Kappa and alpha of a table with a row for each item and a column for each labeller."""
    import numpy as np

    from tuneworthy.stats.agreement import cohen_kappa, fleiss_kappa, nominal_alpha

    if len(table[0]) < 2:
        return ()
    unknown = Unknown(ask="label more of the same items, with both labels in use")
    return tuple(
        of(table, clusters, np.random.default_rng(0))
        or Coefficient.model_validate({"id": of.__name__, "value": unknown})
        for of in (cohen_kappa if len(table[0]) == 2 else fleiss_kappa, nominal_alpha)
    )


_QUEUES = 8  # queues kept at a time
_FILES = 5_000  # files of a case that are looked at


class LabelQueues:
    """Queues of a server, kept as long as no file of their case changes.

    A labeller's labels are read each time, and a queue of items to settle is never kept. Rubrics
    are given by name. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._kept: Cache[LabelQueue] = Cache(_QUEUES)

    def open(self, source: str | Path, task: LabelTask) -> LabelQueue:
        """Open a queue as in ``open_queue``."""
        folder = Path(source).resolve()
        stamp = None
        if task.kind != "settle":
            stamp = stamps(
                folder, but=str(folder / stores.FOLDER / "labels"), most=_FILES
            )
        key = folder, replace(task, labeller="")
        kept = self._kept.find(key, stamp) if stamp else None
        if kept:
            return kept.shared_with(task.labeller)
        if task.rubric:
            task = replace(
                task, rubric=stores.rubric_path(load_case(source), str(task.rubric))
            )
        queue = open_queue(source, task)
        return self._kept.keep(key, stamp, queue) if stamp else queue


class Overview(NamedTuple):
    """The labelling that a case offers, and how much of it is done."""

    lacking: int  #: Cases without a right answer.
    cases: int
    rubrics: dict[str, str]  #: Text by name.
    arms: tuple[str, ...]  #: Arms whose outputs are there.
    no_arms: InputError | None  #: Why there are none.
    #: How far labellers agree; () before there is a label.
    agreement: tuple[AgreementOf, ...]
    candidates: bool  #: Whether it names files or logs to learn from.
    #: Whether it has a training set to hold against a model's own answers.
    compared: bool
    failures: int = 0  #: Failures that were drawn.


def overview(
    source: str | Path, *, seed: int = 0, max_tokens: int = MOST_TOKENS
) -> Overview:
    """Collect the labelling that a case offers, and how much of it is done.

    ``seed`` and ``max_tokens`` are those that the lab was given.
    """
    case = load_case(source)
    cases = named_evalset(case) or ()
    rubrics = stores.read_rubrics(case)
    lacking = sum(item.reference is None for item in cases)
    arms: tuple[str, ...] = ()
    why: InputError | None = None
    try:
        arms = tuple(sorted(arm_outputs(source, seed=seed, max_tokens=max_tokens)))
    except InputError as caught:
        why = caught
    named = case.data.training or case.data.traces
    has = bool(named or (case.data.examples and case.data.examples.path))
    own = (
        agreement_so_far(source),
        has,
        bool(arms) and stores.read_training(case) is not None,
    )
    draw = stores.written_draw(case)
    failures = 0 if draw is None else len(draw.drawn)
    return Overview(lacking, len(cases), rubrics, arms, why, *own, failures)


def agreement_and_rubrics(
    source: str | Path,
) -> tuple[tuple[AgreementOf, ...], dict[str, str]]:
    """The agreement of labellers, () before the first label; and each rubric's text, by digest."""
    rubrics = stores.read_rubrics(load_case(source)).values()
    ways = ((), *((scale,) for scale in SCALES))
    return agreement_so_far(source), {
        digest_of(t, *way): t for t in rubrics for way in ways
    }


def add_rubric(source: str | Path, text: str) -> str:
    """Keep a rubric for the labellers of a case, and return its name."""
    return stores.keep_rubric(load_case(source), text)

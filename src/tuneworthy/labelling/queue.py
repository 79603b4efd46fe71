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
    GroupKey,
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

Outputs = Mapping[str, Mapping[str, str]]  #: Output by arm, and by id of the case.
LONGEST = 100_000  #: Characters of a right answer.
_LONGEST_REASON = 200  # characters of a reason to reject an answer


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
    """Return the form of right answers: by the case's schema, else the form they have in common.

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
    all_json = all(_is_container(answer) for answer in known)
    return ReferenceForm(is_json=bool(known) and all_json)


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
            return list(self.items).index(name) + 1
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
        """The id of the first item without a label after ``name``; empty where none is left.

        Where ``name`` isn't in the queue, the search begins with the first item.
        """
        place = self.place(name) or 0
        for key in list(self.items)[place:]:
            if not self.is_labelled(self.items[key]):
                return key
        return ""

    def before(self, name: str) -> str:
        """The id of the item before ``name``; empty for the first item and an unknown one."""
        place = self.place(name)
        if place is None or place == 1:
            return ""
        # places count from 1, so the item before has the index place - 2
        return list(self.items)[place - 2]

    def text_of(self, name: str) -> str:
        """This labeller's edited answer, else the item's shown output; empty for an unknown item."""
        item = self.items.get(name)
        if item is None:
            return ""
        label = self.labels.get(item.key)
        if label is not None and label.value == "edit" and label.text:
            return label.text
        return item.outputs[0]

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
        # an edit or a reason may have changed although the label is the same
        if self.value_of(name) != text or more:
            self.keep(item, text, more)

    def checked(self, item: Item, value: str, better: str = "") -> tuple[str, str]:
        """Return a label as it is kept, and the answer of an edit or the reason for a rejection.

        Raises:
            InputError: If it isn't a possible label of the item.
        """
        text = self._checked_value(item, value)
        if text == "reject":
            return text, better.strip()[:_LONGEST_REASON]
        if text != "edit":
            return text, ""
        if not better.strip() or len(better) > LONGEST or better == item.outputs[0]:
            raise InputError(
                "an edit changes the answer", fix="change it, or accept it"
            )
        return text, better

    def _checked_value(self, item: Item, value: str) -> str:
        """Return a choice of the item unchanged, or a free text without the blanks around it."""
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
        return text

    def keep(self, item: Item, value: str, better: str = "") -> None:
        """Keep a label for the outputs as they are shown. It replaces an earlier label of the item."""
        key = item.key
        label = Label(
            task=item.task,
            case=key.case,
            value=item.true_value(value),
            text=better,
            arm=key.arm,
            against=key.against,
            rubric=key.rubric,
            output=shown_digest(item),
        )
        stores.append_label(self.case, self.labeller, label)
        self.labels[label.key] = label


def _items_by_id(items: Iterable[Item]) -> dict[str, Item]:
    """The items by an id that changes with anything a labeller sees of the item."""
    named = {}
    for item in items:
        flipped = "flipped" if item.flipped else ""
        case = item.case.model_dump_json(exclude_defaults=True)
        item_id = digest_of("item", *item.key, shown_digest(item), flipped, case)
        named[item_id] = item
    return named


def shown_digest(item: Item) -> str:
    """The beginning of the SHA-256 of an item's outputs; empty without outputs."""
    return digest_of(*item.outputs) if item.outputs else ""


def open_queue(source: str | Path, task: LabelTask) -> LabelQueue:
    """Open the queue of items to label, starting where this labeller stopped.

    Cases come in an order drawn by the seed, the same for every labeller, so that the first ones
    are a random sample and two labellers meet; the arms of a case are shuffled and never named.
    """
    case = load_case(source)
    if task.kind == "settle":
        return _queue_to_settle(source, case, task)
    labeller = stores.labeller_name(task.labeller)
    rubric = ""
    form = ReferenceForm()
    notes: Mapping[ItemKey, tuple[str, ...]] = {}
    if task.lab is not None:
        items, rubric = _drawn_items(source, case, task.rubric, task.lab)
    elif task.kind == "training":
        items = review_items(read_candidates(case).found, named_lines(case))
    elif task.kind == "failure":
        draw = kept_draw(case)
        items = failure_items(case, draw)
        notes = proposals(draw, items)
        rubric = causes_text(case)
    elif task.kind == "compare":
        items = pair_items(own_answers(source, arm=task.arms[0] if task.arms else ""))
    elif task.kind == "answer":
        cases = evalset_of(case, source)
        form = answer_form(case, cases)
        items = _answers_to_give(source, cases, task.seed)
    else:
        items, rubric = _outputs_to_label(source, case, task)
    return LabelQueue(
        case=case,
        labeller=labeller,
        items=_items_by_id(items),
        rubric=rubric,
        labels=_labels(case).get(labeller, {}),
        notes=notes,
        form=form,
    )


def _answers_to_give(
    source: str | Path, cases: Sequence[EvalCase], seed: int
) -> list[Item]:
    """An item for each case without a right answer; a CaseError where every case has one."""
    lacking = [eval_case for eval_case in cases if eval_case.reference is None]
    if not lacking:
        fix = "label outputs with --rubric FILE or --pairwise ARM ARM"
        raise CaseError("every case has a right answer", where=str(source), fix=fix)
    return [Item("answer", eval_case) for eval_case in shuffled(lacking, seed)]


def _outputs_to_label(
    source: str | Path, case: Case, task: LabelTask
) -> tuple[list[Item], str]:
    """Return the outputs to label by a rubric or in pairs, in random order, and the rubric's text."""
    outputs: Outputs = {}
    if task.scale in SCALES and (task.rubric or task.kind == "pairwise"):
        outputs = arm_outputs(source, seed=task.seed, max_tokens=task.max_tokens)
    _refuse_impossible(task, outputs)
    rubric = rubric_text(task.rubric) if task.rubric else ""
    arms = tuple(sorted(task.arms or outputs))
    items: list[Item] = []
    for each in shuffled(named_evalset(case) or (), task.seed):
        if task.kind == "pairwise":
            # a pair has no scale, so its labels belong to the rubric alone
            digest = digest_of(rubric) if rubric else ""
            items += _pair_item(each, outputs, arms, digest, task.seed)
            continue
        digest = digest_of(rubric, task.scale)
        for arm, output in _shuffle_arms(each, outputs, arms, task.seed):
            items.append(_rubric_item(each, arm, output, digest, task.scale))
    if not items:
        fix = "run the lab on: tuneworthy ceiling"
        raise CaseError(
            "no case was answered by these arms", where=str(source), fix=fix
        )
    return items, rubric


def _refuse_impossible(task: LabelTask, outputs: Outputs) -> None:
    """Raise an InputError for a task whose options don't fit together, or an arm without outputs."""
    if task.scale not in SCALES:
        raise InputError(f'"{task.scale[:40]}" is not a scale', fix=" or ".join(SCALES))
    if task.kind == "pairwise":
        if len(task.arms) != 2:
            raise InputError("a pair is two arms", where="arms", fix="choose two")
        if task.arms[0] == task.arms[1]:
            raise CaseError("names one arm twice", where="--pairwise", fix="name two")
    elif not task.rubric:
        fix = "write one, or choose one"
        raise InputError("needs a rubric", where="rubric", fix=fix)
    for arm in task.arms:
        if arm not in outputs:
            fix = did_you_mean(arm, tuple(outputs))
            raise InputError(f'"{arm[:80]}" answered nothing', where="ARM", fix=fix)


def _pair_item(
    case: EvalCase, outputs: Outputs, arms: tuple[str, ...], rubric: str, seed: int
) -> list[Item]:
    """The outputs of two arms for a case side by side; [] where one of them lacks.

    The seed draws which of them is shown first. ``rubric`` is the rubric's digest.
    """
    answers = tuple(outputs[arm][case.id] for arm in arms if case.id in outputs[arm])
    if len(answers) < len(arms):
        return []
    flipped = _chance(seed, case).random() < 0.5
    return [
        Item(
            task="pairwise",
            case=case,
            arms=arms,
            outputs=answers,
            choices=PAIRS,
            flipped=flipped,
            rubric=rubric,
        )
    ]


def _rubric_item(
    case: EvalCase, arm: str, output: str, rubric: str, scale: str
) -> Item:
    """An output to label; ``rubric`` is the digest of the rubric and its scale."""
    return Item(
        task="rubric",
        case=case,
        arms=(arm,),
        outputs=(output,),
        choices=SCALES[scale],
        rubric=rubric,
    )


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
    """Return the outputs for which a lab with a grader needs labels, and the rubric's text.

    Cases come in an order that was drawn before any label. The arms of a case are shuffled, and an
    output that several of them wrote is shown once.
    """
    if not rubric:
        raise InputError(
            "needs the rubric", where="--for", fix="give --rubric FILE as well"
        )
    plan, arms = _judged_arms(case, source, lab)
    text = rubric_text(rubric)
    if digest_of(text, SCALE) != plan.rubric:
        asked_with = f"the one the lab was asked_with, {plan.file}"
        fix = f"give {asked_with}, or run the lab with this one"
        raise CaseError("is another rubric than the lab's", where=str(rubric), fix=fix)
    ready = prepare(source, seed=plan.seed, max_tokens=plan.max_tokens, scored=False)
    if lab != "verify":  # a search may have added arms
        ready = with_searched(ready)
    outputs = outputs_of(ready)
    arms = arms or tuple(arm.id for arm in ready.plan.arms)
    # an arm is chosen on the cases for selecting, and judged on the held-out ones
    cases = ready.plan.select if lab == "choose" else ready.plan.report
    items: list[Item] = []
    for eval_case in label_sample(cases, plan.labels, plan.seed):
        arm_of: dict[str, str] = {}
        for arm, output in _shuffle_arms(eval_case, outputs, arms, plan.seed):
            arm_of.setdefault(output, arm)  # what several wrote is shown once
        for output, arm in arm_of.items():
            items.append(_rubric_item(eval_case, arm, output, plan.rubric, SCALE))
    if not items:
        fix = f"run the lab on: tuneworthy {_command_of(lab)} {source}"
        raise CaseError(
            "no drawn case was answered by these arms", where=str(source), fix=fix
        )
    return items, text


def _judged_arms(
    case: Case, source: str | Path, lab: For
) -> tuple[JudgePlan, tuple[str, ...]]:
    """A grader's plan, and the arms whose outputs people label for it; () for all arms.

    Raises:
        CaseError: If no lab with a grader has written its plan.
    """
    plan: CeilingPlan | VerifyPlan | None = None
    if lab != "verify":
        plan = stores.written_choice(case)
    if plan is None and lab != "report":  # to choose an arm, the plan of either will do
        plan = stores.written_plan(case)
    if plan is None or plan.judge is None:
        run = f"tuneworthy {_command_of(lab)} {source}"
        fix = f"run it first: {run} --judge RUBRIC --judge-model MODEL"
        what = "no lab with a judge has chosen its arms yet"
        raise CaseError(what, where=str(source), fix=fix)
    if lab == "choose":
        return plan.judge, ()
    if isinstance(plan, VerifyPlan):
        return plan.judge, (plan.tuned, plan.untuned)
    chosen = dict.fromkeys(plan.chosen)
    if plan.before:
        chosen.setdefault(plan.before)
    return plan.judge, tuple(chosen)


def _command_of(lab: For) -> str:
    """The command that runs the lab."""
    return "verify" if lab == "verify" else "ceiling"


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
    """Return the agreement of a case's labellers for each task and rubric; () without labels."""
    case = load_case(source)
    labels = _labels(case)
    # settled labels are decisions about the others, not one more labeller
    settled = labels.pop(stores.ADJUDICATED, {})
    groups: set[GroupKey] = set()
    for own in labels.values():
        groups.update(key.group for key in own)
    clusters = {item.id: item.cluster for item in named_evalset(case) or ()}
    return tuple(
        _agreement(group, labels, settled, clusters) for group in sorted(groups)
    )


def _queue_to_settle(source: str | Path, case: Case, task: LabelTask) -> LabelQueue:
    """The queue of labels that differ and that nobody has settled; it hides who gave which."""
    cases = {
        entry.id: entry for entry in shuffled(named_evalset(case) or (), task.seed)
    }
    disputes = _open_disputes(source, tuple(cases))
    keys = [dispute.key for dispute in disputes]
    outputs: Outputs = {}
    if any(key.task in ("rubric", "pairwise") and key.arm != LABEL for key in keys):
        outputs = arm_outputs(source, seed=task.seed, max_tokens=task.max_tokens)
    ready_items = _items_of_other_queues(case, keys)
    labels = _labels(case)
    labelled: set[tuple[str, ItemKey]] = set()
    for own in labels.values():
        labelled.update((label.output, label.key) for label in own.values())
    items = []
    notes = {}
    for dispute in disputes:
        key = dispute.key
        item = ready_items.get(key) or _disputed_item(dispute, cases, outputs)
        # labels of outputs that have changed since can't be settled any more
        if item is None or (shown_digest(item), key) not in labelled:
            continue
        items.append(item)
        values = {item.true_value(value) for _, value in dispute.said}
        notes[key] = tuple(sorted(values))
    if not items:
        fix = "put back the prompts and the set that were labelled"
        raise CaseError("the labelled items are gone", where=str(source), fix=fix)
    return LabelQueue(
        case=case,
        labeller=stores.ADJUDICATED,
        items=_items_by_id(items),
        rubric=rubric_text(task.rubric) if task.rubric else "",
        labels=labels.get(stores.ADJUDICATED, {}),
        notes=notes,
        form=answer_form(case, tuple(cases.values())),
    )


def _open_disputes(source: str | Path, case_ids: Sequence[str]) -> list[Disagreement]:
    """The disagreements that nobody has settled, in the order of the cases.

    Raises:
        CaseError: If there is none.
    """
    disputes: list[Disagreement] = []
    for group in agreement(source):
        disputes += [each for each in group.disagreements if each.settled is None]
    if not disputes:
        fix = f"see them: tuneworthy evalset agreement {argument(source)}"
        raise CaseError("has nothing to settle", where=str(source), fix=fix)
    place_of = {case_id: place for place, case_id in enumerate(case_ids)}
    # disputes about anything outside the evaluation set come first
    disputes.sort(key=lambda dispute: place_of.get(dispute.key.case, -1))
    return disputes


def _items_of_other_queues(case: Case, keys: Iterable[ItemKey]) -> dict[ItemKey, Item]:
    """The items whose cases aren't in the evaluation set: of training and of failures."""
    tasks = {key.task for key in keys}
    items: list[Item] = []
    if "training" in tasks:
        items += review_items(read_candidates(case).found)
    if "failure" in tasks:
        items += failure_items(case, kept_draw(case))
    return {item.key: item for item in items}


def _disputed_item(
    dispute: Disagreement, cases: Mapping[str, EvalCase], outputs: Outputs
) -> Item | None:
    """The item on which people differ, to be settled; None where its case or outputs are gone."""
    key = dispute.key
    case = cases.get(key.case)
    if case is None:
        return None
    arms = tuple(arm for arm in (key.arm, key.against) if arm)
    if any(case.id not in outputs.get(arm, {}) for arm in arms):
        return None
    choices: tuple[str, ...] = ()
    if key.task == "pairwise":
        choices = PAIRS
    elif key.task == "rubric":
        choices = _scale_with({value for _, value in dispute.said})
        if not choices:
            return None
    return Item(
        task=cast("Task", key.task),
        case=case,
        arms=arms,
        outputs=tuple(outputs[arm][case.id] for arm in arms),
        choices=choices,
        rubric=key.rubric,
    )


def _scale_with(values: set[str]) -> tuple[str, ...]:
    """The first scale that has all of these labels; () for none."""
    for scale in SCALES.values():
        if values <= set(scale):
            return scale
    return ()


def labelled_cases(source: str | Path) -> tuple[EvalCase, ...]:
    """Return the evaluation set of a case, with right answers from labels.

    Where a case has no right answer, the settled label counts, else the one that all its labellers
    gave.
    """
    case = load_case(source)
    answers = _answers_from_labels(_labels(case))
    labelled = []
    for each in evalset_of(case, source):
        if each.reference is None and each.id in answers:
            labelled.append(each.model_copy(update={"reference": answers[each.id]}))
        else:
            labelled.append(each)
    return tuple(labelled)


def _answers_from_labels(labels: LabelsByName) -> dict[str, str]:
    """The right answer by id of the case: the settled one, else the one of all its labellers."""
    settled = _answers_by_case([labels.pop(stores.ADJUDICATED, {})])
    answers = {case_id: values[0] for case_id, values in settled.items()}
    for case_id, values in _answers_by_case(labels.values()).items():
        different = {_compared_form("answer", value) for value in values}
        if case_id not in answers and len(different) == 1:
            answers[case_id] = values[0]
    return answers


def _answers_by_case(labels: Iterable[dict[ItemKey, Label]]) -> dict[str, list[str]]:
    """The right answers that people gave, by id of the case."""
    answers: dict[str, list[str]] = {}
    for own in labels:
        for label in own.values():
            if label.task == "answer":
                answers.setdefault(label.case, []).append(label.value)
    return answers


def _label_text(label: Label) -> str:
    """The label as text; for an edit, the better answer."""
    return label.text if label.value == "edit" else label.value


def _compared_form(task: str, value: str) -> str:
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
    group: GroupKey,
    labels: LabelsByName,
    settled: Mapping[ItemKey, Label],
    clusters: Mapping[str, str],
) -> AgreementOf:
    """How far people agree on one task, with the items on which they differ."""
    texts = _texts_by_item(group, labels)
    names = sorted({name for by_name in texts.values() for name in by_name})
    several = 0
    disputes = []
    # a row for each item and a column for each labeller; None where somebody gave no label
    table: list[list[str | None]] = []
    for key, by_name in texts.items():
        compared = {
            name: _compared_form(group.task, text) for name, text in by_name.items()
        }
        table.append([compared.get(name) for name in names])
        if len(compared) > 1:
            several += 1
        if len(set(compared.values())) > 1:
            end = settled.get(key)
            dispute = Disagreement(
                key=key,
                said=tuple(by_name.items()),
                settled=end.value if end else None,
            )
            disputes.append(dispute)
    same = several - len(disputes)
    low, high = wilson(same, several)
    # cases of one cluster aren't independent, which widens the intervals
    cluster_of_row = [clusters.get(key.case, key.case) for key in texts]
    return AgreementOf(
        task=cast("Task", group.task),
        rubric=group.rubric,
        labellers=tuple(names),
        labelled=len(texts),
        both=several,
        same=same,
        low=low,
        high=high,
        coefficients=_coefficients(table, cluster_of_row),
        disagreements=tuple(disputes),
    )


def _texts_by_item(
    group: GroupKey, labels: LabelsByName
) -> dict[ItemKey, dict[str, str]]:
    """The labels of one task as texts, by item and by labeller, both in the order of their names."""
    texts: dict[ItemKey, dict[str, str]] = {}
    for name in sorted(labels):
        for key, label in labels[name].items():
            if key.group == group:
                texts.setdefault(key, {})[name] = _label_text(label)
    return dict(sorted(texts.items()))


def _coefficients(
    table: Sequence[Sequence[str | None]], clusters: Sequence[str]
) -> tuple[Coefficient, ...]:
    """Kappa and alpha of a table with a row for each item and a column for each labeller.

    () for a single labeller. A coefficient that the labels don't determine is unknown.
    """
    import numpy as np

    from tuneworthy.stats.agreement import cohen_kappa, fleiss_kappa, nominal_alpha

    labellers = len(table[0])
    if labellers < 2:
        return ()
    # Cohen's kappa is defined for two labellers, Fleiss' for any number
    kappa = cohen_kappa if labellers == 2 else fleiss_kappa
    unknown = Unknown(ask="label more of the same items, with both labels in use")
    coefficients = []
    for compute in (kappa, nominal_alpha):
        coefficient = compute(table, clusters, np.random.default_rng(0))
        if coefficient is None:
            undefined = {"id": compute.__name__, "value": unknown}
            coefficient = Coefficient.model_validate(undefined)
        coefficients.append(coefficient)
    return tuple(coefficients)


_QUEUES = 8  # queues that are kept at a time; opening one may read a whole lab
# files of a case that are looked at; a queue of a larger folder isn't kept
_FILES = 5_000


class LabelQueues:
    """Queues of a server, kept as long as no file of their case changes.

    A labeller's labels are read each time, and a queue of items to settle is never kept. Rubrics
    are given by name. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._kept: Cache[LabelQueue] = Cache(_QUEUES)

    def open(self, source: str | Path, task: LabelTask) -> LabelQueue:
        """Return the kept queue of a task with this labeller's labels, else open and keep it."""
        folder = Path(source).resolve()
        stamp = None
        # labels decide what is left to settle, and their files aren't in the stamp
        if task.kind != "settle":
            labels_folder = str(folder / stores.FOLDER / "labels")
            stamp = stamps(folder, but=labels_folder, most=_FILES)
        # None for too many files; empty where the source is a file, whose changes aren't seen
        if not stamp:
            return self._open_anew(source, task)
        # the same items for every labeller
        key = folder, replace(task, labeller="")
        kept = self._kept.find(key, stamp)
        if kept is not None:
            return kept.shared_with(task.labeller)
        return self._kept.keep(key, stamp, self._open_anew(source, task))

    def _open_anew(self, source: str | Path, task: LabelTask) -> LabelQueue:
        """Open a queue whose rubric, if it has one, is named by its file in the case folder."""
        if task.rubric:
            path = stores.rubric_path(load_case(source), str(task.rubric))
            task = replace(task, rubric=path)
        return open_queue(source, task)


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
    lacking = [each for each in cases if each.reference is None]
    arms: tuple[str, ...] = ()
    no_arms: InputError | None = None
    try:
        arms = tuple(sorted(arm_outputs(source, seed=seed, max_tokens=max_tokens)))
    except InputError as caught:
        no_arms = caught
    draw = stores.written_draw(case)
    return Overview(
        lacking=len(lacking),
        cases=len(cases),
        rubrics=stores.read_rubrics(case),
        arms=arms,
        no_arms=no_arms,
        agreement=agreement_so_far(source),
        candidates=_names_candidates(case),
        compared=bool(arms) and stores.read_training(case) is not None,
        failures=0 if draw is None else len(draw.drawn),
    )


def _names_candidates(case: Case) -> bool:
    """Whether a case names files or logs to learn from."""
    data = case.data
    if data.training or data.traces:
        return True
    return data.examples is not None and bool(data.examples.path)


def agreement_and_rubrics(
    source: str | Path,
) -> tuple[tuple[AgreementOf, ...], dict[str, str]]:
    """Return the agreement of labellers, () before the first label; and rubrics' texts, by digest.

    A label names its rubric by the digest of the rubric with its scale, or of the rubric alone
    for pairs, so each text stands under all of these.
    """
    texts = {}
    for text in stores.read_rubrics(load_case(source)).values():
        texts[digest_of(text)] = text
        for scale in SCALES:
            texts[digest_of(text, scale)] = text
    return agreement_so_far(source), texts


def add_rubric(source: str | Path, text: str) -> str:
    """Keep a rubric for the labellers of a case, and return its name."""
    return stores.keep_rubric(load_case(source), text)

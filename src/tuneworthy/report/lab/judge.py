"""A judge in words: who it is, how far people agree with it, and what they still have to label."""

from __future__ import annotations

import shlex

from tuneworthy.domain.judging import JudgedArm, JudgeOf, JudgePlan
from tuneworthy.domain.record import Unknown
from tuneworthy.report.layout import Paint, safe, wrapped
from tuneworthy.report.words import count, quality, several

ALONE = "by the judge's word alone"


def judge_text(plan: JudgePlan, own: int) -> str:
    """Who judges, and whether it judges its own work."""
    said = f"{safe(plan.model)} by {safe(plan.file)}; its word alone reports nothing"
    if own:
        said += f". It wrote the outputs of {several(own, 'arm')} itself, and may favour them"
    return said


def judge_block(judge: JudgeOf | None, paint: Paint) -> list[str]:
    """The judge held against people, arm by arm; nothing where rules scored."""
    if judge is None:
        return []
    lines = [paint("strong", "The judge against people")]
    for one in judge.arms:
        if one.part == "report" or one.labels:
            lines += wrapped(judged_text(one), first="  ", rest="    ")
    if judge.own:
        said = f"It wrote the outputs of {several(len(judge.own), 'arm')} itself."
        lines += wrapped(said, first="  ", rest="    ")
    return lines


def judged_text(one: JudgedArm) -> str:
    """An arm: what the judge says alone, by how much it is off, and how far people agree."""
    word = "not run" if isinstance(one.judge, Unknown) else quality(one.judge)
    part = "" if one.part == "report" else ", on the cases for selecting"
    said = f"{safe(one.arm)}{part}: {word} {ALONE}; "
    if isinstance(one.bias, Unknown):
        return f"{said}none of {count(one.missing)} outputs is labelled"
    bias = f"{one.bias.value:+.2f} ({one.bias.low:+.2f} to {one.bias.high:+.2f})"
    said += f"that is {bias} off on {count(one.labels)} labelled outputs, "
    kappa = one.kappa
    if isinstance(kappa.value, Unknown):
        said += "kappa unknown"
    elif kappa.low is None or kappa.high is None:
        said += f"kappa {kappa.value:.2f}"
    else:
        said += f"kappa {kappa.value:.2f} ({kappa.low:.2f} to {kappa.high:.2f})"
    return said + (f"; {count(one.missing)} to label" if one.missing else "")


def chosen_text(judge: JudgeOf) -> str:
    """Whose word chose the arms."""
    if judge.chosen_by == "people":
        return "by people's labels on the cases for selecting"
    return f"{ALONE}: it may have chosen badly; labels with --for choose would tell"


UNUSABLE = "nothing the judge said could be used: try another --judge-model"
"""Where every answer of the judge is unreadable, refused or in doubt."""


def open_text(judge: JudgeOf | None, best: str) -> str:
    """What keeps a judged lab from an answer; empty where nothing does.

    Args:
        judge: The judge of the lab.
        best: The arm that was chosen; empty for none.
    """
    if judge is None:
        return ""
    if not best:
        return f"unknown: {UNUSABLE}"
    if missing := judge.missing("report"):
        return f"unknown: people have to label {several(missing, 'output')} more"
    if missing := judge.missing("select"):
        return (
            f"unknown: of the arms that weren't chosen only the judge has spoken; "
            f"{several(missing, 'output')} to label would bound them"
        )
    return ""


def label_command(
    judge: JudgeOf, folder: str, rubric: str, *, lab: str, choose: bool = True
) -> str:
    """The command that labels what is missing; empty where nothing is.

    Args:
        judge: The judge of the lab.
        folder: How the user named the case.
        rubric: How the user named the rubric's file.
        lab: ``report`` or ``verify``.
        choose: Whether labels of every arm on the cases for selecting would tell more.
    """
    what = lab if judge.missing("report") else "choose"
    missing = judge.missing("report") or (judge.missing("select") if choose else 0)
    if not missing:
        return ""
    file = safe(shlex.quote(rubric or judge.plan.file))
    command = f"tuneworthy evalset label {folder} --rubric {file} --for {what}"
    again = "then run this again: nothing is paid twice"
    return f"label {several(missing, 'output')}, not knowing whose: {command}, {again}"

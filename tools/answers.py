"""Pages about what a framework asks and about what challenges the answers."""

from __future__ import annotations

from functools import cached_property

from layout import bullet, page, paragraph
from rules import Rule

from tuneworthy import Framework
from tuneworthy.model.framework import Criterion
from tuneworthy.report.sections.record import named_subjects
from tuneworthy.verdict.challenges import ALL, ROOMS, in_room
from tuneworthy.words import few, number

_QUESTIONS = """
Every question of the lesson, by its id in the case file. Each takes yes, no or unknown, or a
mapping with a note and more. Another framework brings its own questions.
"""
_CHECKS = """
All of them have to be yes before the ceiling counts as reached; one no is enough for *keep
optimizing prompts*. The minutes are what it takes to answer, not to do. Challenges that read all
of them: {shown}.
"""
_SIGNALS = """
They explain why prompting may have come to its limit. The checks alone decide whether it has: a
sign moves no outcome and no score. Two of them are read by challenges.
"""
_FACTORS = """
The tree, the score and the difference count them. What isn't answered is unknown. Challenges that
read all of them: {shown}.
"""
_REFERENCE = """
All {many}, by what they are about. What the severities mean, and what to do about one:
[evidence and contradictions](../concepts/evidence.md#contradictions). Thresholds are those of the
lesson; another framework brings its own.
"""
_INFERRED = {
    "low_volume": """
        Where nothing is answered, or `unknown`, and `economics.traffic.requests_per_month` is
        stated: yes when even its high end is below {low_volume} requests a month, no when its low
        end is not, unknown when the range goes across. Growth doesn't count here: for that, answer
        `{{value: no, now: yes, by_month: 6}}`.
    """,
    "insufficient_data": """
        Where nothing is answered, or `unknown`, and `data.examples` is stated: its `usable` (else
        its `count`) is held against the least that the approach of the case's own goal takes, the
        first goal that learns from examples; where no such goal is named, against {few_examples}
        examples. Fewer is a yes.
    """,
}
_ELSEWHERE = {
    "success_with_prompts": """
        Where no target is stated, a yes says that nothing is missed. Stated targets are held
        against [what runs](../concepts/answer.md) themselves.
    """,
    "data_sovereignty": """
        A yes makes privacy a target of every [way](../concepts/answer.md): one that sends data out
        isn't admissible, and no first step sends them out.
    """,
}


class Answers:
    """What stands where: challenges by the answers they read."""

    def __init__(self, framework: Framework) -> None:
        self.framework = framework

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """Every challenge by its id."""
        return {each.id: Rule(each, self.framework) for each in ALL}

    def pages(self) -> dict[str, str]:
        """The page of questions and the page of challenges by their path."""
        return {
            "docs/reference/questions.md": page(self._questions()),
            "docs/reference/challenges.md": page(self._reference()),
        }

    def _questions(self) -> list[str]:
        asked = self.framework
        every = [
            rule for rule in self.rules.values() if set(asked.ceiling) <= rule.reads
        ]
        shown = ", ".join(_link(rule) for rule in every)
        lines = ["# The questions", "", *paragraph(_QUESTIONS)]
        lines += [
            "## Checks of the ceiling test",
            "",
            *paragraph(_CHECKS.format(shown=shown)),
        ]
        for name, check in asked.ceiling.items():
            lines += [*self._about(name), *self._beside(name, check, every), ""]
        lines += ["## Signs of a ceiling", "", *paragraph(_SIGNALS)]
        for name, sign in asked.signals.items():
            lines += [*self._about(name), *self._beside(name, sign, every), ""]
        of_all = [
            rule for rule in self.rules.values() if set(asked.factors) <= rule.reads
        ]
        shown = ", ".join(_link(rule) for rule in of_all)
        lines += ["## Reasons for tuning", "", *paragraph(_FACTORS.format(shown=shown))]
        for name, reason in asked.indicators.items():
            lines += self._factor(name, reason, of_all)
        lines += [
            "## Reasons against tuning",
            "",
            *paragraph(_FACTORS.format(shown=shown)),
        ]
        for name, reason in asked.anti_indicators.items():
            lines += self._factor(name, reason, of_all)
        return lines

    def _beside(self, name: str, asked: Criterion, skipped: list[Rule]) -> list[str]:
        """What a question has beyond the words of its explanation."""
        lines: list[str] = []
        if at_least := getattr(asked, "at_least", None):
            lines += bullet(f"**May be a count**: {few(at_least)} or more is a yes.")
        reading = [rule for rule in self.rules.values() if name in rule.reads]
        links = ", ".join(_link(rule) for rule in reading if rule not in skipped)
        if links:
            lines += bullet(f"**May be challenged by** {links}")
        return lines

    def _factor(self, name: str, asked: Criterion, skipped: list[Rule]) -> list[str]:
        lines = [*self._about(name), *self._beside(name, asked, skipped), ""]
        limits = {
            key: number_of(entry.value)
            for key, entry in self.framework.thresholds.items()
        }
        if name in _INFERRED:
            lines += paragraph(_INFERRED[name].format(**limits))
            lines += paragraph(
                "An answer found that way is `assumed`, marked `*` in the terminal."
            )
        if name in _ELSEWHERE:
            lines += paragraph(_ELSEWHERE[name])
        return lines

    def _about(self, name: str) -> list[str]:
        """What ``tuneworthy framework show`` says of an answer, as Markdown."""
        room = next(
            r
            for r in ("ceiling", "signals", "factors")
            if name in getattr(self.framework, r)
        )
        [(_, told)] = named_subjects(self.framework, f"{room}.{name}")
        title = told.title
        lines = [f"### {name}", ""]
        lines += paragraph(f"{title[:1].upper()}{title[1:]}, {told.kind}.")
        for label, text in told.rows:
            if text:
                lines += bullet(f"**{label}**: {text}")
        return lines

    def _reference(self) -> list[str]:
        lines = [
            "# Challenges",
            "",
            *paragraph(_REFERENCE.format(many=len(self.rules))),
        ]
        for title, room in ROOMS.items():
            lines += [f"## {title}", ""]
            for each in in_room(room):
                lines += self._challenge(self.rules[each.id])
        return lines

    def _challenge(self, rule: Rule) -> list[str]:
        paths = ", ".join(f"`{path}`" for path in rule.compares())
        lines = [f"### {rule.id}", "", *paragraph(f"A {rule.severity}. {rule.says}")]
        lines += bullet(f"Compares: {paths}")
        for name in rule.thresholds:
            entry = self.framework.thresholds[name]
            value = number_of(entry.value)
            lines += bullet(f"Threshold `{name}`: {value} {entry.unit}; {entry.says}")
        return [*lines, ""]


def _link(rule: Rule) -> str:
    return f"[`{rule.id}`](challenges.md#{rule.id})"


def number_of(value: float) -> str:
    """A threshold as people write it, with a comma between thousands."""
    return f"{value:,.0f}" if value >= 1000 else number(value)

"""Words for claims about data."""

from __future__ import annotations

from tuneworthy.report.challenges.registry import Numbers, says
from tuneworthy.report.words import count, plain


@says
def _examples_against_answer(n: Numbers) -> tuple[str, str]:
    goal = f" for {plain(n['goal'])}" if n["goal"] else ""
    said = (
        "too few examples are said to be available"
        if n["answer"] == "yes"
        else "enough examples are said to be available"
    )
    return (
        (
            f"{said[:1].upper()}{said[1:]}, and {count(n['have'])} are stated; {count(n['limit'])} "
            f"are needed{goal}."
        ),
        "Count the examples that are good enough to learn from (data.examples.usable)",
    )


@says
def _example_rules_differ(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"Two published rules disagree about {count(n['have'])} examples: under "
            f"{count(n['general'])} is "
            f"insufficient in general, and {plain(n['goal'])} needs {count(n['own'])}."
        ),
        "The need of the case's own approach counts here; a learning curve in a pilot would tell",
    )


@says
def _brand_voice_without_samples(_: Numbers) -> tuple[str, str]:
    return (
        "A voice is wanted, and no samples of it are named.",
        "Collect texts that sound right (data.voice), and list what the brand never says",
    )


@says
def _safety_goal_with_few_pairs(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"Safety is a goal, and {count(n['have'])} preference pairs are there; tuning for it "
            f"takes {count(n['need'])} or more."
        ),
        "Collect pairs, or guard the input and output instead",
    )


@says
def _pretraining_with_few_documents(n: Numbers) -> tuple[str, str]:
    return (
        (
            f"Deep domain expertise is a goal, and {count(n['have'])} documents are there; "
            "continued "
            f"pretraining takes {count(n['need'])} or more."
        ),
        "Retrieve from the documents, or tune on questions and answers about them",
    )


@says
def _data_missing(_: Numbers) -> tuple[str, str]:
    return (
        "The case names data that isn't beside it.",
        "Put the files there or correct the paths",
    )

"""What a lab writes down beside its ledger: its plan, before it looks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError, InputError, OutputError
from tuneworthy.domain.lab import CeilingPlan, VerifyPlan
from tuneworthy.domain.prompts import PromptVariant
from tuneworthy.files.case import beside
from tuneworthy.files.disk import MIB, read_text, write_new
from tuneworthy.files.evidence import FOLDER
from tuneworthy.files.prompts import prompt_text

VERIFY_PLAN = "verify-plan.json"
CEILING_PLAN = "ceiling-plan.json"
PROPOSED = "proposed"
"""Folder of the prompts that a generator proposed."""


def plan_path(case: Case, name: str = VERIFY_PLAN) -> Path:
    """Where a plan lies: that of a verification, or of another lab by its name.

    Raises:
        CaseError: If a link leads out of the case folder.
        OutputError: If the case has no folder.
    """
    path = beside(case, FOLDER, f"{FOLDER}/{name}")
    if path is None:
        raise OutputError("has no folder", where=case.name, fix="keep the case in a folder")
    return path


def write_choice(case: Case, plan: CeilingPlan) -> None:
    """Write down which arms will meet the untouched cases, before they do.

    The same choice for the same cases stays as it was first written down.

    Raises:
        CaseError: If a link leads out of the case folder.
        OutputError: If it can't be written.
    """
    path = plan_path(case, CEILING_PLAN)
    with suppress(InputError, ValueError, RecursionError):
        before = CeilingPlan.model_validate_json(read_text(path, MIB, CaseError))
        if before.model_copy(update={"written_on": plan.written_on}) == plan:
            return
    write_new(path, plan.model_dump_json(indent=2) + "\n", force=True)


def write_prompts(case: Case, prompts: Iterable[PromptVariant]) -> None:
    """Keep proposed prompts where the team can take them from; its own prompts stay as they are.

    Raises:
        CaseError: If a link leads out of the case folder.
        OutputError: If one can't be written.
    """
    for one in prompts:
        write_new(plan_path(case, f"{PROPOSED}/{one.name}.md"), prompt_text(one), force=True)


def written_choice(case: Case) -> CeilingPlan | None:
    """The choice that a ceiling lab wrote down; None where there is none yet.

    Raises:
        CaseError: If it isn't one.
    """
    path = plan_path(case, CEILING_PLAN)
    if not os.path.lexists(path):
        return None
    try:
        return CeilingPlan.model_validate_json(read_text(path, MIB, CaseError))
    except (ValidationError, ValueError, RecursionError):
        fix = "move it away and run the lab again"
        raise CaseError("is no choice of a lab", where=str(path), fix=fix) from None


def written_plan(case: Case) -> VerifyPlan | None:
    """The plan that was written down; None where there is none yet.

    Raises:
        CaseError: If it isn't one.
    """
    path = plan_path(case)
    if not os.path.lexists(path):
        return None
    try:
        return VerifyPlan.model_validate_json(read_text(path, MIB, CaseError))
    except (ValidationError, ValueError, RecursionError):
        fix = "move it away and verify again"
        raise CaseError("is no plan of a verification", where=str(path), fix=fix) from None


def write_plan(case: Case, plan: VerifyPlan, *, again: bool = False) -> VerifyPlan:
    """Write a plan down, or take the one that is there.

    Args:
        case: The case.
        plan: What would be done now.
        again: Put it in the place of one that was written for something else.

    Returns:
        The plan that counts: of two for the same comparison the one written first.

    Raises:
        CaseError: If another plan was written down before, and ``again`` isn't given.
    """
    before = written_plan(case)
    if before is not None and _same(before, plan):
        return before
    if before is not None and not again:
        fix = "use --new-plan to compare something else; what was seen can't be unseen"
        raise CaseError(
            "holds a plan with another margin, other models or other cases",
            where=str(plan_path(case)), fix=fix,
        )  # fmt: skip
    write_new(plan_path(case), plan.model_dump_json(indent=2) + "\n", force=again)
    return plan


def _same(one: VerifyPlan, other: VerifyPlan) -> bool:
    return (one.inputs, one.margin) == (other.inputs, other.margin)

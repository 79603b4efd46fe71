"""How well a go's untuned prompts were searched, and the price of a search that would settle it."""

from __future__ import annotations

from tuneworthy.errors import InputError
from tuneworthy.lab.ceiling import with_search
from tuneworthy.lab.prepare import PreparedLab
from tuneworthy.lab.quote import price
from tuneworthy.llm.ledger import Ledger
from tuneworthy.model.ways import CeilingGrade
from tuneworthy.words import small_usd

_GRADES: dict[str, str] = {
    "claimed": "The ceiling of prompts is claimed",
    "tried": "Prompts were tried",
    "": "Prompts were tried",
}


def say_unsearched(
    lab: PreparedLab, grade: CeilingGrade | str, ledger: Ledger | None
) -> str:
    """Say that nobody searched for the best prompt, and the price of a search; empty after one."""
    if grade == "searched":
        return ""
    says = f"{_GRADES[grade]}, not searched. Search them before you roll out"
    command = "tuneworthy ceiling CASE --dry-run"
    try:
        searching = with_search(lab)
        if searching.request is None:
            return f"{says}: {command}. Its price is unknown: {searching.unsearched}"
        most = price(searching, ledger).usd_most
    except InputError as caught:
        return f"{says}: {command}. Its price is unknown: {caught}"
    return f"{says} (at most {small_usd(most)}): {command}"

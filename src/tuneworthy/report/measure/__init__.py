"""What was measured, as one page for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from tuneworthy.domain.canonical import json_text
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.record import Unknown
from tuneworthy.report.evidence.rows import evidence_rows, measured_name
from tuneworthy.report.layout import Paint, row, safe, table, wrapped
from tuneworthy.report.measure.examples import examples_text
from tuneworthy.report.measure.found import Found
from tuneworthy.report.measure.quick import opening, quick_rows
from tuneworthy.report.verdicts import OUTCOME_WORDS
from tuneworthy.report.words import counted, few, several

__all__ = ["Found", "measure_dict", "measure_page", "quick_page"]


def measure_dict(found: Found) -> str:
    """The run as JSON: what was read, the evidence as the dossier has it, and the pictures."""
    told = found.measured.model_dump(mode="json", by_alias=True)
    whole = found.dossier.to_dict()
    evidence, verdict = whole["evidence"], whole["verdict"]["outcome"]
    parts = {"readings": told["readings"], "evidence": evidence, "series": told["series"]}
    head = {"schema": told["schema"], "inputs": told["inputs"], "added": found.added}
    return json_text({**head, "case": whole["case"], "outcome": verdict, **parts})


def measure_page(found: Found, *, examples: bool = False, colour: bool = False) -> str:
    """What was read, what it showed, what couldn't be measured, and what it did to the verdict."""
    paint = Paint(colour)
    blocks = [
        _read(found),
        _known(found, paint),
        examples_text(found, paint) if examples else [],
        _unknown(found, paint),
        _moved(found, paint),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def quick_page(found: Found, *, examples: bool = False, colour: bool = False) -> str:
    """The five-minute page: what results alone say about prompts, the bill and the ceiling."""
    paint, folder = Paint(colour), safe(found.folder)
    more = f"tuneworthy decide {folder} --format markdown lists every measurement"
    blocks = [
        [*wrapped(opening(found)), *_left_out(found), *wrapped(f"Wrote {folder}/")],
        [line for label, text in quick_rows(found) for line in row(label, text, label_width=14)],
        examples_text(found, paint) if examples else [],
        [*wrapped(f"tuneworthy decide {folder}", first="Next: "), *wrapped(more, first="More: ")],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _read(found: Found) -> list[str]:
    lines: list[str] = []
    for one in found.measured.readings:
        traces = counted(one.traces, "trace")
        lines += wrapped(safe(f"Read {traces} of {one.name} ({one.format})"))
    lines += _left_out(found)
    if not found.added:
        lines += wrapped("The same was measured before: nothing is added to the ledger.")
    return lines


def _left_out(found: Found) -> list[str]:
    """What was skipped, how often, why, and where."""
    lines: list[str] = []
    for one in found.measured.readings:
        for skipped in one.skipped:
            places = f": {', '.join(skipped.where[:3])}" if skipped.where else ""
            more = ", …" if skipped.n > len(skipped.where[:3]) and skipped.where else ""
            records = counted(skipped.n, "record")
            said = f"{records} {skipped.predicate}" if skipped.in_part else (
                f"left out {records}, {skipped.predicate}"
            )  # fmt: skip
            said += f"{places}{more}"
            lines += wrapped(safe(said), first="  ", rest="    ")
    return lines


def _known(found: Found, paint: Paint) -> list[str]:
    """Every known measurement with its interval, and what it says."""
    told = found.dossier.evidence
    if isinstance(told, Unknown):
        return []
    ids = {one.id for one in found.measured.evidence if one.known}
    rows = evidence_rows(found.dossier, [one for one in told if one.id in ids])
    cells = [(safe(one.title), safe(one.value), safe(one.bears)) for one in rows]
    return [paint("strong", "Measured, with 95% intervals"), *table(cells)] if cells else []


def _unknown(found: Found, paint: Paint) -> list[str]:
    """What couldn't be measured, by what would make it known."""
    asks: dict[str, list[str]] = {}
    for one in found.measured.evidence:
        if isinstance(one.value, Unknown):
            asks.setdefault(one.value.ask, []).append(measured_name(one.id))
    if not asks:
        return []
    lines = [paint("strong", "Not measured, and what would be needed")]
    for ask, names in asks.items():
        lines += wrapped(safe(f"{', '.join(names)}: {ask}"), first="  ", rest="      ")
    return lines


def _moved(found: Found, paint: Paint) -> list[str]:
    """What the evidence did to the verdict."""
    after, before = found.dossier, found.before
    if before is None:
        return []
    lines = [paint("strong", "The verdict")]
    was, now = OUTCOME_WORDS[before.verdict.outcome], OUTCOME_WORDS[after.verdict.outcome]
    lines += wrapped(f"{now}, as before" if was == now else f"{was} before, {now} now", first="  ")
    changed = _changed(before, after)
    if changed:
        lines += wrapped(f"changed: {', '.join(changed)}", first="  ")
    against = [c for c in after.challenges if c.id.startswith(("measured_", "need_"))]
    if against:
        what = several(len(against), "thing")
        verb = "doesn't" if len(against) == 1 else "don't"
        lines += wrapped(f"{what} said {verb} fit what was measured", first="  ")
    if any(c.id == "evidence_old" for c in after.challenges):
        lines += wrapped("what was measured is old: measure newer data", first="  ")
    return [*lines, "", *wrapped(f"tuneworthy decide {safe(found.folder)}", first="Next: ")]


def _states(dossier: Dossier) -> Iterator[tuple[str, str, str]]:
    """Id, title and state of every answer."""
    yield from ((name, one.title, one.state) for name, one in dossier.ceiling.checks.items())
    yield from ((name, one.title, one.state) for name, one in dossier.factors.items())
    yield from ((name, one.title, one.state) for name, one in dossier.signals.items())


def _changed(before: Dossier, after: Dossier) -> list[str]:
    """Answers with another state than before."""
    then = {name: state for name, _, state in _states(before)}
    found = [
        f"{safe(title)} {then[name]} → {state}"
        for name, title, state in _states(after)
        if name in then and then[name] != state
    ]
    return found[:8] + ([f"and {few(len(found) - 8)} more"] if len(found) > 8 else [])

"""An answer on its way into the case file, and what it came to."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tuneworthy.api.interview.asks import ask_of, takes_share
from tuneworthy.api.interview.given import (
    choices_of,
    cleaned,
    names_of,
    price_of,
    unknown,
    value_of,
)
from tuneworthy.api.interview.kept import clashes, kept_note, without_notes
from tuneworthy.api.interview.values import at, shown, stands
from tuneworthy.api.outlook import Draw
from tuneworthy.api.road import decide, framework_of
from tuneworthy.domain.answers import Answer, CheckAnswer
from tuneworthy.domain.case import Case
from tuneworthy.domain.errors import CaseError
from tuneworthy.domain.holdings import Holding
from tuneworthy.domain.interview import Ask, Step
from tuneworthy.files.case import missing_entries
from tuneworthy.files.edit import put, read_with_digest
from tuneworthy.syntax.edit import Keys, Value, Whole

Places = dict[Keys, Value]


def answered(
    source: str | Path, ask_id: str, given: str, *, chosen: str | None = None,
    read_digest: str | None = None, as_of: date | None = None, seed: int = 0,
    draw: Draw | None = None,
) -> Step:  # fmt: skip
    """Write one answer into a case file, and say what it came to.

    "unknown" takes an answer back. Where nothing stands, it writes nothing.

    Args:
        source: Case folder or case file.
        ask_id: What was asked, as ``Ask.id``.
        given: What was said: yes, no, unknown; a number, ``800-2000`` or ``800 to 1100 to 2000``,
            with ``$``, ``k`` or ``%`` where that makes sense; choices by id, title or number.
        chosen: Framework, as on the command line.
        read_digest: Digest of the file that the question was made from; when it has changed since,
            nothing is written.
        as_of: The day the dossier speaks for; today when not given.
        seed: For everything that is drawn at random.
        draw: As for ``decide``.

    Raises:
        ConflictError: If the file has changed since it was read.
        CaseError: If the answer is none; the error's ``fix`` says what would be.
        OutputError: If the file can't be written.
    """
    read = read_with_digest(source)
    framework = framework_of(read.case, chosen)
    ask = ask_of(read.case, framework, ask_id)
    places = places_of(read.case, ask, given)
    before = decide(read.case, framework, as_of=as_of, seed=seed, draw=draw)
    after = [before]

    def check(case: Case) -> None:
        _there(case, ask, given)
        after.append(decide(case, framework, as_of=as_of, seed=seed, draw=draw))

    written = put(source, places, read_digest=read_digest, check=check if places else None)
    found = clashes(written.case, ask.id, before, after[-1])
    return Step(written.case, after[-1], before, found, written.digest)


def places_of(case: Case, ask: Ask, given: str) -> Places:
    """Where an answer goes in the case file, and what is written there; empty for no change.

    Raises:
        CaseError: If it is no answer; the error's ``fix`` says what would be.
    """
    text = cleaned(given, ask.id)
    return _taken_back(case, ask) if unknown(text) else _places(case, ask, text)


def keep_both(
    source: str | Path, ask_id: str, challenge_id: str, *, chosen: str | None = None,
    read_digest: str | None = None, as_of: date | None = None, seed: int = 0,
    draw: Draw | None = None,
) -> Step:  # fmt: skip
    """Note beside an answer that it stands although something doesn't fit with it.

    The note is put on the answer, else on the other side of the challenge; amounts have no place
    for one, and then nothing is written. The challenge stays in every report.

    Args:
        source: Case folder or case file.
        ask_id: The answer that was given.
        challenge_id: What doesn't fit.
        chosen: Framework, as on the command line.
        read_digest: As for ``answered``.
        as_of: As for ``answered``.
        seed: As for ``answered``.
        draw: As for ``answered``.

    Raises:
        ConflictError: If the file has changed since it was read.
        CaseError: If there is no such challenge now.
    """
    read = read_with_digest(source)
    framework = framework_of(read.case, chosen)
    before = decide(read.case, framework, as_of=as_of, seed=seed, draw=draw)
    found = next((one for one in before.challenges if one.id == challenge_id), None)
    if found is None:
        fix = "answer the question again"
        raise CaseError(f'"{challenge_id[:80]}" doesn\'t hold any more', where=ask_id, fix=fix)
    ask = ask_of(read.case, framework, ask_id)
    note = kept_note(read.case, ask.id, found)
    written = put(source, note, read_digest=read_digest)
    after = decide(written.case, framework, as_of=as_of, seed=seed, draw=draw)
    return Step(written.case, after, before, (), written.digest)


def _there(case: Case, ask: Ask, given: str) -> None:
    """Refuse the name of a file that isn't there."""
    text = given.strip()
    for entry in missing_entries(case):
        if entry.partition("[")[0] == ask.id:
            what, fix = f'"{text[:80]}" isn\'t there', "name a file or folder beside the case file"
            raise CaseError(what, where=ask.id, fix=fix)


def _taken_back(case: Case, ask: Ask) -> Places:
    """What makes an answer unknown again; nothing where none stands."""
    if not stands(case, ask.id):
        return {}
    keys = _keys(ask.id)
    if ask.id.endswith(".name") or (keys[0] == "models" and keys[-1] == "id"):
        fix = "give it another name, or remove it from the file by hand"
        raise CaseError("is on record", where=ask.id, fix=fix)
    if ask.id == "targets.quality.at_least":  # a metric alone is no target
        return {keys[:-1]: None}
    if keys[0] in ("ceiling", "factors", "signals") and len(keys) == 2:
        return _answer(case, ask, "unknown")
    if ask.kind == "state" or ask.id in ("strategic_value", "today.api", "tuning.service"):
        return {keys: Whole("unknown")}
    if ask.id == "data.examples" or ask.kind == "count":
        return _held(case, ask, None)
    lists = ("goals", "data.traces")
    return {keys: () if ask.id in lists or keys[-1] in ("tried", "models") else None}


def _places(case: Case, ask: Ask, text: str) -> Places:
    """Where an answer goes, and what is written there."""
    keys = _keys(ask.id)
    if not text:
        raise CaseError("is empty", where=ask.id, fix="answer, or say unknown")
    if ask.id.startswith("attempts.") and keys[-1] == "ceiling":
        done = choices_of(ask, "" if text.casefold() == "none" else text)
        each = {choice.id: "yes" if choice.id in done else "no" for choice in ask.choices}
        return {(*keys, name): state for name, state in each.items()}
    if ask.id == "data.traces" or (keys[0] == "attempts" and keys[-1] == "models"):
        return {keys: names_of(text)}
    if keys[0] == "models" and keys[-1] == "usd_per_mtok":
        return {keys: price_of(ask, text)}
    value = value_of(ask, text, share=takes_share(ask.id))
    if keys[0] in ("ceiling", "factors", "signals"):
        return _answer(case, ask, str(value))
    if ask.kind == "count":
        return _held(case, ask, str(value))
    return {keys: value}


def _answer(case: Case, ask: Ask, value: str) -> Places:
    """A check, factor or signal; what was noted about keeping another answer goes with that one."""
    room, name, *rest = ask.id.split(".")
    told: Answer | CheckAnswer | None = getattr(case, room).get(name)
    if not rest and told is not None and shown(told) == value:
        return {}
    said = {} if told is None else told.model_dump(mode="json", exclude_defaults=True)
    if rest:
        said.setdefault("value", "unknown")
        changed = {**said, rest[0]: value}
    elif value.isdigit():
        changed = {"count": value, **{k: v for k, v in said.items() if k not in ("value", "count")}}
    else:
        changed = {"value": value, **{k: v for k, v in said.items() if k not in ("value", "count")}}
    if not rest and told is not None:
        changed |= without_notes(changed, told.note)
    plain = {key: str(part) for key, part in changed.items() if part != ""}
    keys: Keys = (room, name)
    if len(plain) == 1 and not rest:
        return {keys: Whole(next(iter(plain.values())))}
    return {keys: plain}


def _held(case: Case, ask: Ask, value: str | None) -> Places:
    """A count; where a path or a number of usable ones stands beside it, that stays."""
    keys = _keys(ask.id)
    if keys[0] != "data":
        return {keys: None if value is None else Whole(value)}
    above, name = (keys[:2], "usable" if len(keys) == 3 else "count")
    held = at(case, ".".join(map(str, above)))
    said = held.model_dump(mode="json", exclude_none=True) if isinstance(held, Holding) else {}
    if name == "count" and value is None:
        said.pop("usable", None)
    changed = {**said, name: value}
    plain = {key: str(part) for key, part in changed.items() if part is not None}
    if not plain:
        return {above: None}
    if len(plain) == 1:
        return {above: Whole(next(iter(plain.values())))}
    return {above: plain}


def _keys(ask_id: str) -> Keys:
    """The path of a question; places in lists, which people count from 1, from 0."""
    return tuple(int(step) - 1 if step.isdigit() else step for step in ask_id.split("."))

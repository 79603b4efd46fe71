"""What stopped fitting together since an answer, and the note that both sides stay."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tuneworthy.api.interview.values import stands
from tuneworthy.domain.case import Case
from tuneworthy.domain.dossier import Dossier
from tuneworthy.domain.interview import Clash
from tuneworthy.domain.sections import ChallengeResult
from tuneworthy.syntax.edit import Keys, Value

_ROOMS = ("ceiling", "factors", "signals")
_MOST_NOTE = 4_000
_KEPT = re.compile(r"(?:; )?both kept: [a-z_0-9]+")


def clashes(case: Case, ask_id: str, before: Dossier, after: Dossier) -> tuple[Clash, ...]:
    """Challenges that came with an answer that is one of their sides, the others being said too.

    What nobody has said anything about yet is no clash: the report asks for it.
    """
    earlier = {one.id for one in before.challenges}
    found = []
    if ask_id.startswith("attempts."):  # an attempt is told in several answers; the report judges
        return ()
    for one in after.challenges:
        if one.id in earlier or not any(_about(path, ask_id) for path in one.between):
            continue
        others = tuple(path for path in one.between if not _about(path, ask_id))
        if all(_said(case, after, path) for path in others) and not _kept(case, one):
            found.append(_clash(case, ask_id, one))
    return tuple(found)


def clash_of(case: Case, ask_id: str, dossier: Dossier, challenge_id: str) -> Clash | None:
    """A clash by its challenge, for a surface that shows it later; None once it is settled."""
    found = next((one for one in dossier.challenges if one.id == challenge_id), None)
    if found is None or not any(_about(path, ask_id) for path in found.between):
        return None
    return None if _kept(case, found) else _clash(case, ask_id, found)


def _clash(case: Case, ask_id: str, challenge: ChallengeResult) -> Clash:
    others = (path for path in challenge.between if not _about(path, ask_id))
    asked = tuple(dict.fromkeys(_asked(path) for path in others))
    return Clash(challenge, asked, bool(_noted_on(case, ask_id, challenge)))


def kept_note(case: Case, ask_id: str, challenge: ChallengeResult) -> dict[Keys, Value]:
    """The note that says so, in its place; empty where there is no place for one."""
    path = _noted_on(case, ask_id, challenge)
    if path is None:
        return {}
    room, name = path.split(".")
    answer = getattr(case, room)[name]
    mark = _mark(challenge)
    if mark in answer.note.split("; "):
        return {}
    note = f"{answer.note}; {mark}" if answer.note else mark
    if len(note) > _MOST_NOTE:
        return {}
    said = answer.model_dump(mode="json", exclude_defaults=True)
    return {(room, name): {**{key: str(part) for key, part in said.items()}, "note": note}}


def without_notes(changed: Mapping[str, object], note: str) -> dict[str, str]:
    """The note of an answer that was given anew, without what was said about keeping the old one.

    Returns:
        The note under its key, empty to be left out; nothing where nothing was kept.
    """
    plain = _KEPT.sub("", note).removeprefix("; ")
    return {"note": plain} if "note" in changed and plain != note else {}


def _mark(challenge: ChallengeResult) -> str:
    return f"both kept: {challenge.id}"


def _kept(case: Case, challenge: ChallengeResult) -> bool:
    """Whether an answer on one of its sides carries the note."""
    answers = (answer for room in _ROOMS for answer in getattr(case, room).values())
    return any(_mark(challenge) in answer.note.split("; ") for answer in answers)


def _noted_on(case: Case, ask_id: str, challenge: ChallengeResult) -> str | None:
    """The answer to put the note on: this one, else the first other that can carry it."""
    for path in (ask_id, *map(_asked, challenge.between)):
        parts = path.split(".")
        if len(parts) == 2 and parts[0] in _ROOMS and parts[1] in getattr(case, parts[0]):
            return path
    return None


def _about(path: str, ask_id: str) -> bool:
    """Whether a path of a challenge speaks of an answer: it, a part of it, or all it stands in."""
    return path == ask_id or path.startswith(f"{ask_id}.") or ask_id.startswith(f"{path}.")


def _said(case: Case, dossier: Dossier, path: str) -> bool:
    """Whether anything was said there, and be it by a number that gives the answer."""
    room, _, name = path.partition(".")
    if path == "evidence":
        return True
    if not name:
        return bool(getattr(case, room))
    judged = dossier.factors.get(name.split(".")[0]) if room == "factors" else None
    return (judged is not None and judged.state != "unknown") or stands(case, path)


def _asked(path: str) -> str:
    """The question behind a path of a challenge."""
    parts = path.split(".")
    return ".".join(parts[:2]) if parts[0] in _ROOMS else path

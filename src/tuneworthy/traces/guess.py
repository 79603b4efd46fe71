"""A guessed mapping for records of an unknown format, by the usual names of fields."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from itertools import islice
from statistics import median
from typing import Any

from tuneworthy.errors import InputError
from tuneworthy.syntax.document import parse
from tuneworthy.traces.mapping import FieldMap, Pick, RecordChunk, mapping_from_text
from tuneworthy.traces.outcome import failure_of
from tuneworthy.traces.rows import FIELDS, has_value
from tuneworthy.traces.talk import http_code, is_envelope
from tuneworthy.traces.values import number, unpacked, when, yes_no

_USUAL = parse(
    files("tuneworthy.traces").joinpath("guess.yaml").read_text("utf-8"),
    "guess.yaml",
    InputError,
).data
_NAMES = {field: names.split() for field, names in _USUAL["names"].items()}
_ENDS = {field: names.split() for field, names in _USUAL["ends"].items()}
_PAIRS = {ours: names.split() for ours, names in _USUAL["pairs"].items()}
_BUT, _TEXT_ONLY, _VAGUE_WORDS, _OR_ID = (
    {*_USUAL[of].split()} for of in ("but", "text_only", "vague", "or_id")
)
_ANSWERS, _SAID = ({*_NAMES[of]} - _TEXT_ONLY for of in ("output", "input"))
_SAID |= {*_NAMES["reference"]}
OF_FOLDERS = frozenset(
    {
        "conversation_id",
        "timestamp",
        "model",
        "prompt_name",
        "prompt_version",
        "case",
        "group",
    }
)
"""Fields whose value a folder's name may hold for all its records, where no mapping says so."""
_TIMES = ("latency_s", "time_to_first_token_s")
_CLOCKS = (*_TIMES, "timestamp")
_UNIT = re.compile(
    r"^(.*?)(?:in)?(ms|millis(?:econds)?|msec|us|ns|s|sec|secs|seconds)$"
)
_LONG_S = 120  #: A usual time beyond this is none of seconds: gateways mostly log milliseconds.
_EARLY_S = 946_684_800  #: A clock before 2000 is none.
_SAYING = frozenset({"output", "messages", "tool_calls"})
_TEXTS = frozenset({"output", "input", "system"})
_NUMBERS = frozenset({*_TIMES, "usd", "input_tokens", "output_tokens", "cached_tokens"})
_TOKENS = ("input_tokens", "output_tokens")
_OF_A_CALL = frozenset(
    {*_NUMBERS, "score", "label", "error", "status", "finish", "provider"}
)
_VAGUE = frozenset(
    {
        *("model", "label", "score", "error", "timestamp", "conversation_id", "id"),
        *("status", "finish", "provider"),
    }
)
#: Names of what is no where a call failed.
_WENT_WELL = frozenset({"success", "issuccess", "ok"})
_ID = re.compile(r"(?=.*[\d_@])[\w@.:-]+", re.ASCII)  #: One token, as ``u_17``.
_DEEPEST = 4
_MOST = 500
_BY_END = 3
_MOSTLY = 0.5


def guess(
    records: Sequence[Mapping[str, Any]],
    folders: Collection[str] = (),
    *,
    table: bool = False,
) -> FieldMap | None:
    """A mapping by the names of fields, at the top or inside; None where none is likely.

    Names in ``folders`` aren't fields of the records. Only records of a ``table`` may lack an
    answer.
    """
    chunk = RecordChunk([*records])
    paths = _paths(records)
    taken: dict[str, str] = {}
    lines: dict[str, str] = {}
    written = [*_written(paths)]
    for field in _NAMES:
        closed = {*taken.values(), *(() if field in OF_FOLDERS else folders)}
        closed |= {path for path, fields in written if field in fields}
        for path in _likely(field, paths, closed):
            if line := _line(field, path, chunk):
                taken[field] = path
                lines[field] = line
                break
    closed = {*_NAMES, *taken.values(), *folders}
    for name in paths:
        if name in FIELDS and name not in closed:
            taken[name] = name
            lines[name] = f"{name}: {name}\n"
    if not taken.keys() - _VAGUE if table else _SAYING.isdisjoint(taken):
        return None
    made = mapping_from_text("".join(lines.values()), "a guessed mapping")
    answers = [
        made.picks[field].read_values(chunk) or ()
        for field in _SAYING & made.picks.keys()
    ]
    said = max(
        (len(column) - list(column).count(None) for column in answers), default=0
    )
    return made if table or said * 2 >= len(records) else None


def guess_pair(records: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """The likely names for question, answer and worse answer; {} where none are likely."""
    named: dict[str, str] = {}
    for record in records:
        for key, value in record.items():
            if isinstance(value, str) and value.strip():
                named.setdefault("".join(_words(key)), key)
    pair: dict[str, str] = {}
    for ours, names in _PAIRS.items():
        theirs = next((named[name] for name in names if name in named), None)
        if theirs is not None and theirs not in pair.values():
            pair[ours] = theirs
    return pair if {"prompt", "completion"} <= pair.keys() else {}


_BESIDE = frozenset(
    {
        *(*_NUMBERS, "model", "provider", "error", "status", "finish"),
        *("timestamp", "conversation_id"),
    }
)
"""Fields that a log may hold under other names, while its texts have our names."""


def with_rest(own: FieldMap, records: Sequence[Mapping[str, Any]]) -> FieldMap:
    """Our own format, completed by a guess for the fields that have other names."""
    columns = own.fields(RecordChunk([*records]))
    used = {field: own.picks[field] for field in columns if has_value(columns[field])}
    whole = merged(replace(own, picks=used), records)
    added: dict[str, Pick] = {}
    for field, pick in whole.picks.items():
        if field in _BESIDE and field not in used:
            added[field] = _also_under_own_name(own, field, pick)
    if not added:
        return own
    return replace(own, picks={**own.picks, **added}, written=whole.written)


def _also_under_own_name(own: FieldMap, field: str, pick: Pick) -> Pick:
    """A guess that looks under our own name first, as later records may have it."""
    if field not in own.picks or pick.unit is not None or len(pick.choices) != 1:
        return pick
    (guessed,) = pick.choices
    return replace(pick, choices=((*own.picks[field].paths, *guessed),))


def merged(mapping: FieldMap, records: Sequence[Mapping[str, Any]]) -> FieldMap:
    """A mapping with some fields, completed by a guess for the others.

    The guess doesn't use paths of the mapping. A mapping with records inside others isn't
    completed.
    """
    if mapping.each or not records:
        return mapping
    said = {
        ".".join(map(str, path))
        for pick in mapping.picks.values()
        for path in pick.paths
    }
    chunk = RecordChunk([*records])
    paths = {path: name for path, name in _paths(records).items() if path not in said}
    own_texts = [*_written(paths)]
    inside = {
        path for path in paths if any(path.startswith(f"{each}.") for each in said)
    }
    lines: dict[str, str] = {}
    for field in _NAMES:
        said_already = field in mapping.picks or field in mapping.without
        if said_already or (field in _SAYING and _SAYING & mapping.picks.keys()):
            continue
        closed = {line.partition(": ")[2].strip() for line in lines.values()}
        closed |= {path for path, fields in own_texts if field in fields}
        closed |= inside if field in {"status", "error"} else set()
        for path in _likely(field, paths, closed):
            if line := _line(field, path, chunk):
                lines[field] = line
                break
    if not lines.keys() - {"id"}:
        return mapping
    rest = mapping_from_text("".join(lines.values()), "a guessed mapping")
    written = f"{mapping.written.rstrip()}\n{rest.written}"
    picks = {**rest.picks, **mapping.picks}
    return replace(mapping, picks=picks, written=written)


class _Name:
    """The names of a path: its last key, that key with the one above, and the keys above."""

    def __init__(self, path: str, values: Sequence[Any]) -> None:
        self.is_object = any(
            type(value) is dict and not _is_http_text(value) for value in values
        )
        parsed = [number(value) for value in values if value not in (None, "")]
        #: The share of numbers among the values.
        self.numbers = 1 - parsed.count(None) / len(parsed) if parsed else 0.0
        self.is_envelope = any(map(is_envelope, values))
        # a status code of HTTP
        self.is_code = self.numbers == 1 and all(100 <= n < 600 for n in parsed if n)
        by_key = [_words(key) for key in path.split(".")]
        self.every = {word for words in by_key for word in words}
        self.words = by_key[-1]
        self.plain = "".join(self.words)
        self.is_inside = len(by_key) > 1
        parent = "".join(by_key[-2]) if self.is_inside else ""
        # another name: the nearest key that says something, without its vague words
        others = {parent + self.plain}
        for words in reversed(by_key):
            telling = [word for word in words if word not in _VAGUE_WORDS]
            if telling:
                others.add("".join(telling))
                break
        self.others = others - {self.plain, ""}

    def may_be(self, field: str) -> bool:
        """Whether a path may hold a field: no number deep inside a text, and no word for an amount."""
        if field in _ENDS and self.every & _BUT:
            return False
        counts = self.is_inside or self.plain in {"in", "out"}  # as of tokens
        is_text = field in _TEXTS and self.numbers == 1 and counts
        return not is_text and (field not in _NUMBERS or self.numbers > _MOSTLY)


def _is_http_text(value: Any) -> bool:
    """Whether a value is an answer over HTTP whose body is a text."""
    return bool(http_code(value)) and type(unpacked(value["body"])) is str


def _likely(field: str, paths: Mapping[str, _Name], taken: set[str]) -> Iterator[str]:
    """Paths for a field, the likeliest first."""
    usuals = _NAMES[field]
    ends = _ENDS.get(field, ())
    ranked: list[tuple[int, int, str]] = []
    for path, name in paths.items():
        if path in taken or not name.may_be(field):
            continue
        plain = (
            {name.plain, _UNIT.sub(r"\1", name.plain)}
            if field in _CLOCKS
            else {name.plain}
        )
        if path == field:
            ranked.append((0, 0, path))
        for place, usual in enumerate(usuals):
            if not name.is_object and (usual in plain or usual in name.others):
                ranked.append((1 if usual in plain else 2, place, path))
            elif name.is_object and usual == name.plain and usual not in _TEXT_ONLY:
                ranked.append((4, place, path))
        if not name.is_object and name.words and name.words[-1] in ends:
            ranked.append((_BY_END, 0, path))
    # none of these is more likely than the others
    several = [rank for rank, *_ in ranked].count(_BY_END) > 1
    ranked.sort(
        key=lambda each: (field in _TEXTS and paths[each[2]].is_code, *each[:2])
    )
    return (path for rank, _, path in ranked if not (rank == _BY_END and several))


def _paths(records: Sequence[Mapping[str, Any]]) -> dict[str, _Name]:
    """Names by path, those at the top before nested ones."""
    columns: dict[str, list[Any]] = {}
    level: list[tuple[str, Mapping[str, Any]]] = [("", record) for record in records]
    for _ in range(_DEEPEST):
        below: list[tuple[str, Mapping[str, Any]]] = []
        for above, record in level:
            for key, value in record.items():
                path = f"{above}{key}"
                if not _readable(path):
                    continue
                opened = _field_value(path, value)
                columns.setdefault(path, []).append(opened)
                if isinstance(opened, dict):
                    below.append((f"{path}.", opened))
        level = below
    return {
        path: _Name(path, values) for path, values in islice(columns.items(), _MOST)
    }


def name_fields(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields of some records as a mapping names them; of an object those inside it."""
    paths = _paths(records)
    return [path for path, name in paths.items() if not name.is_object]


def _written(paths: Mapping[str, _Name]) -> Iterator[tuple[str, Collection[str]]]:
    """The paths inside a text that is an object, each with the fields that it can't be.

    A model that wrote a price or a grade didn't bill or judge itself. An object with counts of
    tokens is what a server put around the text.
    """
    for path, name in paths.items():
        is_answer = _is_answer(path)
        if not name.is_object or name.is_envelope:
            continue
        if not is_answer and name.plain not in _SAID:
            continue
        inside = {each: paths[each] for each in paths if each.startswith(f"{path}.")}
        if _counts_tokens(inside):
            continue
        fields = _NAMES.keys() - _SAYING if is_answer else _OF_A_CALL
        for each in inside:
            yield each, fields


def _counts_tokens(paths: Mapping[str, _Name]) -> bool:
    return any([*_likely(field, paths, set())] for field in _TOKENS)


def _is_answer(path: str) -> bool:
    words = _words(path.rpartition(".")[2])
    ends = words[-1:] and words[-1] in _ENDS["output"] and _BUT.isdisjoint(_words(path))
    return "".join(words) in _ANSWERS or bool(ends)


def _field_value(path: str, value: Any) -> Any:
    """The value of a field. A text of JSON is parsed, unless a model wrote it as its answer."""
    opened = unpacked(value)
    own = type(value) is str and _is_answer(path)
    return value if own and not is_envelope(opened) else opened


def _readable(path: str) -> bool:
    """Whether a path can be written in a mapping."""
    return (
        path.isprintable()
        and path.strip() == path != ""
        and not set(path) & set('"|[]')
    )


def _words(key: str) -> list[str]:
    """The words of a key in small letters; a unit in brackets belongs to the word before it."""
    return re.findall(
        r"[^\W_]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).casefold()
    )


def _status(path: str, written: str, values: Sequence[Any], chunk: RecordChunk) -> str:
    """The mapping's line for the status of a call; empty where the field means something else.

    A success that isn't one may mean a wrong answer. Where no answer came, it means a failed call.
    """
    if "".join(_words(path.rpartition(".")[2])) not in _WENT_WELL:
        fails = any(failure_of(value) for value in values)
        are_codes = not any(map(_is_word, values))
        return f"status: {written}\n" if fails or are_codes else ""
    failed = [row for row, value in enumerate(values) if yes_no(value) is False]
    if not failed or any(_was_answered(chunk, row) for row in failed):
        return ""
    words = "{false: failed, False: failed, FALSE: failed, '0': failed, 'no': failed}"
    return f"status: {{path: {written}, values: {words}}}\n"


def _was_answered(chunk: RecordChunk, row: int) -> bool:
    for name in ("output", "response", "answer"):
        column = chunk.values((name,)) or ()
        if row < len(column) and column[row]:
            return True
    return False


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and number(value) is None


def _line(field: str, path: str, chunk: RecordChunk) -> str:
    """A line of the mapping, with the unit of a time that isn't in seconds.

    Empty for an impossible time: no clock or one before 2000, or minutes even in milliseconds.
    Empty, too, for a question that is mostly an identifier.
    """
    written = path if re.fullmatch(r"[\w.-]+(?: [\w.-]+)*", path) else json.dumps(path)
    values = chunk.values(tuple(path.split("."))) or ()
    if field == "input" and "".join(_words(path.rpartition(".")[2])) in _OR_ID:
        texts = [value for value in values if value not in (None, "")]
        if (
            sum(_ID.fullmatch(str(value)) is not None for value in texts)
            > len(texts) * _MOSTLY
        ):
            return ""
    if field == "status":
        return _status(path, written, values, chunk)
    if field == "timestamp":
        clocks = [moment for value in values if (moment := when(value)) is not None]
        return f"{field}: {written}\n" if clocks and median(clocks) >= _EARLY_S else ""
    if field not in _TIMES or path == field:
        return f"{field}: {written}\n"
    match = _UNIT.fullmatch("".join(_words(path.rpartition(".")[2])))
    unit = {"m": "ms", "u": "us", "n": "ns"}.get(match[2][0], "s") if match else None
    if unit is None:
        usual = median([n for value in values if (n := number(value))] or [0])
        unit = "ms" if usual > _LONG_S else "s"
        if usual > _LONG_S * 1000:
            return ""
    return (
        f"{field}: {written if unit == 's' else f'{{path: {written}, unit: {unit}}}'}\n"
    )

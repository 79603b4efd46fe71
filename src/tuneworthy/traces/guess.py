"""A guessed mapping for records of an unknown format, by the usual names of fields."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from itertools import islice
from operator import attrgetter
from statistics import median
from typing import Any, NamedTuple

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
"""The usual names of each field, the likelier before the others."""
_ENDS = {field: names.split() for field, names in _USUAL["ends"].items()}
"""Words at the end of a longer name, as in *bot answer*."""
_PAIRS = {ours: names.split() for ours, names in _USUAL["pairs"].items()}
_BUT = {*_USUAL["but"].split()}  #: Words in a longer name that is no answer.
_TEXT_ONLY = {*_USUAL["text_only"].split()}  #: Names that mean a text, and no object.
_VAGUE_WORDS = {*_USUAL["vague"].split()}  #: Words that say nothing of a key's meaning.
_OR_ID = {*_USUAL["or_id"].split()}  #: Names of a question that may also mean who asks.
_ANSWERS = {*_NAMES["output"]} - _TEXT_ONLY
_SAID = ({*_NAMES["input"]} - _TEXT_ONLY) | {*_NAMES["reference"]}
"""Names of texts that a person wrote, with and without JSON in them."""
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
    r"^(?P<stem>.*?)(?:in)?(?P<unit>ms|millis(?:econds)?|msec|us|ns|s|sec|secs|seconds)$"
)
"""A name that ends with a unit of time, as ``latencyinms``."""
_LONG_S = 120  #: A usual time beyond this is none of seconds: gateways mostly log milliseconds.
_EARLY_S = 946_684_800  #: A clock before 2000 is none.
_SAYING = frozenset(
    {"output", "messages", "tool_calls"}
)  #: Fields that hold an answer.
_TEXTS = frozenset({"output", "input", "system"})
_NUMBERS = frozenset({*_TIMES, "usd", "input_tokens", "output_tokens", "cached_tokens"})
_TOKENS = ("input_tokens", "output_tokens")
_OF_A_CALL = frozenset(
    {*_NUMBERS, "score", "label", "error", "status", "finish", "provider"}
)
"""Fields that are about a call, and so never stand in what a person wrote."""
_VAGUE = frozenset(
    {
        "model",
        "label",
        "score",
        "error",
        "timestamp",
        "conversation_id",
        "id",
        "status",
        "finish",
        "provider",
    }
)
"""Fields that any table may have: alone they don't make it one of calls."""
_WENT_WELL = frozenset({"success", "issuccess", "ok"})
"""Names of a status that is a yes where a call went well, and a no where it failed."""
_ID = re.compile(r"(?=.*[\d_@])[\w@.:-]+", re.ASCII)  #: One token, as ``u_17``.
_DEEPEST = 4  #: Levels of objects that are looked into.
_MOST = 500  #: Paths; the first ones are at the top.
_OWN_NAME = 0  #: How likely a path is a field, by its name. It has our name;
_USUAL_NAME = 1  #: a usual one;
_OTHER_NAME = 2  #: one that is usual with the key above, or without vague words;
_BY_END = 3  #: a longer name that ends as usual;
_OBJECT = 4  #: a usual name, but it is an object, whose JSON would be the text.
_MOSTLY = 0.5  #: A larger share of the values is most of them.


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
    closed_for = {field: folders for field in _NAMES if field not in OF_FOLDERS}
    lines = _likeliest_lines([*_NAMES], paths, closed_for, chunk)
    # Fields that have no usual names are read under ours.
    closed = {*_NAMES, *folders, *(line.path for line in lines.values())}
    for name in paths:
        if name in FIELDS and name not in closed:
            lines[name] = _Line(name, f"{name}: {name}\n")
    if not _are_enough(lines, table=table):
        return None
    text = "".join(line.written for line in lines.values())
    made = mapping_from_text(text, "a guessed mapping")
    return made if table or _leads_to_answers(made, chunk) else None


class _Line(NamedTuple):
    """A field's line of a guessed mapping."""

    path: str
    written: str


def _likeliest_lines(
    fields: Sequence[str],
    paths: Mapping[str, _Name],
    closed_for: Mapping[str, Collection[str]],
    chunk: RecordChunk,
) -> dict[str, _Line]:
    """The line of each field that has a likely path, whose values fit. A path is of one field.

    ``closed_for`` names the paths that can't be a field.
    """
    written = [*_written(paths)]
    lines: dict[str, _Line] = {}
    for field in fields:
        closed = {line.path for line in lines.values()}
        closed |= {path for path, others in written if field in others}
        closed.update(closed_for.get(field, ()))
        for path in _likely(field, paths, closed):
            text = _line(field, path, chunk)
            if text:
                lines[field] = _Line(path, text)
                break
    return lines


def _are_enough(fields: Collection[str], *, table: bool) -> bool:
    """Whether these fields make records calls: an answer, or in a table any that isn't vague."""
    if table:
        return any(field not in _VAGUE for field in fields)
    return not _SAYING.isdisjoint(fields)


def _leads_to_answers(made: FieldMap, chunk: RecordChunk) -> bool:
    """Whether at least half of the records have an answer where a mapping looks for it."""
    most = 0
    for field in _SAYING & made.picks.keys():
        values = made.picks[field].read_values(chunk) or []
        most = max(most, len(values) - values.count(None))
    return most * 2 >= len(chunk)


def guess_pair(records: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """The likely names for question, answer and worse answer; {} where none are likely."""
    keys: dict[str, str] = {}  # by their words in small letters, without signs
    for record in records:
        for key, value in record.items():
            if isinstance(value, str) and value.strip():
                keys.setdefault("".join(_words(key)), key)
    pair: dict[str, str] = {}
    for ours, usual_names in _PAIRS.items():
        known = [name for name in usual_names if name in keys]
        if not known:
            continue
        likeliest, *_ = known
        if keys[likeliest] not in pair.values():  # one field isn't two
            pair[ours] = keys[likeliest]
    # without a question and an answer, there is nothing to learn
    return pair if {"prompt", "completion"} <= pair.keys() else {}


_BESIDE = frozenset(
    {
        *_NUMBERS,
        "model",
        "provider",
        "error",
        "status",
        "finish",
        "timestamp",
        "conversation_id",
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
    mapped: set[str] = set()
    for pick in mapping.picks.values():
        mapped |= {".".join(map(str, path)) for path in pick.paths}
    paths = {path: name for path, name in _paths(records).items() if path not in mapped}
    # A state inside what the mapping reads is that of the answer, and not of the call.
    inside = {p for p in paths if any(p.startswith(f"{each}.") for each in mapped)}
    closed_for = {"status": inside, "error": inside}
    fields = [field for field in _NAMES if _is_left(field, mapping)]
    lines = _likeliest_lines(fields, paths, closed_for, RecordChunk([*records]))
    if not lines.keys() - {"id"}:
        return mapping
    text = "".join(line.written for line in lines.values())
    rest = mapping_from_text(text, "a guessed mapping")
    whole = f"{mapping.written.rstrip()}\n{rest.written}"
    return replace(mapping, picks={**rest.picks, **mapping.picks}, written=whole)


def _is_left(field: str, mapping: FieldMap) -> bool:
    """Whether a guess may say where a field is: a mapping that has one answer has all of them."""
    if field in mapping.picks or field in mapping.without:
        return False
    return field not in _SAYING or _SAYING.isdisjoint(mapping.picks)


class _Name:
    """The names of a path: its last key, that key with the one above, and the keys above."""

    def __init__(self, path: str, values: Sequence[Any]) -> None:
        self.is_object = any(
            type(value) is dict and not _is_http_text(value) for value in values
        )
        self.is_envelope = any(map(is_envelope, values))
        parsed = [number(value) for value in values if value not in (None, "")]
        #: The share of numbers among the values.
        self.numbers = 1 - parsed.count(None) / len(parsed) if parsed else 0.0
        # a status code of HTTP
        self.is_code = self.numbers == 1 and all(100 <= n < 600 for n in parsed if n)
        by_key = [_words(key) for key in path.split(".")]
        self.every = {word for words in by_key for word in words}
        self.words = by_key[-1]
        self.plain = "".join(self.words)
        self.is_inside = len(by_key) > 1
        self.others = _other_names(by_key) - {self.plain, ""}

    def may_be(self, field: str) -> bool:
        """Whether a path may hold a field: no number deep inside a text, and no word for an amount."""
        if field in _ENDS and self.every & _BUT:
            return False
        # An amount inside an object is no text, and neither is one of tokens.
        is_amount = self.is_inside or self.plain in {"in", "out"}
        if field in _TEXTS and self.numbers == 1 and is_amount:
            return False
        return field not in _NUMBERS or self.numbers > _MOSTLY


def _other_names(by_key: Sequence[Sequence[str]]) -> set[str]:
    """Other names of a path, by the words of its keys.

    They are the last key after the one above it, and the last key that says something, without its
    vague words.
    """
    last_two = [word for words in by_key[-2:] for word in words]
    others = {"".join(last_two)}
    for words in reversed(by_key):
        telling = [word for word in words if word not in _VAGUE_WORDS]
        if telling:
            others.add("".join(telling))
            break
    return others


def _is_http_text(value: Any) -> bool:
    """Whether a value is an answer over HTTP whose body is a text."""
    return bool(http_code(value)) and type(unpacked(value["body"])) is str


class _Candidate(NamedTuple):
    """A path that may hold a field; the smaller its values, the likelier."""

    is_code: bool  #: Whether the field is a text, and its values are status codes.
    rank: int
    place: int  #: Of its name among the usual ones.
    path: str


def _likely(field: str, paths: Mapping[str, _Name], closed: set[str]) -> list[str]:
    """Paths for a field, the likeliest first."""
    candidates: list[_Candidate] = []
    for path, name in paths.items():
        if path not in closed and name.may_be(field):
            candidates += _candidates(field, path, name)
    by_end = [each for each in candidates if each.rank == _BY_END]
    if len(by_end) > 1:  # none of these is more likely than the others
        candidates = [each for each in candidates if each.rank != _BY_END]
    # Equal ones stay in the order of the records.
    candidates.sort(key=attrgetter("is_code", "rank", "place"))
    return [each.path for each in candidates]


def _candidates(field: str, path: str, name: _Name) -> Iterator[_Candidate]:
    """How a path may hold a field by its names; nothing for a path with other names."""
    is_code = field in _TEXTS and name.is_code
    plain = {name.plain}
    if field in _CLOCKS:
        plain.add(_UNIT.sub(r"\g<stem>", name.plain))
    if path == field:
        yield _Candidate(is_code, _OWN_NAME, 0, path)
    for place, usual in enumerate(_NAMES[field]):
        if name.is_object:
            if usual == name.plain and usual not in _TEXT_ONLY:
                yield _Candidate(is_code, _OBJECT, place, path)
        elif usual in plain:
            yield _Candidate(is_code, _USUAL_NAME, place, path)
        elif usual in name.others:
            yield _Candidate(is_code, _OTHER_NAME, place, path)
    if not name.is_object and name.words and name.words[-1] in _ENDS.get(field, ()):
        yield _Candidate(is_code, _BY_END, 0, path)


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
    first = islice(columns.items(), _MOST)
    return {path: _Name(path, values) for path, values in first}


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
        is_text = is_answer or name.plain in _SAID
        if not is_text or not name.is_object or name.is_envelope:
            continue
        inside = {each: paths[each] for each in paths if each.startswith(f"{path}.")}
        if any(_likely(field, inside, set()) for field in _TOKENS):
            continue
        fields = _NAMES.keys() - _SAYING if is_answer else _OF_A_CALL
        for each in inside:
            yield each, fields


def _is_answer(path: str) -> bool:
    """Whether a path is an answer by its last key: a usual name, or one that ends as usual."""
    if _plain_key(path) in _ANSWERS:
        return True
    words = _words(path.rpartition(".")[2])
    ends_as_usual = bool(words) and words[-1] in _ENDS["output"]
    return ends_as_usual and _BUT.isdisjoint(_words(path))


def _plain_key(path: str) -> str:
    """The last key of a path in small letters, without signs."""
    return "".join(_words(path.rpartition(".")[2]))


def _field_value(path: str, value: Any) -> Any:
    """The value of a field. A text of JSON is parsed, unless a model wrote it as its answer."""
    opened = unpacked(value)
    may_be_the_models = type(value) is str and _is_answer(path)
    return value if may_be_the_models and not is_envelope(opened) else opened


def _readable(path: str) -> bool:
    """Whether a path can be written in a mapping."""
    if not path or path.strip() != path or not path.isprintable():
        return False
    return set(path).isdisjoint('"|[]')


def _words(key: str) -> list[str]:
    """The words of a key in small letters: ``tokensIn`` and ``tokens_in`` have two."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key)
    return re.findall(r"[^\W_]+", spaced.casefold())


def _status(path: str, written: str, values: Sequence[Any], chunk: RecordChunk) -> str:
    """The mapping's line for the status of a call; empty where the field means something else.

    A success that isn't one may mean a wrong answer. Where no answer came, it means a failed call.
    """
    if _plain_key(path) not in _WENT_WELL:
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
    """The mapping's line for a field at a path; empty where its values can't be the field's."""
    is_plain = re.fullmatch(r"[\w.-]+(?: [\w.-]+)*", path)
    written = path if is_plain else json.dumps(path)
    values = chunk.values(tuple(path.split("."))) or ()
    if field == "status":
        return _status(path, written, values, chunk)
    if field == "input" and _plain_key(path) in _OR_ID and _are_ids(values):
        return ""
    if field == "timestamp" and not _are_times(values):
        return ""
    if field in _TIMES and path != field:  # our own name says that it is in seconds
        unit = _unit(_plain_key(path), values)
        if unit is None:
            return ""
        if unit != "s":
            return f"{field}: {{path: {written}, unit: {unit}}}\n"
    return f"{field}: {written}\n"


def _are_ids(values: Sequence[Any]) -> bool:
    """Whether most values are identifiers, as of the one who asks, and no questions."""
    texts = [str(value) for value in values if value not in (None, "")]
    ids = [text for text in texts if _ID.fullmatch(text)]
    return len(ids) > len(texts) * _MOSTLY


def _are_times(values: Sequence[Any]) -> bool:
    """Whether values are usually times after 1999; an earlier one is a number of something else."""
    moments = [moment for moment in map(when, values) if moment is not None]
    return bool(moments) and median(moments) >= _EARLY_S


def _unit(name: str, values: Sequence[Any]) -> str | None:
    """The unit of a duration, by its name or else by its size; None for an impossible duration."""
    match = _UNIT.fullmatch(name)
    if match is not None:
        by_letter = {"m": "ms", "u": "us", "n": "ns", "s": "s"}
        return by_letter[match["unit"][:1]]  # as of millis, or of seconds
    durations = [amount for amount in map(number, values) if amount]
    usual = median(durations) if durations else 0
    if usual > _LONG_S * 1000:  # minutes even in milliseconds
        return None
    return "ms" if usual > _LONG_S else "s"

"""Files of traces or results, read once, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneworthy.domain.errors import InputError, one_line
from tuneworthy.domain.evidence import Reading, Skipped
from tuneworthy.domain.traces import Batch
from tuneworthy.files.traces.limits import Limits
from tuneworthy.files.traces.mapping import FieldMap
from tuneworthy.files.traces.sources import is_remote, local, once


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some traces of one file, and how far reading has come."""

    batch: Batch
    """The traces; at least one."""
    name: str
    """Name of the file they come from, without its folder."""
    done_bytes: int
    """Bytes read of all files so far, as they lie on disk."""
    total_bytes: int
    """Bytes of all files; 0 for what lies on another machine."""


@dataclass(frozen=True, slots=True)
class _Source:
    place: Path | str
    """A path, or an address."""
    name: str
    """Name of the file, made different from the others'."""
    searched: bool
    """Whether it was found in a folder or by a pattern, and may be something else."""


class TraceFiles:
    """Files to be read once: iterate for the chunks, then ask for ``readings``.

    Iterating raises InputError for a file that can't be read, isn't recognised, is empty, holds no
    trace or has too many broken records; what came before it must then not be used. A file that
    was only found in a folder, or by a pattern, is passed over where it isn't of ours, as long as
    another is.
    """

    def __init__(
        self,
        sources: Sequence[Path | str],
        mapping: FieldMap | None,
        limits: Limits,
        *,
        searched: bool,
    ) -> None:
        self._mapping, self._limits = mapping, limits
        self._sources = tuple(_found(sources, limits, searched=searched))
        if not self._sources:
            raise InputError("nothing to read", fix="name a file")
        self.total_bytes = sum(_size(each) for each in self._sources)
        self._readings: list[Reading] = []

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Of the files read so far, in their order."""
        return tuple(self._readings)

    def __iter__(self) -> Iterator[Chunk]:
        from tuneworthy.files.traces.shape import NotTraces

        refused: NotTraces | None = None
        self._readings, done = [], 0
        for source in self._sources:
            try:
                yield from self._chunks(source, done)
            except NotTraces as nothing:
                if not source.searched:
                    raise
                refused = refused or nothing
                self._pass_over(source, nothing.what)
            done += _size(source)
        if refused is not None and not any(one.traces for one in self._readings):
            raise refused

    def _chunks(self, source: _Source, before: int) -> Iterator[Chunk]:
        from tuneworthy.files.traces.opening import Opened

        opened = Opened(source.place, source.name, self._mapping, self._limits)

        def chunk(batch: Batch) -> Chunk:
            return Chunk(batch, source.name, before + opened.done, self.total_bytes)

        try:
            # By ``map``, and not by a loop, which would keep the last batch while the next is read.
            yield from map(chunk, opened.batches())
            self._readings.append(opened.reading())
        finally:
            opened.close()

    def _pass_over(self, source: _Source, why: str) -> None:
        from tuneworthy.files.traces.stream import Raw

        assert isinstance(source.place, Path)  # only what lies here is searched for
        raw = Raw(source.place)
        try:
            digest = raw.digest()
        finally:
            raw.close()
        skipped = (Skipped(why=why, n=1, where=(source.name,)),)
        self._readings.append(
            Reading(
                name=source.name, format="not traces", digest=digest, size=raw.size, traces=0,
                skipped=skipped,
            )
        )  # fmt: skip


def _found(sources: Sequence[Path | str], limits: Limits, *, searched: bool) -> Iterator[_Source]:
    """Every file once, with a name that no other has."""
    remote = [one for one in sources if isinstance(one, str) and is_remote(one)]
    among: set[Path] = set()
    paths: list[Path] = []
    for one in (each for each in sources if not is_remote(each)):
        files = local(one, limits)
        paths += files
        among |= {file for file in files if searched or file != Path(one)}
    taken: dict[str, int] = {}
    places: list[Path | str] = [*once(paths), *remote]
    for place in places:
        name = place.name if isinstance(place, Path) else place.split("?", 1)[0].rpartition("/")[2]
        name = one_line(name, limit=120)
        taken[name] = taken.get(name, 0) + 1
        number = f" ({taken[name]})" if taken[name] > 1 else ""
        yield _Source(place, f"{name}{number}", place in among)


def _size(source: _Source) -> int:
    if not isinstance(source.place, Path):
        return 0
    try:
        return source.place.stat().st_size
    except (OSError, ValueError):
        return 0


def read(
    sources: Sequence[Path | str],
    *,
    mapping: FieldMap | None = None,
    limits: Limits | None = None,
    searched: bool = False,
) -> TraceFiles:
    """Files, patterns, folders or remote addresses as traces: files in the order they are named.

    Args:
        sources: What to read; a text that begins ``s3://``, ``https://`` or the like is remote.
        mapping: Where our fields stand in their records, from ``mapping.read_mapping``.
        limits: Bounds.
        searched: Whether the files were only found in a folder or by a pattern, as those of
            ``sources.named`` may be: one that isn't of ours is then passed over.

    Returns:
        The files, opened when they are iterated; files of a folder or pattern by name.

    Raises:
        InputError: If a source does not exist or is nothing that can be read.
    """
    return TraceFiles(sources, mapping, limits or Limits(), searched=searched)

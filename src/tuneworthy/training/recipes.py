"""Recipes as data: the first settings for tuning, by the size of the base and by method."""

from __future__ import annotations

import json
import math
import re
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

from tuneworthy.errors import FrameworkError, InputError
from tuneworthy.files.disk import with_home
from tuneworthy.model.base import FileRecord, Name, NonNegative, Text
from tuneworthy.model.pilot import Method, Recipe
from tuneworthy.syntax.document import ParsedFile, build, parse

FILE = "recipes.yaml"
MOST_TRIED = 4  #: Rates that a sweep tries at most.
_AROUND = (1.0, 0.3, 3.0, 0.1)
"""Multiples of the recipe's rate, in the order in which a sweep tries them."""
_BILLIONS = re.compile(
    r"(?<![\w.])(?:\d+x)?(\d+(?:\.\d+)?)(b|m)(?![a-z])", re.IGNORECASE
)
_MOST_HEADER = 64 << 20  # bytes of the header of a file of weights, generously
_MOST_SHARDS = 1000  # files of one model that are read


class RecipeRow(FileRecord):
    """A recipe to start from, and the bases it is for."""

    method: Method
    #: Billions of weights of the base; None for any number.
    up_to: NonNegative | None = None
    unknown_size: bool = False  #: Whether it stands for bases whose size isn't known.
    recipe: Recipe
    says: Text
    source: Name
    dated: date


class RecipeBook(FileRecord):
    """The file of recipes."""

    says: Text
    recipes: tuple[RecipeRow, ...]


@cache
def recipe_book() -> RecipeBook:
    """Read all shipped recipes."""
    text = files("tuneworthy.training").joinpath(FILE).read_text("utf-8")
    parsed = ParsedFile(parse(text, FILE, FrameworkError).data, FILE)
    return build(RecipeBook, parsed, FrameworkError)


def recipe_row(method: Method, billions: float | None) -> RecipeRow:
    """Return the recipe for a base of a size; ``billions`` of weights are None where unknown."""
    rows = [row for row in recipe_book().recipes if row.method == method]
    if billions is None:
        row = next(row for row in rows if row.unknown_size)
    else:  # rows are in the order of size, and the last has no limit
        row = next(row for row in rows if row.up_to is None or billions <= row.up_to)
    # the file states the method once for a row
    recipe = row.recipe.model_copy(update={"method": method})
    return row.model_copy(update={"recipe": recipe})


def rates_around(rate: float, n: int) -> tuple[float, ...]:
    """The ``n`` rates of a sweep, the recipe's own first."""
    return tuple(float(f"{rate * factor:.2g}") for factor in _AROUND[:n])


def billions_by_name(name: str) -> float | None:
    """Return the billions of weights that a base's name states, as in ``Llama-3.1-8B``.

    The largest number counts where there are several; None without one.
    """
    sizes = []
    for number, unit in _BILLIONS.findall(name):
        in_millions = unit.lower() == "m"
        sizes.append(float(number) / 1000 if in_millions else float(number))
    return max(sizes, default=None)


def billions_in(folder: Path) -> float | None:
    """Billions of weights in a folder of safetensors; None without any."""
    paths = sorted(folder.glob("*.safetensors"))[:_MOST_SHARDS]
    weights = 0
    for path in paths:
        with path.open("rb") as file:
            weights += _weights(file, path)
    return weights / 1e9 if weights else None


def _weights(file: BinaryIO, path: Path) -> int:
    """The number of weights in a file of safetensors, by its header alone.

    The file begins with the header's length, in eight bytes, and the header, which is JSON.
    """
    length = int.from_bytes(file.read(8), "little")
    weights = 0
    try:
        # nothing of a longer header is read, and then it isn't JSON
        header = json.loads(file.read(length if length <= _MOST_HEADER else 0))
        for name, tensor in header.items():
            if name != "__metadata__":
                weights += math.prod(int(side) for side in tensor["shape"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fix = "save the model again, as safetensors"
        raise InputError("is not a file of weights", where=str(path), fix=fix) from None
    return weights


def model_folder(text: str) -> Path:
    """A folder with a base model as ``transformers`` writes it.

    Raises InputError for another folder, or for a name that would break the files that contain it.
    """
    folder = with_home(text).resolve()
    if not (folder / "config.json").is_file():
        fix = "name a folder with config.json and weights, as transformers writes it"
        raise InputError(
            "holds no model: config.json is missing", where=str(folder), fix=fix
        )
    return folder

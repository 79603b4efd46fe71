"""The data of other people's packages that lies in ours, taken from their releases.

    python tools/vendor.py            write the data anew, and hold our answers against theirs
    python tools/vendor.py --check    only compare

Run by hand when a release is to be taken: name it in ``RELEASES``, with the digests of its files.
The packages are installed into a temporary folder, with what they need, and never into ours.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np

from tuneworthy.llm.prices import price_on
from tuneworthy.text import embedding

PROJECT = Path(__file__).resolve().parents[1]
SOURCE = PROJECT / "src" / "tuneworthy"
PRICES = SOURCE / "llm" / "genai_prices"
VECTORS = SOURCE / "text" / "wordllama"
RECORDED = PROJECT / "tests" / "fixtures"
RELEASES = ("genai-prices==0.2.3", "wordllama==0.4.0.post1")
DIGESTS = {
    "genai_prices/data.py": "5f4d8e175a91cf23cac17da33a4daa60a6a6c49525109c97e93db220d5197206",
    "wordllama/tokenizers/l2_supercat_tokenizer_config.json":
        "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
    "wordllama/weights/l2_supercat_256.safetensors":
        "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
}  # fmt: skip
"""SHA-256 of what is taken, by its place in the package."""
KINDS = {"input_mtok": "input", "output_mtok": "output", "cache_read_mtok": "cached"}
"""The prices that we read, by their name there."""
CLAUSES = ("equals", "starts_with", "ends_with", "contains", "regex")
DAYS = (
    "2023-01-01",
    "2024-06-15",
    "2025-09-01",
    "2026-08-31",
    "2026-11-30",
    "2027-06-01",
)
ADDRESSES = {
    "aws": "https://bedrock-runtime.eu-west-1.amazonaws.com",
    "azure": "https://us.openai.azure.com/openai",
    "cloudflare": "https://api.cloudflare.com/client/v4/accounts/7/ai",
    "cohere": "https://api.cohere.ai",
    "databricks": "https://x.cloud.databricks.com/serving-endpoints",
    "elevenlabs": "https://api.us.elevenlabs.io",
    "google": "https://generativelanguage.googleapis.com/v1beta",
    "minimax": "https://api.minimaxi.com/v1",
    "modal": "https://x.modal.run",
    "moonshotai": "https://api.moonshot.ai/v1",
    "openrouter": "https://openrouter.ai/api/v1",
}
"""An address of each provider whose pattern isn't one itself."""
RECORDED_ON = date.fromisoformat(DAYS[-2])
EVERY = 40  # of the list's models whose prices are recorded for the tests
SEED = 31
MOST_ROUNDED = 0.035  # half of the largest step of a vector in the table


def install(folder: Path) -> None:
    """Put the releases into a folder and let Python find them; a wrong digest ends it."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    subprocess.run([*command, "--target", str(folder), *RELEASES], check=True)
    for name, digest in DIGESTS.items():
        if sha256(folder / name) != digest:
            raise SystemExit(
                f"{name} is not the file that was looked at: {sha256(folder / name)}"
            )
    sys.path.insert(0, str(folder))


def sha256(path: Path) -> str:
    """The digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


# Prices -------------------------------------------------------------------------------------------


def plain_clause(clause: Any) -> dict[str, Any]:
    """A rule for names as our file has it, its texts in small letters."""
    for kind in CLAUSES:
        if hasattr(clause, kind):
            text = getattr(clause, kind)
            return {kind: text if kind == "regex" else text.lower()}
    kind = "or" if hasattr(clause, "or_") else "and"
    return {kind: [plain_clause(each) for each in getattr(clause, f"{kind}_")]}


def plain_rates(listed: Any, constraint: Any) -> dict[str, Any]:
    """The prices that we read, with the condition under which they hold."""
    rates: dict[str, Any] = {}
    if hasattr(constraint, "start_date"):
        rates["start"] = constraint.start_date.isoformat()
    elif constraint is not None:
        times = (constraint.start_time, constraint.end_time)
        assert all(each.tzinfo is None or not each.utcoffset() for each in times)
        rates["hours"] = [each.strftime("%H:%M") for each in times]
    for theirs, ours in KINDS.items():
        value = getattr(listed, theirs)
        if hasattr(value, "tiers"):
            above = [[tier.start, plain_number(tier.price)] for tier in value.tiers]
            rates[ours] = {"base": plain_number(value.base), "above": above}
        elif value is not None:
            rates[ours] = plain_number(value)
    return rates


def plain_number(value: Any) -> int | float:
    """A decimal as JSON writes it; as a float it is the same one."""
    return int(value) if value == int(value) else float(value)


def plain_model(model: Any) -> dict[str, Any]:
    """A model as our file has it."""
    plain: dict[str, Any] = {"id": model.id, "match": plain_clause(model.match)}
    if model.context_window is not None:
        plain["context"] = model.context_window
    if isinstance(model.prices, list):
        plain["rates"] = [
            plain_rates(each.prices, each.constraint) for each in model.prices
        ]
    else:
        plain["rates"] = [plain_rates(model.prices, None)]
    variants = [
        each
        for each in model.price_variants or ()
        if each.when == {"processing": "batch"}
    ]
    batch = [plain_rates(each.prices, each.constraint) for each in variants]
    batch = [rates for rates in batch if rates.keys() & set(KINDS.values())]
    if batch:
        plain["batch"] = batch
    return plain


def write_prices() -> None:
    """Write the price list: a line a model, so that a difference can be read."""
    data = importlib.import_module("genai_prices.data")
    blocks = []
    for provider in data.providers:
        head: dict[str, Any] = {"id": provider.id, "address": provider.api_pattern}
        if provider.provider_match is not None:
            head["match"] = plain_clause(provider.provider_match)
        if provider.model_match is not None:
            head["names"] = plain_clause(provider.model_match)
        if provider.fallback_model_providers:
            head["others"] = provider.fallback_model_providers
        models = ",\n".join(compact(plain_model(model)) for model in provider.models)
        blocks.append(f'{compact(head)[:-1]},"models":[\n{models}]}}')
    release = RELEASES[0].replace("==", " ")
    text = f'{{"catalogue":"{release}","providers":[\n' + ",\n".join(blocks) + "]}\n"
    json.loads(text)
    (PRICES / "prices.json").write_text(text, "utf-8")


def compact(value: Any) -> str:
    """JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def their_price(
    listed: Any, name: str, day: date, address: str | None, tokens: float
) -> Any:
    """What genai-prices says, read as this program read it while it depended on it."""
    provider, _, model_name = name.partition(":")
    try:
        by = (None, address) if address else (provider, None)
        _, model = listed.find_provider_model(model_name, None, *by)
    except LookupError:
        return None
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    plain = [their_amount(model.get_prices(noon), kind, tokens) for kind in KINDS]
    in_batch = model.get_prices(noon, {"processing": "batch"})
    batch = [their_amount(in_batch, kind, tokens) for kind in KINDS]
    if plain[0] is None or plain[1] is None:
        return None
    if batch == plain or batch[1] is None:
        batch = [None, None, None]
    if batch[2] == plain[2]:
        batch[2] = None
    return [*plain, *batch, model.context_window]


def their_amount(rates: Any, kind: str, tokens: float) -> float | None:
    """A price of theirs for a request of so many tokens."""
    price = getattr(rates, kind)
    if hasattr(price, "tiers"):
        reached = [tier.price for tier in price.tiers if tokens > tier.start]
        price = reached[-1] if reached else price.base
    return None if price is None else float(price)


def our_price(name: str, day: date, address: str | None, tokens: float) -> Any:
    """The same, by our own reading."""
    price = price_on(name, day, base_url=address, input_tokens=tokens)
    return None if price is None else list(price)[:7]


def names_to_ask(data: Any) -> Iterator[tuple[str, str | None]]:
    """Every model of every provider, by several spellings, and names that nobody knows."""
    for provider in data.providers:
        address = ADDRESSES.get(provider.id) or provider.api_pattern.replace("\\.", ".")
        for model in provider.models:
            yield f"{provider.id}:{model.id}", None
            yield f"{provider.id.upper()}:{model.id.upper()}", None
            yield f"litellm:{provider.id}/{model.id}", None
            yield f"litellm:{model.id}", None
            yield f"{provider.id}:{model.id}-20251211", None
            yield f"{provider.id}:{model.id[:-1]}", None
            yield f"x:{model.id}", address.removesuffix("(?:/|$)")
        for name in (
            "",
            "none",
            "gpt-4o",
            "claude-sonnet-4-5",
            "gpt-4o-20240806",
            "x-20259999",
        ):
            yield f"{provider.id}:{name}", None
    models = [model.id for provider in data.providers for model in provider.models]
    draw = random.Random(SEED)  # noqa: S311  # random cases are no secrets
    for provider in data.providers:
        for model in draw.sample(models, 200):
            yield f"{provider.id}:{model}", None


def compare_prices() -> None:
    """Hold our price list against theirs, and say how many answers agree."""
    data = importlib.import_module("genai_prices.data")
    snapshot = importlib.import_module("genai_prices.data_snapshot").get_snapshot()
    starts = {
        each.constraint.start_date
        for provider in data.providers for model in provider.models
        if isinstance(model.prices, list) for each in model.prices
        if hasattr(each.constraint, "start_date")
    }  # fmt: skip
    days = {date.fromisoformat(day) for day in DAYS}
    turns = sorted(days | starts | {day - timedelta(days=1) for day in starts})
    draw = random.Random(SEED)  # noqa: S311  # random cases are no secrets
    asked = agreed = priced = 0
    recorded = []
    for number, (name, address) in enumerate(names_to_ask(data)):
        if not name.partition(":")[2]:
            continue
        for day in (*draw.sample(turns, 3), *map(date.fromisoformat, DAYS[-2:])):
            tokens = draw.choice((0, 1000, 150_000, 250_000, 1_000_000))
            theirs = their_price(snapshot, name, day, address, tokens)
            ours = our_price(name, day, address, tokens)
            asked += 1
            priced += theirs is not None
            agreed += theirs == ours
            if theirs != ours:
                print("differs:", name, day, address, tokens, theirs, ours)
            if number % (7 * EVERY) < 7 and day == RECORDED_ON:
                recorded.append([name, address, day.isoformat(), tokens, theirs])
    lines = ",\n".join(compact(each) for each in recorded)
    (RECORDED / "list_prices.json").write_text(f"[\n{lines}\n]\n", "utf-8")
    print(
        f"prices: {agreed:,} of {asked:,} answers agree; {priced:,} of them are prices"
    )


# Vectors ------------------------------------------------------------------------------------------


def write_vectors(folder: Path) -> None:
    """Take the table of vectors, each in steps of a 127th of its largest number, and the pieces.

    The whole table would make the package as large as all the rest of it.
    """
    safe = importlib.import_module("safetensors.numpy")
    table = safe.load_file(folder / "wordllama/weights/l2_supercat_256.safetensors")
    vectors = table["embedding.weight"].astype(np.float32)
    steps = (np.abs(vectors).max(axis=1) / 127).astype(np.float16)
    rounded = np.rint(vectors / steps[:, np.newaxis].astype(np.float32))
    np.save(VECTORS / "vectors.npy", rounded.clip(-127, 127).astype(np.int8))
    np.save(VECTORS / "steps.npy", steps)
    tokens = folder / "wordllama/tokenizers/l2_supercat_tokenizer_config.json"
    (VECTORS / "tokenizer.json").write_bytes(tokens.read_bytes())


def texts_to_embed(places: Sequence[Path]) -> list[str]:
    """Texts of files, whole or in pieces, and made-up ones that are hard to cut."""
    texts = []
    for place in places:
        for path in sorted(each for each in place.rglob("*") if each.is_file()):
            if path.suffix in {".jsonl", ".json", ".md", ".txt", ".csv", ".yaml"}:
                whole = path.read_text("utf-8", "replace")[:400_000]
                texts += whole.splitlines()[:400]
                texts.append(whole[:20_000])
    draw = random.Random(SEED)  # noqa: S311  # random cases are no secrets
    draw.shuffle(texts)
    signs = [*" \n\t\u2581\u00a0<>s/unk_aAeEtzZ09.,;-", "<s>", "</s>", "<unk>", "  ", "äöü", "ß",
             "中文", "日本語", "한국어", "ไทย", "🙂", "👩‍👩‍👧", "e\u0301", "\u200d", "\x00",
             "the", " in", "ing", "aaaa", "ab" * 9, "▁▁", "▁t"]  # fmt: skip
    hard = ["".join(draw.choices(signs, k=draw.randrange(60))) for _ in range(4000)]
    for _ in range(2000):
        letters = [draw.randrange(1, 0x3000), draw.randrange(0xE000, 0x20000)] * 20
        hard.append(
            "".join(map(chr, draw.sample(letters, 12))) + " " * draw.randrange(20)
        )
    return hard + texts[:20_000]


def compare_vectors(places: Sequence[Path]) -> None:
    """Hold our pieces and vectors against theirs, and say how many agree."""
    package = importlib.import_module("wordllama")
    folder = Path(str(package.__file__)).parent
    theirs = package.WordLlama.load(cache_dir=folder, disable_download=True)
    cut = embedding.tokenizer()
    texts = texts_to_embed(places)
    same = 0
    recorded = []
    for number, text in enumerate(texts):
        wanted = theirs.tokenizer.encode(text, add_special_tokens=False).ids
        same += wanted == cut.pieces(text)
        if wanted != cut.pieces(text):
            print("differs:", repr(text[:200]))
        if number < 300:
            recorded.append([text, wanted])
    lines = ",\n".join(json.dumps(each) for each in recorded)
    (RECORDED / "pieces.json").write_text(f"[\n{lines}\n]\n", "utf-8")
    print(f"pieces: those of {same:,} of {len(texts):,} texts agree")
    some = [text[:2000] or " " for text in texts]
    far = np.abs(theirs.embed(some) - embedding.mean_vectors(some)).max(axis=1)
    near = int((far <= MOST_ROUNDED).sum())
    print(
        f"vectors: {near:,} of {len(some):,} within {MOST_ROUNDED}, at most {far.max():.1e}"
    )


def main() -> None:
    """Write what is taken, unless only a comparison is asked for, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing but what tests read"
    )
    parser.add_argument(
        "places", nargs="*", type=Path, help="folders with more texts to embed"
    )
    arguments = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        install(folder)
        if not arguments.check:
            write_prices()
            write_vectors(folder)
            for name, target in (("genai_prices", PRICES), ("wordllama", VECTORS)):
                (found,) = (each for each in distributions(path=[place])
                            if each.name.replace("-", "_") == name)  # fmt: skip
                licence = next(
                    each for each in found.files or () if each.name == "LICENSE"
                )
                (target / "LICENSE").write_text(licence.read_text("utf-8"), "utf-8")
        compare_prices()
        compare_vectors([PROJECT / "examples", *arguments.places])


if __name__ == "__main__":
    main()

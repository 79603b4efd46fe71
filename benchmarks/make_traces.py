"""Makes traces to measure speed on: seeded, of any size, with text that looks like text.

Words are our own, their frequencies fall as in language (Zipf), and what follows a word is drawn
from a few dozen favourites of it. Three products write the log: an assistant with a system prompt
of six thousand characters, an extraction that answers in JSON, and a search with passages.

Run ``python benchmarks/make_traces.py FILE --gb 1`` to keep a file.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

STEMS = """\
account address advance agent alarm amount anchor answer arrange assist balance basket
battery benefit bill booking border branch bridge browser budget button cable calendar cancel
capital carrier case change channel charge check circle claim clear client code collect colour
comfort company compare connect consider contact contract copy correct cost counter cover create
credit cross customer damage data dealer decide delay deliver deposit depot design detail device
discount display document door double draft drive duty early edit effect email empty engine enter
error event exact exchange expect express extend factor failure feature field figure file filter
final find finish fix flight floor follow form forward frame freight front garden gather general
gift glass global goods grade grant ground group guard guest guide handle harbour head health help
hold home hotel hour house idea image import include increase index inform insure invoice island
issue item join journey keep kitchen label lamp land language large last launch lead learn leave
ledger letter level licence lift light limit line link list load loan local lock log long loss
machine mail main manage map mark market master match material matter measure member memory menu
message meter method middle minute mirror missing model module money month motor move name network
night note notice number object offer office open option order outlet owner package page paper
parcel part partner pass patient pattern pause payment period permit phone photo picture place plan
plant plate platform point policy port portal position post power premium prepare present press
price print private problem process product profile project promise proof protect provide public
purchase purpose quality quantity quarter question quick quote rail range rate reach read reason
receipt record reduce refer refund region register reject release remain remind remove rent repair
repeat replace report request reserve reset resolve rest result return review right ring road room
route rule safe sale sample save scale schedule screen search season seat section secure select
send service session settle share shelf ship shop short show side sign simple single site size
skill small software solve source space speed staff stage stand start state station step stock stop
store street strong subject submit summer supply support survey switch system table target task tax
team term test text ticket time title tool total touch tour track trade train transfer travel treat
trial trip trouble truck trust type unit update upgrade usage user value van version view visit
voice volume wait wall warehouse warm warning water weather week weight wheel window winter wire
word work world write year zone"""
ENDINGS = ("", "s", "ed", "ing", "er", "able", "ment", "ful")
SMALL = """\
the of and to a in is that for it with as on be at by this are or from an not we you your
was but have which can if has will one all would there their when about more out up so no what into
some them than only other its also after any our may then do first new these could my over such
most even made where must before through now should very how well each both between own under
because does while just much still"""

VOCABULARY, FOLLOWERS, SENTENCES, CHAINS = 4_000, 40, 200_000, 2_000
BYTES_PER_GB = 1000**3
START = 1_785_000_000.0  # July 2026
SPAN_S = 90 * 86_400.0
OPEN_CONVERSATIONS = 200


def sentences(rng: np.random.Generator, many: int) -> list[str]:
    """Sentences from a Markov chain over words."""
    stems = STEMS.split()
    words = [*SMALL.split(), *(stem + ending for ending in ENDINGS for stem in stems)][
        :VOCABULARY
    ]
    ranks = np.arange(1, len(words) + 1)
    weights = (1 / ranks) / (1 / ranks).sum()
    follows = rng.choice(len(words), size=(len(words), FOLLOWERS), p=weights)
    made: list[str] = []
    state = rng.choice(len(words), size=CHAINS, p=weights)
    while len(made) < many:
        length = int(rng.integers(6, 22))
        path = np.empty((length, CHAINS), dtype=np.int64)
        for place in range(length):
            state = follows[state, rng.integers(0, FOLLOWERS, CHAINS)]
            path[place] = state
        for chain in path.T.tolist():
            text = " ".join([words[code] for code in chain])
            made.append(f"{text[0].upper()}{text[1:]}{'.' if length % 7 else '?'}")
    return made[:many]


def amounts(rng: random.Random, tokens: int, written: int) -> dict[str, Any]:
    """What a call took, by the tokens that it read and wrote."""
    return {
        "latency_s": round(
            0.3 + tokens / 5_000 + written / 90 * rng.lognormvariate(0, 0.3), 3
        ),
        "input_tokens": tokens,
        "output_tokens": written,
        "usd": round(tokens * 2.5e-6 + written * 1e-5, 7),
    }


class Log:
    """A log of calls of three products, in the order of time.

    Args:
        seed: The same seed gives the same log.
    """

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._sentences = sentences(np.random.default_rng(seed), SENTENCES)
        self._systems = {
            "assistant": [self._text_of(6_000) for _ in range(3)],
            "extraction": [
                self._text_of(1_200) + " Answer in JSON only." for _ in range(2)
            ],
            "search": [self._text_of(600)],
        }
        self._open: list[dict[str, Any]] = []
        self._products: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "assistant": self._assist,
            "extraction": self._extract,
            "search": self._search,
        }
        self._begun = 0
        self._answers: list[str] = ["Done."]

    def traces(self) -> Iterator[dict[str, Any]]:
        """Traces without an end, the conversations of some moment mixed."""
        while True:
            while len(self._open) < OPEN_CONVERSATIONS:
                self._open.append(self._begin())
            place = self._rng.randrange(len(self._open))
            talk = self._open[place]
            yield self._products[talk["product"]](talk)
            talk["turn"] += 1
            if talk["turn"] >= talk["turns"]:
                self._open[place] = self._open[-1]
                self._open.pop()

    def _begin(self) -> dict[str, Any]:
        self._begun += 1
        product = self._rng.choices(list(self._products), (1, 4, 4))[0]
        turns = self._rng.choice((2, 3, 4, 5, 6)) if product == "assistant" else 1
        return {
            "product": product, "id": f"conv-{self._begun:08d}", "turn": 0, "turns": turns,
            "history": [],
        }  # fmt: skip

    def _text(self, low: int, high: int) -> str:
        return " ".join(
            self._rng.choices(self._sentences, k=self._rng.randint(low, high))
        )

    def _text_of(self, characters: int) -> str:
        text = ""
        while len(text) < characters:
            text += self._text(3, 5) + "\n"
        return text[:characters]

    def _personal(self) -> str:
        """Now and then something that shouldn't be in a log; none of it is anybody's."""
        pick, digits = self._rng.random(), self._rng.randrange(10**7)
        if pick < 0.01:
            return f" You reach me at anna.{digits}@mail.example."
        if pick < 0.02:
            return f" My number is +49 30 {digits:07d}."
        if pick < 0.023:
            return " The card is 4111 1111 1111 1111."
        return ""

    def _common(self, talk: dict[str, Any], asked: str, answer: str) -> dict[str, Any]:
        rng, versions = self._rng, self._systems[talk["product"]]
        version = min(len(versions) - 1, int(len(versions) * self.clock))
        tokens = len(versions[version]) // 4 + len(asked) // 4 + rng.randrange(40)
        written = len(answer) // 4 + 1
        trace: dict[str, Any] = {
            "timestamp": round(START + SPAN_S * self.clock + rng.random(), 3),
            "conversation_id": talk["id"],
            "turn": talk["turn"],
            "model": "large-1" if rng.random() < 0.7 else "small-2",
            "prompt_name": talk["product"],
            "prompt_version": f"v{version + 1}",
            **amounts(rng, tokens, written),
        }
        if rng.random() < 0.1:
            trace["feedback"] = {"score": float(rng.random() < 0.85)}
        if rng.random() < 0.005:
            trace["error"] = "timeout"
        return trace

    clock = 0.0
    """How much of the time has passed, from 0 to 1."""

    def _assist(self, talk: dict[str, Any]) -> dict[str, Any]:
        asked = self._text(1, 5) + self._personal()
        answer = self._text(2, 9)
        if self._rng.random() < 0.03:
            answer = self._rng.choice(self._answers)
        elif self._rng.random() < 0.01:
            self._answers = [*self._answers[-50:], answer]
        if self._rng.random() < 0.02:
            answer = "I'm sorry, but I can't help with that request. " + answer
        trace = self._common(talk, asked, answer)
        version = int(trace["prompt_version"][1:]) - 1
        system = {"role": "system", "content": self._systems["assistant"][version]}
        turn = {"role": "user", "content": asked}
        trace |= {"messages": [system, *talk["history"], turn], "output": answer}
        if self._rng.random() < 0.15:
            call = {"order": self._rng.randrange(10**6), "reason": self._text(1, 1)}
            trace["tool_calls"] = [
                {
                    "name": "look_up_order",
                    "arguments": msgspec.json.encode(call).decode(),
                }
            ]
        talk["history"] += [turn, {"role": "assistant", "content": answer}]
        return trace

    def _extract(self, talk: dict[str, Any]) -> dict[str, Any]:
        asked = self._text(4, 14) + self._personal()
        fields = {
            "subject": self._text(1, 1), "amount": self._rng.randrange(10_000) / 100,
            "urgent": self._rng.random() < 0.2, "items": self._text(1, 1).split()[:4],
            "summary": self._text(1, 3),
        }  # fmt: skip
        if self._rng.random() < 0.05:
            fields.pop("urgent")
        answer = msgspec.json.encode(fields).decode()
        if self._rng.random() < 0.02:
            answer = answer[:-3]
        trace = self._common(talk, asked, answer)
        version = int(trace["prompt_version"][1:]) - 1
        return trace | {
            "system": self._systems["extraction"][version], "input": asked, "output": answer,
        }  # fmt: skip

    def _search(self, talk: dict[str, Any]) -> dict[str, Any]:
        asked = self._text(1, 2)
        passages = [self._text(3, 8) for _ in range(self._rng.randint(2, 5))]
        answer = (
            " ".join(self._rng.choice(passages).split(". ")[:2])
            + " "
            + self._text(1, 2)
        )
        trace = self._common(talk, asked, answer)
        contexts = [
            {"id": f"d{self._rng.randrange(5_000)}", "text": text} for text in passages
        ]
        return trace | {
            "system": self._systems["search"][0], "input": asked, "contexts": contexts,
            "output": answer,
        }  # fmt: skip


def write(path: Path, *, size_bytes: int, seed: int = 20_261_124) -> int:
    """Write a log of about a size.

    Returns:
        How many traces it holds.
    """
    return write_log(path, Log(seed), msgspec.json.Encoder().encode, size_bytes)


def write_log(
    path: Path, log: Any, encode: Callable[[Any], bytes], size_bytes: int
) -> int:
    """Write the traces of a log, whose clock goes by what is written."""
    written, many = 0, 0
    with path.open("wb") as file:
        for trace in log.traces():
            written += file.write(encode(trace) + b"\n")
            many += 1
            log.clock = min(1.0, written / size_bytes)
            if written >= size_bytes:
                break
    return many


def main() -> int:
    """Write a file for a person."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--gb", type=float, default=1.0, help="size in units of a billion bytes"
    )
    parser.add_argument("--seed", type=int, default=20_261_124)
    told = parser.parse_args()
    many = write(told.file, size_bytes=int(told.gb * BYTES_PER_GB), seed=told.seed)
    print(f"{many} traces in {told.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

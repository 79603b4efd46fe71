"""Worlds for searches: models of which the best prompt is known, and one that writes prompts."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneworthy.model.lab import Request

WORDS = ("amber", "birch", "cobalt", "dune", "ember", "fjord", "grove", "heron")
ASKS = "You write the instructions of an assistant."
"""How every question to a writing model begins."""
_KIND = re.compile(r"Parcel \d+ of (\w+)")


def rule(kind: str) -> str:
    """The sentence that tells a model how to treat a kind of case."""
    return f"Parcels of {kind} go by the {kind} table."


def chance(*parts: object) -> float:
    """A number between 0 and 1 that depends on nothing but its parts."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@dataclass(frozen=True)
class World:
    """Parcels of some kinds: a prompt is right on most of a kind whose rule it holds.

    What it gets right is fixed by case, so that two prompts with the same rules are right on the
    same cases.
    """

    seed: int
    weights: dict[str, float]  #: Share of cases of each kind.
    base: dict[str, float]  #: Share right of a kind without its rule.
    most: float  #: Share right of a kind with its rule: the rest nobody gets right.
    near: frozenset[str]  #: Kinds that the nearest examples teach as well as a rule.
    effort: float  #: Share of cases that take a high effort.
    efforts: tuple[str, ...]  #: Efforts of the model; () where it has none.
    #: Chance that the writing model sees a rule in a case that went wrong.
    skill: float
    slips: float  #: Chance that it loses a rule that was there.
    #: Rules of the team's own.
    prompts: dict[str, frozenset[str]] = field(default_factory=dict)
    cases: int = 240

    @classmethod
    def drawn(cls, seed: int) -> World:
        """A world by its number."""
        draw = random.Random(seed)
        kinds = WORDS[: draw.randint(3, 8)]
        parts = [draw.uniform(0.5, 2.0) for _ in kinds]
        weights = {
            kind: part / sum(parts) for kind, part in zip(kinds, parts, strict=True)
        }
        base = {kind: draw.uniform(0.05, 0.6) for kind in kinds}
        known = draw.choice((0.2, 0.5, 0.9))  # how much the team has found by itself
        prompts = {}
        for name in ("v1", "v2", "v3")[: draw.randint(2, 3)]:
            prompts[name] = frozenset(kind for kind in kinds if draw.random() < known)
        thinks = draw.random() < 0.3
        return cls(
            seed=seed,
            weights=weights,
            base=base,
            most=draw.uniform(0.8, 0.98),
            near=frozenset(kind for kind in kinds if draw.random() < 0.25),
            effort=draw.uniform(0.0, 0.1) if thinks else 0.0,
            efforts=("low", "high") if thinks else (),
            skill=draw.choice((0.0, 0.4, 0.7, 0.95)),
            slips=draw.choice((0.0, 0.1, 0.25)),
            prompts=prompts,
            cases=draw.choice((120, 160, 240)),
        )

    def quality(self, system: str, shown: Collection[str], effort: str) -> float:
        """The share of all cases that there could be that a prompt gets right.

        ``shown`` are the kinds that it shows an example of.
        """
        right = 0.0
        for kind, weight in self.weights.items():
            right += weight * self._level(kind, system, nearest=kind in shown)
        return right * (1.0 if effort == "high" else 1.0 - self.effort)

    @property
    def best(self) -> float:
        """The quality of the best that a search could come to."""
        kinds = (
            [*self.weights]
            if self.skill
            else sorted(set().union(*self.prompts.values()))
        )
        texts = (
            [" ".join(map(rule, kinds))] if self.skill else map(self.text, self.prompts)
        )
        return max(
            self.quality(text, self.weights, "high" if self.efforts else "")
            for text in texts
        )

    def text(self, name: str) -> str:
        """A prompt of the team's own."""
        rules = " ".join(rule(kind) for kind in sorted(self.prompts[name]))
        return f"Say where the parcel goes, variant {name}. {rules}".strip()

    def _level(self, kind: str, system: str, *, nearest: bool) -> float:
        taught = rule(kind) in system or (nearest and kind in self.near)
        return self.most if taught else min(self.base[kind], self.most)

    def kind(self, number: int) -> str:
        """The kind of a case."""
        at = chance(self.seed, "kind", number)
        for kind, weight in self.weights.items():
            at -= weight
            if at < 0:
                return kind
        return next(iter(self.weights))

    @staticmethod
    def kind_of(asked: str) -> str:
        """The kind that a case names."""
        return str(_KIND.findall(asked)[-1])

    def answer(self, request: Request) -> str:
        """What the model answers, or writes."""
        first = request.messages[0].content
        if first.startswith(ASKS):
            return self._write(first)
        asked = request.messages[-1].content
        number = int(re.findall(r"Parcel (\d+)", asked)[-1])
        kind = _KIND.findall(asked)[-1]
        shown = [m.content for m in request.messages[1:-1] if m.role == "user"]
        nearest = any(_KIND.findall(text)[:1] == [kind] for text in shown)
        level = self._level(kind, first, nearest=nearest)
        hard = chance(self.seed, "hard", number) < self.effort
        right = chance(self.seed, "case", number) < level
        if not right or (hard and request.effort != "high"):
            return "nobody knows"
        return f"door {number % 7}"

    def _write(self, question: str) -> str:
        """Instructions with the rules there were, less a slip, and what the wrong cases teach."""
        draw = random.Random(hashlib.sha256(question.encode()).hexdigest())
        current = question.split("```")[1]
        rules = {kind for kind in self.weights if rule(kind) in current}
        rules -= {kind for kind in sorted(rules) if draw.random() < self.slips}
        for part in question.split("# Example")[1:]:
            if "Wrong" in part and draw.random() < self.skill:
                rules |= set(_KIND.findall(part)[:1])
        lines = " ".join(rule(kind) for kind in sorted(rules))
        return f"Here they are.\n```\nSay where the parcel goes. {lines}\n```"

    def folder(self, folder: Path, base_url: str, target: float) -> Path:
        """The case of the world."""
        (folder / "prompts").mkdir(parents=True)
        for name in self.prompts:
            (folder / "prompts" / f"{name}.md").write_text(self.text(name) + "\n")
        rows = []
        for number in range(self.cases):
            asked = f"Parcel {number} of {self.kind(number)}: where does it go?"
            rows.append(
                {"id": f"c{number}", "input": asked, "reference": f"door {number % 7}"}
            )
        (folder / "eval.jsonl").write_text(
            "".join(f"{json.dumps(row)}\n" for row in rows)
        )
        model: dict[str, Any] = {
            "id": "parcels:one",
            "base_url": base_url,
            "usd_per_mtok": {"input": 1, "output": 4},
        }
        if self.efforts:
            model["effort"] = [*self.efforts]
        (folder / "case.yaml").write_text(
            f"name: Parcels\ntargets: {{quality: {{metric: match, at_least: {target:.4f}}}}}\n"
            f"models: [{json.dumps(model)}]\ndata: {{evaluation: eval.jsonl, prompts: prompts}}\n"
        )
        return folder

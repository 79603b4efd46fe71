"""Laws of the fit that is kept as a warning: no leak, sane signs, and files that agree."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from copy import deepcopy
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from published import CASES, PublishedCase, published_cases

from tuneworthy import Framework, FrameworkError, load_framework
from tuneworthy.framework.lint import check
from tuneworthy.framework.load import load_document, load_named
from tuneworthy.syntax.document import parse

HERE = Path(__file__).resolve().parent


def tool(name: str) -> Any:
    """A script beside this file."""
    return import_module(name)


def first_cases() -> tuple[PublishedCase, ...]:
    """The cases there were when the framework was fitted."""
    first: int = tool("refit").FIRST
    return published_cases()[:first]


@cache
def precedent() -> Framework:
    return load_framework(HERE / "precedent.yaml")


def fitted() -> Any:
    """What the fit came to, which nothing that ships reads."""
    return record()["odds"]


@cache
def record() -> Any:
    return yaml.safe_load((HERE / "precedent_record.yaml").read_text("utf-8"))


# The framework that ships -------------------------------------------------------------------------


def test_signs_are_sane_in_the_framework_that_ships() -> None:
    sane = tool("refit_data").SANE
    for name, adds in fitted()["answers"].items():
        assert sane[name][0] * adds["yes"] >= 0 >= sane[name][0] * adds["no"]
        side = (
            precedent().indicators if sane[name][0] > 0 else precedent().anti_indicators
        )
        assert name in side


def test_a_factor_without_evidence_weighs_nothing() -> None:
    for name, factor in precedent().factors.items():
        adds = fitted()["answers"].get(name)
        expected = 0 if adds is None else abs(adds["yes"] - adds["no"])
        assert factor.weight == pytest.approx(expected, abs=0.006)


def test_it_asks_all_that_the_lesson_asks() -> None:
    lesson = load_named("lesson")
    assert set(lesson.factors) <= set(precedent().factors)
    assert set(lesson.ceiling) == set(precedent().ceiling)
    for name, factor in lesson.factors.items():
        assert precedent().factors[name].ask == factor.ask
    for name in set(precedent().factors) - set(lesson.factors):
        factor = precedent().factors[name]
        assert factor.minutes == 1
        assert all((factor.ask, factor.why, factor.means, factor.example))
        assert name in fitted()["answers"]


def test_the_linter_finds_only_factors_without_evidence() -> None:
    found = check(precedent())
    assert len(precedent().factors) <= 22
    said = found.model_dump(mode="json")
    assert precedent().name == said["framework"]["name"]
    idle = [name for name, factor in precedent().factors.items() if factor.weight == 0]
    dead = [one for one in said["findings"] if "never" in json.dumps(one)]
    assert len(dead) <= len(idle)


# The files agree ----------------------------------------------------------------------------------


def test_both_files_were_made_from_the_cases_that_ship() -> None:
    digest = tool("refit_data").digest(first_cases())
    source = precedent().fitted_on
    assert source is not None
    assert source.digest == digest == record()["digest"]
    assert source.cases == record()["cases"] == 84


def test_the_odds_of_the_record_are_those_that_were_measured() -> None:
    earned = []
    for coder, track in fitted()["records"].items():
        nested = record()["nested"][coder]
        assert track["accuracy"] == nested["fit"]["accuracy"]
        assert track["brier"] == nested["fit"]["brier"]
        gain = nested["gain"]["base_rate"]
        assert (track["brier_gain"], track["accuracy_gain"]) == (
            gain["brier"],
            gain["accuracy"],
        )
        earned.append(gain["brier"]["low"] > 0 and gain["accuracy"]["low"] > 0)
    assert len(earned) == 2
    assert (
        fitted()["earned"]
        == record()["final"]["earned"]
        == ("yes" if all(earned) else "no")
    )


def test_counts_beside_the_weights_are_those_of_the_issue() -> None:
    """Wins over cases of yes answers, as both coders' answers were counted before any fit."""
    by_hand = {
        "house_convention": ("yes", "25/33", "29/37"), "narrow_task": ("no", "3/22", "6/25"),
        "consistent_behavior": ("no", "2/16", "1/13"), "knowledge_facts": ("yes", "6/23", "7/22"),
        "open_ended_chat": ("yes", "2/9", "2/9"), "low_volume": ("yes", "0/4", "0/4"),
        "constraint_gap": ("yes", "6/7", "8/10"), "domain_knowledge": ("yes", "19/40", "21/40"),
    }  # fmt: skip
    answers = record()["coders"]["answers"]
    for name, (state, first, second) in by_hand.items():
        assert answers[name]["blind1"][state] == first
        assert answers[name]["blind2"][state] == second


def test_the_page_tells_the_record_that_looked_good() -> None:
    page = (HERE / "how-often-is-it-right.md").read_text("utf-8")
    text, nested = " ".join(page.split()), record()["nested"]
    fits = [nested[codes]["fit"] for codes in ("blind1", "blind2")]
    right = [round(100 * fit["accuracy"]["value"]) for fit in fits]
    ahead = [
        round(100 * nested[codes]["gain"]["always"]["accuracy"]["value"])
        for codes in ("blind1", "blind2")
    ]
    assert (
        f"right in {right[0]} and {right[1]}%, {ahead[0]} and {ahead[1]} points more"
        in text
    )
    assert (
        "a Brier score of {:.3f} and {:.3f}".format(
            *(fit["brier"]["value"] for fit in fits)
        )
        in text
    )
    luck = record()["permutation"]["brier_gain"]
    assert f"a Brier gain of {luck['real']:.3f}" in text
    told = f"{luck['permuted_mean']:.3f} on average and at most {luck['permuted_most']:.3f}"
    assert told in text


# The fit ------------------------------------------------------------------------------------------


def data_of(cases: tuple[PublishedCase, ...] | None = None) -> Any:
    return tool("refit_data").arrays(cases or first_cases())


def quick() -> Any:
    return tool("refit_checks").QUICK_EFFORT.settings


def nested(data: Any, seed: int = 0, outer: int | None = 10) -> tuple[Any, Any]:
    found: tuple[Any, Any] = tool("refit_nested").nested(
        data, quick(), rng=np.random.default_rng(seed), outer=outer
    )
    return found


def test_without_bounds_the_fit_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x, y = rng.choice([-1.0, 0.0, 1.0], (60, 3)), rng.random(60) < 0.4
    theirs = LogisticRegression(C=1 / 3, tol=1e-10, max_iter=10_000).fit(x, y)
    terms = np.concatenate([np.ones((1, 1, 60)), x.T[None]], axis=1)
    ours = tool("refit_models").newton(
        terms, np.ones((1, 60)), y[None].astype(float), np.array([[0, 3.0, 3.0, 3.0]]),
        np.array([False] * 4),
    )[0]  # fmt: skip
    assert ours[1:] == pytest.approx(theirs.coef_[0], abs=1e-3)
    assert ours[0] == pytest.approx(theirs.intercept_[0], abs=1e-3)


def test_a_bound_is_kept_and_nothing_better_lies_inside_it() -> None:
    rng = np.random.default_rng(1)
    x = rng.choice([-1.0, 0.0, 1.0], (80, 4))
    y = (rng.random(80) < 1 / (1 + np.exp(-x @ [1.0, -1.0, 0.0, 0.5]))).astype(float)
    terms = np.concatenate([np.ones((1, 1, 80)), x.T[None]], axis=1)
    ridge = np.array([[0, 1.0, 1.0, 1.0, 1.0]])
    bounded = np.array([False, True, True, True, True])
    models = tool("refit_models")
    beta = models.newton(terms, np.ones((1, 80)), y[None], ridge, bounded)
    assert beta[0, 1:].min() >= 0
    assert beta[0, 2] == 0
    best = models._objective(beta, terms, np.ones((1, 80)), y[None], ridge)[0]
    for _ in range(300):
        other = beta + rng.normal(0, 0.05, beta.shape)
        other[:, 1:] = np.maximum(other[:, 1:], 0)
        assert (
            models._objective(other, terms, np.ones((1, 80)), y[None], ridge)[0]
            >= best - 1e-9
        )


def test_every_family_keeps_its_signs_whatever_the_outcomes() -> None:
    models, data = tool("refit_models"), data_of()
    rng = np.random.default_rng(2)
    many = len(data.names)
    for candidate in models.QUICK:
        won = np.tile((rng.random((5, 84)) < 0.5).astype(float), 2)
        coefs = models.fit(candidate, data, np.full(won.shape, 0.5), won)
        assert (coefs[:, 1 : 1 + many] >= 0).all()
        assert (coefs[:, 1 + many : 1 + 2 * many] <= 0).all()


def test_unknown_answers_add_nothing_in_the_fit_either() -> None:
    models, data = tool("refit_models"), data_of()
    silent = data.with_answers(np.zeros_like(data.answers))
    won = data.won[None]
    for candidate in models.QUICK:
        coefs = models.fit(candidate, silent, np.full(won.shape, 0.5), won)
        assert (coefs[:, 1 : 1 + 2 * len(data.names)] == 0).all()


def test_on_noise_the_procedure_is_at_chance() -> None:
    """Outcomes that have nothing to do with the answers: no gain on average, seldom a large one."""
    data = data_of()
    gains, right = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        won = np.tile((rng.permutation(84) < 46).astype(float), 2)
        told, _ = nested(data.with_won(won), seed)
        rate = won.mean()
        gains.append(((rate - won) ** 2 - (told - won) ** 2).mean())
        right.append(((told > 0.5) == (won > 0.5)).mean())
    assert np.mean(gains) < 0.005
    assert max(gains) < 0.05
    assert abs(np.mean(right) - 0.5) < 0.08


def test_a_rich_candidate_is_judged_by_what_it_has_not_seen() -> None:
    """Hardly shrunken, it fits any noise it is shown; inside a fold it has to lose to the rate."""
    models, refit, data = tool("refit_models"), tool("refit_nested"), data_of()
    rich = models.Candidate("logistic", models.ALL, 0.01)
    settings = refit.Settings((models.Candidate("base"), rich), 1)
    rng = np.random.default_rng(0)
    won = np.tile((rng.random((8, 84)) < 0.5).astype(float), 2)
    weights = np.full(won.shape, 0.5)
    chosen = refit.choose(data, weights, won, settings, rng)
    assert (chosen.index == 0).all()
    shown = 1 / (1 + np.exp(-(models.fit(rich, data, weights, won) @ data.design.T)))
    assert (
        (shown > 0.5) == (won > 0.5)
    ).mean() > 0.55  # on what it is shown it is no coin


def test_a_planted_rule_is_found() -> None:
    data = data_of()
    rng = np.random.default_rng(0)
    first = data.answers[:84, data.names.index("house_convention")]
    won = np.tile((rng.random(84) < np.where(first > 0, 0.9, 0.1)).astype(float), 2)
    told, _ = nested(data.with_won(won))
    assert ((told > 0.5) == (won > 0.5)).mean() > 0.75  # at best 0.9, and coders differ


def test_a_question_that_copies_the_outcome_in_training_alone_is_not_rewarded() -> None:
    """The copy tells everything inside, and the opposite outside, so whoever trusts it is wrong.

    A procedure that looked at held-out outcomes would see that, and do better than this.
    """
    data = data_of()
    refit = tool("refit_nested")
    rng = np.random.default_rng(3)
    out = refit.left_out(data, 5, rng)
    weights = refit.row_weights(data)
    column = data.names.index("brand_voice")
    right = []
    for held in out:
        answers = data.answers.copy()
        copy = np.where(data.won > 0.5, 1, -1)
        answers[:, column] = np.where(held, -copy, copy)
        planted = data.with_answers(answers)
        chosen = refit.choose(
            planted,
            (weights * ~held)[None],
            data.won[None],
            quick(),
            np.random.default_rng(0),
        )
        told = 1 / (1 + np.exp(-(chosen.coefs[0] @ planted.design.T)))
        right.append(((told > 0.5) == (data.won > 0.5))[held].mean())
    assert np.mean(right) < 0.3


def test_what_is_held_out_changes_nothing_about_what_is_said_of_it() -> None:
    """Each outcome turned around: the chance of its own case stays what it was, to the last bit."""
    data = data_of()
    refit = tool("refit_nested")
    before, _ = nested(data, outer=None)
    for cluster in (0, 10, 40):
        mine = data.cluster == cluster
        after, _ = nested(
            data.with_won(np.where(mine, 1 - data.won, data.won)), outer=None
        )
        assert (after[mine] == before[mine]).all()
        assert (after[~mine] != before[~mine]).any()
    out = refit.left_out(data, None, np.random.default_rng(0))
    assert (out.sum(0) == 1).all()


def test_a_cluster_is_never_split() -> None:
    data = data_of()
    refit = tool("refit_nested")
    for seed in range(5):
        dealt = refit.folds(data.cluster, rng=np.random.default_rng(seed), count=5)
        for cluster in np.unique(data.cluster):
            assert len(set(dealt[data.cluster == cluster])) == 1


def test_baselines_do_not_see_the_case_they_judge() -> None:
    data, study = data_of(), tool("refit_study")
    for baseline in (study.base_rate, study.goal_alone, study.nearest_vote):
        before = baseline(data)
        mine = data.cluster == 10
        after = baseline(data.with_won(np.where(mine, 1 - data.won, data.won)))
        assert (after[mine] == before[mine]).all()
        assert (after[~mine] != before[~mine]).any()


def test_outcomes_are_only_laid_in_another_order() -> None:
    data, study = data_of(), tool("refit_study")
    won, clusters = data.won[:84], data.cluster[:84]
    seen = np.zeros((84, 2), dtype=bool)
    for seed in range(60):
        laid = study.laid_end_to_end(won, clusters, np.random.default_rng(seed))
        assert laid.sum() == won.sum()
        seen[np.arange(84), laid.astype(int)] = True
    assert seen.all()


def test_answers_taken_for_something_are_taken_only_where_unknown() -> None:
    data, study = data_of(), tool("refit_study")
    known = data.answers != 0
    for way in ("no", "yes", "against", "for", "worst"):
        other = study.recoded(data, way).answers
        assert (other[known] == data.answers[known]).all()
        assert (other != 0).all()
    assert (study.recoded(data, "against").answers[~known] == -1).all()
    column = data.names.index("low_volume")
    assert (study.recoded(data, "no").answers[~known[:, column], column] == 1).all()
    worst = study.recoded(data, "worst").answers
    assert (
        worst[~known] == np.where(data.won > 0.5, -1, 1)[np.nonzero(~known)[0]]
    ).all()


# The command --------------------------------------------------------------------------------------


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool on one core: the tests beside it want the others."""
    command = [sys.executable, str(HERE / "refit.py"), *arguments]
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return subprocess.run(
        command,
        env={**os.environ, **alone},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_quick_refit_runs_and_comes_to_the_same_again(tmp_path: Path) -> None:
    done = run("--quick", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "precedent.yaml").read_text("utf-8")
    assert (
        load_document(parse(text, "precedent.yaml", FrameworkError)).fitted_on
        is not None
    )
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"precedent.yaml", "precedent_record.yaml"}
    done = run("--quick", "--check", "--output", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "")
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_check_sees_another_number_and_no_other_day() -> None:
    differences = tool("refit").differences
    old = {"dated": "2026-11-24", "a": [1, {"b": 0.5}], "c": "x", "d": 100.0}
    assert differences(old, deepcopy(old)) == []
    assert differences(old, {**old, "dated": "2027-01-01"}) == []
    assert differences(old, {**old, "a": [1, {"b": 0.51}]}) == ["a.1.b"]
    assert differences(old, {**old, "a": [1, {"b": 0.501}], "d": 100.2}) == []
    assert differences(old, {**old, "c": "y", "e": 1}) == ["c", "e"]
    assert differences(old, {**old, "a": [1]}) == ["a"]


def test_a_handful_of_sources_is_not_fitted(tmp_path: Path) -> None:
    file = tmp_path / "few.yaml"
    file.write_text(
        "[{id: a, winner: rag}, {id: b, winner: fine_tune}]", encoding="utf-8"
    )
    done = run("--quick", "--output", str(tmp_path), "--cases", str(file))
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [file])
    assert "too few: 2" in done.stdout


def test_where_outcomes_are_noise_the_fit_earns_nothing(tmp_path: Path) -> None:
    """The record says earned: no, and the framework beside it loads."""
    cases = yaml.safe_load(CASES.read_text("utf-8"))[:88]
    winners = [case["winner"] for case in cases]
    random.Random(5).shuffle(winners)
    for case, winner in zip(cases, winners, strict=True):
        case["winner"] = winner
    file = tmp_path / "noise.yaml"
    file.write_text(yaml.safe_dump(cases), encoding="utf-8")
    done = run("--quick", "--output", str(tmp_path), "--cases", str(file))
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "precedent.yaml").read_text("utf-8")
    assert (
        load_document(parse(text, "precedent.yaml", FrameworkError)).fitted_on
        is not None
    )
    told = yaml.safe_load((tmp_path / "precedent_record.yaml").read_text("utf-8"))
    assert told["final"]["earned"] == told["odds"]["earned"] == "no"

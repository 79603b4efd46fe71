"""The retrieval lab: what finds the known passage, and what answers lose by it."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
import time
import zlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_chaos import FREE, endpoint

from faulty import Fake
from tuneworthy import InputError, decide, load_framework
from tuneworthy.cli import run as command
from tuneworthy.files import case as files_case
from tuneworthy.files import documents as files_documents
from tuneworthy.files import stores as files_stores
from tuneworthy.files.evalset import read_evalset
from tuneworthy.lab import retrieve as api
from tuneworthy.lab import retrieve as lab_retrieve
from tuneworthy.model import evalset as model_evalset
from tuneworthy.model.lab import Request

DAY = date(2026, 11, 27)
GALLERY = Path(__file__).parents[2] / "examples" / "municipal-services"
WORDS = st.lists(
    st.sampled_from(["fee", "dog", "pool", "tree", "card", "week", "lawn", "rain"]),
    max_size=30,
)


# Cutting and finding ------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.booleans(), WORDS), max_size=8),
    st.sampled_from(["fixed", "sections"]),
)
def test_no_word_is_lost_and_no_piece_is_too_long(parts: Any, chunking: str) -> None:
    text = "\n\n".join(
        f"# {' '.join(some)}" if head else " ".join(some) for head, some in parts
    )
    pieces = lab_retrieve.cut(
        [files_documents.TeamDocument("a.md", text)], chunking, 20
    )
    covered = {at for piece in pieces for at in range(piece.start, piece.end)}
    assert all(letter.isspace() for at, letter in enumerate(text) if at not in covered)
    assert all(len(text[piece.start : piece.end].split()) <= 20 for piece in pieces)
    assert [piece.start for piece in pieces] == sorted(piece.start for piece in pieces)
    # The heading over a later part comes on top of its words, and isn't counted.
    parted = [text[piece.start : piece.end] for piece in pieces]
    assert all(
        piece.text.endswith(part) for piece, part in zip(pieces, parted, strict=True)
    )


def test_a_section_is_a_piece_and_a_later_part_of_it_keeps_its_heading() -> None:
    text = "# Fees\n\nOne two.\n\nThree four.\n\n## Dogs\n" + "word " * 25
    texts = [
        piece.text
        for piece in lab_retrieve.cut(
            [files_documents.TeamDocument("a", text)], "sections", 20
        )
    ]
    assert texts[0] == "# Fees\n\nOne two.\n\nThree four."
    assert texts[1].startswith("## Dogs\nword")
    assert texts[2].startswith("## Dogs\nword")
    assert len(texts) == 3


@pytest.mark.slow
@given(
    st.text("ab \n\t", max_size=40),
    st.text("ab \n\t", max_size=6),
    st.text("ab \n", max_size=9),
)
def test_a_passage_is_found_however_its_lines_break(
    before: str, passage: str, after: str
) -> None:
    text = before + "\n".join(passage.split(" ")) + after
    places = lab_retrieve.Shelf(
        [
            files_documents.TeamDocument("one", "b"),
            files_documents.TeamDocument("two", text),
        ]
    ).places(model_evalset.CasePassage(text=passage))
    wanted = "".join(passage.split())
    assert bool(places) == bool(wanted)
    texts = ("b", text)
    assert all("".join(texts[n][slice(*span)].split()) == wanted for n, span in places)


def test_a_passage_may_be_named_by_its_document() -> None:
    shelf = lab_retrieve.Shelf(
        [files_documents.TeamDocument("fees.md", "Zone 4: 94 a year.")]
    )
    assert shelf.places(model_evalset.CasePassage(id="fees.md", text=" ")) == (
        (0, (0, 18)),
    )
    assert shelf.places(model_evalset.CasePassage(id="other.md", text="")) == ()
    assert shelf.places(model_evalset.CasePassage(text="Zone 5")) == ()


@pytest.mark.slow
@given(st.permutations(range(6)))
def test_the_order_of_texts_moves_nothing(order: Sequence[int]) -> None:
    texts = ["a dog barks", "the pool opens at six", "cut the old tree", "a card costs six",
             "paper is fetched on Monday", "weddings at a mill"]  # fmt: skip
    asked = ["when does the pool open", "dog", "what does the card cost"]
    plain, mixed = (
        lab_retrieve.Finder(texts),
        lab_retrieve.Finder([texts[place] for place in order]),
    )
    for one, other in zip(plain.orders(asked), mixed.orders(asked), strict=True):
        assert [texts[p] for p in one["BM25"]] == [
            texts[order[p]] for p in other["BM25"]
        ]
        assert {texts[p] for p in one["dense"]} == {
            texts[order[p]] for p in other["dense"]
        }


@pytest.mark.slow
@given(
    WORDS.filter(bool),
    st.lists(WORDS.filter(bool), min_size=2, max_size=9, unique_by=frozenset),
)
def test_another_text_moves_none_up_by_meaning(asked: Any, held: Any) -> None:
    """By words it may: another text changes how rare a word is. No two texts mean the same."""
    *held, other = held
    texts = [" ".join(some) for some in held]
    (before,) = lab_retrieve.Finder(texts).orders([" ".join(asked)])
    (after,) = lab_retrieve.Finder([*texts, " ".join(other)]).orders([" ".join(asked)])
    for rank, place in enumerate(before["dense"]):
        assert after["dense"].index(place) >= rank


def test_fusion_by_hand() -> None:
    # 1/61 + 1/62 for both of 7 and 3, 1/63 for 5: of equals the first piece
    assert lab_retrieve.fused([7, 3], [3, 7, 5]) == [3, 7, 5]
    assert lab_retrieve.fused([]) == []


def _bm25(
    texts: Sequence[str], asked: str, k1: float = 1.5, b: float = 0.75
) -> list[float]:
    """Robertson's BM25 as Lucene has it, written from its formula alone."""
    words = [re.findall(r"\w+", text.casefold()) for text in texts]
    mean = sum(map(len, words)) / len(words)
    scores = []
    for each in words:
        total = 0.0
        for term in re.findall(r"\w+", asked.casefold()):
            holding = sum(term in other for other in words)
            idf = math.log(1 + (len(words) - holding + 0.5) / (holding + 0.5))
            n = each.count(term)
            total += idf * n / (n + k1 * (1 - b + b * len(each) / mean))
        scores.append(total)
    return scores


@pytest.mark.slow
def test_recall_by_words_is_what_a_plain_count_says() -> None:
    """The gallery's case, every question, counted again without the lab's code or its library."""
    texts = {path.name: path.read_text() for path in (GALLERY / "documents").iterdir()}
    sections = [
        (name, re.sub(r"<[^>]+>", " ", part))
        for name, text in texts.items()
        for part in re.split(r"(?=^#|<h[12]>)", text, flags=re.MULTILINE)
        if part.strip() and not part.startswith("<!doctype")
    ]
    rows = [
        json.loads(line) for line in (GALLERY / "eval.jsonl").read_text().splitlines()
    ]
    hits = {}
    for row in rows:
        if "unanswerable" not in row.get("tags", ()):
            scores = _bm25([text for _, text in sections], row["input"])
            best = sorted(range(len(scores)), key=lambda at: -scores[at])[:5]
            wanted = [passage["text"] for passage in row["contexts"]]
            hits[row["id"]] = any(
                scores[at] > 0 and text in " ".join(sections[at][1].split())
                for at in best
                for text in wanted
            )
    cases = [case for case in read_evalset(GALLERY / "eval.jsonl") if case.id in hits]
    library, _ = files_documents.read_documents(
        files_case.read_case(GALLERY), "documents", "data.documents"
    )
    pieces = {"sections": lab_retrieve.cut(library, "sections", 200)}
    ways = api.SearchedWays(api._questions(cases, library)[0], pieces, 5)
    row = ways.row("sections · BM25", cases)
    # one section may tie with another at the fifth place
    assert row.recall.value == pytest.approx(
        sum(hits.values()) / len(hits), abs=1.01 / len(hits)
    )
    assert row.recall.n == len(hits) == 55


# The lab ------------------------------------------------------------------------------------------

TOPICS = (
    "parking",
    "library",
    "weddings",
    "noise",
    "pools",
    "dogs",
    "trees",
    "markets",
)
PROMPT = "Answer from these passages.\n{{ contexts }}\n"


def town(folder: Path, *, n: int = 160, model: bool = True, more: str = "") -> Path:
    """A town whose every office has a page of its own, and a question for each."""
    pages = folder / "pages"
    pages.mkdir(parents=True)
    rows = []
    for i in range(n):
        topic, text = (
            TOPICS[i % 8],
            f"Office {i} for {TOPICS[i % 8]} opens at {i + 1000} sharp.",
        )
        (pages / f"{i}.md").write_text(f"# Office {i}\n\n{text}\n")
        asked = (
            f"When does office {i} open?"
            if i % 4
            else f"Opening times of {topic}, asks client {i * 7919 + 5000}"
        )
        rows.append({"id": f"q{i}", "input": asked, "reference": str(i + 1000),
                     "contexts": [{"text": text}]})  # fmt: skip
    rows += [
        {"id": "none", "input": "Who wins?", "reference": "?", "tags": ["unanswerable"]}
    ]
    rows += [
        {
            "id": "lost",
            "input": "Where?",
            "reference": "?",
            "contexts": [{"text": "Gone."}],
        }
    ]
    (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "prompts").mkdir()
    (folder / "prompts" / "plain.md").write_text(PROMPT)
    models = "models: [{id: 'fake:one'}]\n" if model else ""
    (folder / "case.yaml").write_text(
        "name: Town\ngoals: [knowledge]\ntargets: {quality: {metric: match, at_least: 0.9}}\n"
        f"{models}data: {{evaluation: eval.jsonl, prompts: prompts, documents: pages}}\n{more}"
    )
    return folder


def reader(share_right: float = 0.9, seen: list[Request] | None = None) -> Fake:
    """Reads the hour from the passage of the office that is asked for, if it is there."""

    def answer(request: Request) -> str:
        if seen is not None:
            seen.append(request)
        passages, asked = request.messages[0].content, request.messages[-1].content
        number = re.search(r"office (\d+)", asked)
        hours = re.findall(r"Office (\d+) for (\w+) opens at (\d+)", passages)
        told = [
            hour
            for one, topic, hour in hours
            if (number and one == number[1]) or topic in asked
        ]
        if not told:
            return "no idea"
        return (
            told[0] if zlib.crc32(asked.encode()) % 100 < 100 * share_right else "noon"
        )

    return Fake(answer)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = town(tmp_path_factory.mktemp("town") / "case")
    return folder, {k: api.prepare(folder, k=k, as_of=DAY).result for k in (1, 3, 5, 8)}


@pytest.mark.slow
def test_recall_grows_with_k_and_is_at_least_mrr(found: Any) -> None:
    results = found[1]
    rows = {k: {one.way: one for one in result.ways} for k, result in results.items()}
    for way in rows[1]:
        recalls = [rows[k][way].recall.value for k in (1, 3, 5, 8)]
        assert recalls == sorted(recalls)
        mrrs = [rows[k][way].mrr.value for k in (1, 3, 5, 8)]
        assert mrrs == sorted(mrrs)
        for k in rows:
            one = rows[k][way]
            assert (
                one.recall.value / k - 1e-9 <= one.mrr.value <= one.recall.value + 1e-9
            )
            assert one.recall.low <= one.recall.value <= one.recall.high
            assert one.passages <= one.recall.value + 1e-9
        assert rows[1][way].mrr.value == rows[1][way].recall.value


@pytest.mark.slow
def test_what_counts_for_nothing_is_left_out_and_said(found: Any) -> None:
    result = found[1][5]
    assert result.left_out == {"unanswerable": 1, "not_in_documents": 1}
    assert result.select + result.report == 160
    assert result.best.recall.n == result.report
    assert result.documents == 160
    assert {c.first for c in result.contrasts} == {result.best.way}
    text = api.render(result, folder="town")
    assert "1 no passage answers by design" in text
    assert ("can't be distinguished" in text) == any(
        c.told_apart == "no" for c in result.contrasts
    )


@pytest.mark.slow
def test_the_order_of_the_evaluation_set_moves_nothing(
    found: Any, tmp_path: Path
) -> None:
    folder, results = found
    other = shutil.copytree(folder, tmp_path / "other")
    lines = (other / "eval.jsonl").read_text().splitlines()
    (other / "eval.jsonl").write_text("\n".join(reversed(lines)) + "\n")
    again = api.prepare(other, k=5, as_of=DAY).result.ways
    for one, same in zip(again, results[5].ways, strict=True):
        assert (one.way, one.recall.n) == (same.way, same.recall.n)
        assert one.recall.low == pytest.approx(same.recall.low)
        assert one.mrr.value == pytest.approx(same.mrr.value)


@pytest.mark.slow
def test_retrieving_alone_needs_no_model_and_is_evidence(tmp_path: Path) -> None:
    folder = town(tmp_path / "case", model=False)
    result = api.run(api.prepare(folder, k=5, as_of=DAY))
    measured = files_stores.read_latest(files_case.read_case(folder))[0]
    assert set(measured) >= {"retrieval_recall"}
    recall = measured["retrieval_recall"]
    assert (recall.value, recall.low, recall.high) == (
        result.best.recall.value, result.best.recall.low, result.best.recall.high
    )  # fmt: skip
    assert ("retrieval_ways" in measured) == (result.best.recall.low >= 0.8)
    dossier = decide(files_case.read_case(folder), load_framework("lesson"), as_of=DAY)
    assert dossier.ceiling.checks["retrieval_optimised"].state == (
        "yes" if "retrieval_ways" in measured else "unknown"
    )
    assert result.spend is None
    with pytest.raises(InputError, match="names no models"):
        api.prepare(folder, answers=True)


@pytest.mark.slow
def test_what_the_search_in_use_finds_stays_as_stated(tmp_path: Path) -> None:
    folder = town(
        tmp_path / "case", model=False, more="today: {retrieval_recall: 0.4}\n"
    )
    result = api.run(api.prepare(folder, k=5, as_of=DAY))
    measured = files_stores.read_latest(files_case.read_case(folder))[0]
    assert set(measured) == {"best_retrieval_recall"}
    assert measured["best_retrieval_recall"].value == result.best.recall.value
    dossier = decide(files_case.read_case(folder), load_framework("lesson"), as_of=DAY)
    assert dossier.ceiling.checks["retrieval_optimised"].state == "unknown"


@pytest.mark.slow
def test_passages_of_the_evaluation_set_alone_are_no_evidence(tmp_path: Path) -> None:
    folder = town(tmp_path / "case", model=False)
    text = (folder / "case.yaml").read_text().replace(", documents: pages", "")
    (folder / "case.yaml").write_text(text)
    result = api.run(api.prepare(folder, as_of=DAY))
    assert result.documents == 161  # and the passage that stands in no document
    assert files_stores.read_latest(files_case.read_case(folder))[0] == {}
    assert "Among all your documents less is found" in api.render(result)


@pytest.mark.slow
def test_two_gaps_from_three_ways_to_answer(tmp_path: Path) -> None:
    folder = town(tmp_path / "case", more="economics: {hourly_rate_usd: 80}\n")
    seen: list[Request] = []
    prepared: Any = api.prepare(folder, k=3, answers=True, as_of=DAY)
    quote = api.quoted(prepared)
    assert prepared.result.report < quote.calls <= 3 * prepared.result.report
    assert not (folder / ".tuneworthy").exists()
    result = api.run(prepared, transport=reader(0.8, seen))
    answers: Any = result.answers
    assert len(seen) <= quote.calls
    assert answers.known.n == prepared.result.report
    plan = prepared.lab.plan
    calls = [next(plan.calls([arm], [case])) for arm, case in prepared.asked]
    said = [
        (arm.id, reader(0.8)._answer(job.request) == c.reference)
        for job, arm, c in calls
    ]
    for name, share in (("known", answers.known), ("retrieved", answers.retrieved)):
        own = [right for arm, right in said if arm == f"{name} passages"]
        assert share.value == pytest.approx(sum(own) / len(own))
    assert answers.none.value == 0
    assert answers.synthesis_gap.value == pytest.approx(1 - answers.known.value)
    difference = answers.known.value - answers.retrieved.value
    assert answers.retrieval_gap.difference == pytest.approx(difference)
    assert answers.retrieval_gap.low <= difference <= answers.retrieval_gap.high
    assert answers.gain.difference == pytest.approx(answers.retrieved.value)
    measured: dict[str, Any] = files_stores.read_latest(files_case.read_case(folder))[0]
    failure = measured["synthesis_failure_share"]
    assert failure.value == pytest.approx(answers.synthesis_gap.value)
    assert failure.low <= failure.value <= failure.high
    state = (
        decide(files_case.read_case(folder), load_framework("lesson"), as_of=DAY)
        .signals["knowledge_gaps"]
        .state
    )
    assert state == (
        "yes" if failure.low > 0.1 else "no" if failure.high < 0.1 else "unknown"
    )
    text = api.render(result, folder="town")
    assert "Retrieval gap" in text
    assert "Synthesis gap" in text
    # a second time nothing is asked, and the same is found
    again = api.run(
        api.prepare(folder, k=3, answers=True, as_of=DAY), transport=reader(0.8, seen)
    )
    assert again.answers == answers
    assert api.quoted(api.prepare(folder, k=3, answers=True, as_of=DAY)).calls == 0


@pytest.mark.slow
def test_a_model_behind_an_address_answers_as_a_function_does(tmp_path: Path) -> None:
    plain: Any = api.run(
        api.prepare(town(tmp_path / "plain"), k=3, answers=True, as_of=DAY),
        transport=reader(0.8),
    )
    with endpoint(None, model=reader(0.8)) as (address, seen):
        served = f"models: [{{id: 'my:one', base_url: '{address}', {FREE}}}]\n"
        folder = town(tmp_path / "served", model=False, more=served)
        told: Any = api.run(api.prepare(folder, k=3, answers=True, as_of=DAY))
        assert told.spend.calls == len(seen) > 0
        assert not told.stopped
        seen.clear()
        again: Any = api.run(api.prepare(folder, k=3, answers=True, as_of=DAY))
        assert (again.answers, seen) == (told.answers, [])
    names = ("retrieved", "known", "none", "synthesis_gap")
    assert all(
        getattr(told.answers, name) == getattr(plain.answers, name) for name in names
    )
    assert (
        told.answers.retrieval_gap.difference == plain.answers.retrieval_gap.difference
    )
    assert (
        "synthesis_failure_share"
        in files_stores.read_latest(files_case.read_case(folder))[0]
    )


@pytest.mark.slow
def test_answers_that_are_withheld_measure_nothing(tmp_path: Path) -> None:
    """And neither are they wrong answers."""
    folder = town(tmp_path / "case")
    result = api.run(
        api.prepare(folder, answers=True, as_of=DAY), transport=Fake(lambda request: "")
    )
    assert (
        "synthesis_failure_share"
        not in files_stores.read_latest(files_case.read_case(folder))[0]
    )
    text = " ".join(api.render(result, folder="town").split())
    assert "Synthesis gap" not in text or "Synthesis gap unknown:" in text
    assert "not run" not in text
    assert "tuneworthy decide" not in text


@pytest.mark.slow
def test_a_cap_stops_it_and_nothing_is_lost(tmp_path: Path) -> None:
    price = "models: [{id: 'fake:one', usd_per_mtok: {input: 1, output: 1}}]\n"
    folder = town(tmp_path / "case", model=False, more=price)
    prepared = api.prepare(folder, answers=True, as_of=DAY)
    result: Any = api.run(prepared, cap_usd=0.003, transport=reader())
    assert result.stopped
    assert result.spend.paid <= result.spend.cap
    assert (
        "synthesis_failure_share"
        not in files_stores.read_latest(files_case.read_case(folder))[0]
    )
    way_on = "see what the rest costs: tuneworthy retrieve town --answers --dry-run"
    assert way_on in " ".join(api.render(result, folder="town").split())
    paid = result.spend.calls
    whole: Any = api.run(prepared, cap_usd=1, transport=reader())
    assert not whole.stopped
    assert whole.spend.calls >= paid


# The command --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_shows_quotes_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(shutil.copytree(GALLERY, tmp_path / "case"))
    assert command(["retrieve", folder, "--dry-run"]) == 0
    assert "at most 0 calls" not in capsys.readouterr().err
    assert not (tmp_path / "case" / ".tuneworthy").exists()
    assert command(["retrieve", folder, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "tuneworthy/retrieval/1"
    assert told["left_out"] == {"unanswerable": 3}
    assert command(["retrieve", folder]) == 0
    assert "Recall at 5" in capsys.readouterr().out


def test_documents_that_were_named_by_hand_are_watched(tmp_path: Path) -> None:
    folder = shutil.copytree(GALLERY, tmp_path / "case")
    own = files_case.read_case(folder).data.documents
    assert own is not None
    assert own.path is not None
    shutil.copytree(folder / own.path, folder / "other" / "below")
    assert command(["retrieve", str(folder), "--documents", "other"]) == 0
    assert not any(
        one.changed
        for one in files_stores.read_latest(files_case.read_case(folder))[0].values()
    )
    (folder / own.path / "more.md").write_text("more")
    changed = next(
        path for path in (folder / "other" / "below").rglob("*") if path.is_file()
    )
    changed.write_text(f"{changed.read_text()} and more")
    recall = files_stores.read_latest(files_case.read_case(folder))[0][
        "best_retrieval_recall"
    ]
    assert recall.changed == (changed.relative_to(folder).as_posix(),)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--documents", "nowhere"], "does not exist"),
        (["--documents", "../.."], "leads out of the case folder"),
        (["--documents", "case.yaml"], "holds no document"),
        (["--answers"], "names no prompts"),
        (["--k", "0"], "--k"),
    ],
)
def test_a_wrong_input_is_one_line(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(GALLERY, tmp_path / "case")
    file = folder / "case.yaml"
    told = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text(
        "".join(line for line in told if not line.strip().startswith("prompts:"))
    )
    assert command(["retrieve", str(folder), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


# Hostile documents --------------------------------------------------------------------------------


def _pdf(stream: bytes, *, packed: bool = False) -> bytes:
    """A PDF of one page with this content."""
    data = zlib.compress(stream, 9) if packed else stream
    filters = b"/Filter /FlateDecode " if packed else b""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< " + filters + b"/Length " + str(len(data)).encode() + b" >>\nstream\n" + data
        + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]  # fmt: skip
    body, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(body))
        body += str(number).encode() + b" 0 obj\n" + one + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + b"xref\n0 6\n0000000000 65535 f \n" + table + (
        b"trailer << /Root 1 0 R /Size 6 >>\nstartxref\n" + str(len(body)).encode() + b"\n%%EOF\n"
    )  # fmt: skip


def _read(
    folder: Path, name: str, data: bytes
) -> tuple[tuple[files_documents.TeamDocument, ...], int]:
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / name).write_bytes(data)
    (folder / "case.yaml").write_text("name: Town\n")
    return files_documents.read_documents(
        files_case.read_case(folder), "docs", "--documents"
    )


@pytest.mark.slow
def test_a_pdf_is_read_as_text(tmp_path: Path) -> None:
    (document,), others = _read(
        tmp_path, "a.PDF", _pdf(b"BT /F1 12 Tf 9 9 Td (Hello town) Tj ET")
    )
    assert "Hello town" in document.text
    assert (document.name, others) == ("a.PDF", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.pdf", b"%PDF-1.7 and nothing", "can't be read as a PDF"),
        ("a.pdf", None, "PDF|took more than"),
        ("a.md", b"\xff\xfe\x00caf\xe9", "is not UTF-8"),
        ("a.html", b"<p>caf\xe9", "is not UTF-8"),
        ("a.txt", b"x" * (33 << 20), "is larger than"),
        ("a.docx", b"PK", "holds no document"),
    ],
)
def test_a_hostile_document_is_one_plain_line(
    name: str,
    data: bytes | None,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if data is None:  # one that unpacks to a hundred times its size
        data = _pdf(b"0 0 m " * 20_000_000, packed=True)
    monkeypatch.setattr("tuneworthy.files.documents.PDF_S", 5)
    with pytest.raises(InputError, match=says) as caught:
        _read(tmp_path, name, data)
    assert "\n" not in str(caught.value)


def test_a_link_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    inside = tmp_path / "case"
    (inside / "docs").mkdir(parents=True)
    (inside / "docs" / "a.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(InputError, match="leads out of the case folder"):
        _read(inside, "b.md", b"text")


@given(st.text("<>/!-?hpscript1 a&;=\"'\n", max_size=200))
def test_any_page_is_read(source: str) -> None:
    files_documents.html_text(source)


def test_a_page_is_what_its_reader_sees() -> None:
    page = "<title>T</title><style>x{}</style><h2>Fees</h2><p>A &lt; B<br>c<!-- <p>no --> d</p>"
    page += "<script>if (a<b) no()</script><ul><li>one<li>two</ul>3 < 4"
    assert (
        re.sub(r"\n+", "|", files_documents.html_text(page).strip())
        == "T|## Fees|A < B|c d|one|two|3 < 4"
    )


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["<!", "<!--", "<script", "<a ", "</", "<p>", "&#"])
def test_a_page_made_to_be_slow_isn_t(piece: str) -> None:
    before = time.process_time()
    files_documents.html_text(piece * 200_000)
    assert time.process_time() - before < 4


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform == "win32", reason="the shared materials are not beside this project"
)
def test_blanks_made_to_be_slow_aren_t() -> None:
    before = time.process_time()
    for text in (
        "\n" * 200_000,
        "\n " * 100_000 + "#",
        "# " * 100_000,
        " " * 300_000 + "x",
    ):
        for chunking in ("fixed", "sections"):
            lab_retrieve.cut([files_documents.TeamDocument("a", text)], chunking, 200)
    assert time.process_time() - before < 8


def test_the_order_of_the_cases_decides_no_id_of_a_passage() -> None:
    cases = [
        model_evalset.EvalCase(
            id=name,
            input="x",
            contexts=(model_evalset.CasePassage(id=name, text="same"),),
        )
        for name in ("a", "b")
    ]
    (document,) = lab_retrieve._own_passages(cases)
    assert lab_retrieve._own_passages(reversed(cases)) == (document,)

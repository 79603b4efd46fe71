"""What the tests still reach past the public functions: one place to mend when code moves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from faulty import Fake, Manners
from tuneworthy import cli as cli_module
from tuneworthy.cases import reports as workspace_reports
from tuneworthy.cases import workspace as workspace_module
from tuneworthy.cases.judging import judge_case, write
from tuneworthy.cases.portfolio import (
    CaseQuery,
    CaseRow,
    KeptCases,
    Order,
    case_row,
    fund,
    in_order,
    portfolio,
    total_facts,
)
from tuneworthy.cases.reports import (
    case_report,
    models_of,
    render,
    schema,
)
from tuneworthy.cases.workspace import (
    CaseDirectory,
    Workspace,
    answers_since,
    open_directory,
    take_snapshot,
)
from tuneworthy.cli import GONE, STOPPED, cli, run
from tuneworthy.cli import options as cli_options
from tuneworthy.cli import reports as cli_reports
from tuneworthy.cli.options import RareOption, deliver
from tuneworthy.errors import ConflictError, NoSuchCaseError, OutputError, StoppedError
from tuneworthy.files import disk as files_disk
from tuneworthy.files.assistant import read_authored, unconfirmed
from tuneworthy.files.case import (
    case_path,
    missing_entries,
    put,
    read_case,
    read_with_digest,
    text_digest,
)
from tuneworthy.files.disk import CASE_LIMIT, CASES_LIMIT, FRAMEWORK_LIMIT, matching
from tuneworthy.files.documents import TeamDocument, html_text, read_documents
from tuneworthy.files.evalset import (
    csv_text,
    evalset_text,
    parted,
    read_csv,
    read_evalset,
    read_examples,
    read_table,
    split_of,
    table_csv,
    table_json_lines,
    write_evalset,
)
from tuneworthy.files.materials import (
    VARIABLES,
    filled,
    names,
    prompt_from,
    prompt_text,
    read_materials,
    read_prompts,
)
from tuneworthy.files.stores import (
    LEDGER,
    append_evidence,
    append_label,
    append_line,
    files_now,
    keep_rubric,
    latest_labels,
    pilot_runs,
    read_evidence,
    read_labels,
    read_latest,
    read_pilot,
    read_rubrics,
    read_training,
    read_versions,
    training_record,
    whole_lines,
    write_training,
    written_pilot,
)
from tuneworthy.framework import tally as framework_tally
from tuneworthy.framework.lint import check
from tuneworthy.framework.load import (
    NAMES,
    case_fields,
    catalogue_text,
    field_path,
    load_document,
    load_named,
    published_counts,
    services,
)
from tuneworthy.framework.rules import compile_rules
from tuneworthy.framework.schema import (
    case_schema,
    dossier_schema,
    field_docs,
    framework_schema,
)
from tuneworthy.framework.tally import effort, tally
from tuneworthy.intake import measure as workspace_measure
from tuneworthy.intake.measure import appendix, clean_name, compare_results, model_id
from tuneworthy.interview.answers import (
    EvaluatedCase,
    accept_conflict,
    read_script,
    type_in,
    what_if,
    write_answer,
)
from tuneworthy.interview.pages import (
    MARGIN,
    rest,
    why_text,
)
from tuneworthy.interview.questions import _fields as interview_fields
from tuneworthy.interview.questions import (
    answer_path,
    ask_of,
    if_done,
    next_ask,
    offers,
    part_asks,
)
from tuneworthy.interview.start import start_case
from tuneworthy.lab import ceiling as lab_ceiling
from tuneworthy.lab import retrieve as lab_retrieve
from tuneworthy.lab import verify as lab_verify
from tuneworthy.lab.judge import JudgeChoice, label_sample
from tuneworthy.lab.plan import (
    LabPlan,
    Pool,
    Setting,
    answer_text,
    logistic,
    make_plan,
    plan_arms,
    question,
    request_for,
)
from tuneworthy.lab.prepare import CEILING_RUN, PreparedLab, prepare, quoted
from tuneworthy.lab.propose import inside, longest, parted_for, proposal
from tuneworthy.lab.result import _answer, chosen_arms, contrast, outcome
from tuneworthy.lab.retrieve import Finder, Shelf, fused
from tuneworthy.lab.retrieve import cut as cut_documents
from tuneworthy.lab.scores import Lab, Scores, aside
from tuneworthy.lab.session import PaidCalls, StopHandle, ledger_of
from tuneworthy.lab.verify import _outcome, general_skills
from tuneworthy.labelling import queue as workspace_labelling
from tuneworthy.labelling.queue import (
    LabelQueue,
    LabelQueues,
    LabelTask,
    add_rubric,
    open_queue,
)
from tuneworthy.listen import is_loopback
from tuneworthy.llm import embedded as llm_embedded
from tuneworthy.llm import hosts as llm_hosts
from tuneworthy.llm import runner as llm_runner
from tuneworthy.llm.choose import FREE, echo, prices_of, transport_for
from tuneworthy.llm.embedded import (
    Embedded,
    adapter_path,
    lacking,
    lacks_avx2,
    local_model,
    pull,
    weights_path,
)
from tuneworthy.llm.endpoints import (
    PRESETS,
    Busy,
    Doubtful,
    Endpoint,
    NotSent,
    NotTaken,
    Reached,
    Refused,
    Secret,
    Transport,
    key_variable,
    look_up,
    most_usd,
    paid_usd,
    pico,
    price_on,
    reach,
)
from tuneworthy.llm.hosts import name_with_host
from tuneworthy.llm.http import Http, _seconds
from tuneworthy.llm.http import parse as http_parse
from tuneworthy.llm.ledger import TRAINING, Ledger, NothingKeptError, ReadOnlyLedger
from tuneworthy.llm.runner import MOST_TRIES, Gate, Job, Outcome, Runner, quote
from tuneworthy.mcp import server as mcp_server
from tuneworthy.mcp.server import QUOTED, TOOLS, WORDS, AssistantServer
from tuneworthy.mcp.tools import DATA as assistant_DATA
from tuneworthy.mcp.tools import Desk
from tuneworthy.measure import engine as measure_engine
from tuneworthy.measure import personal as measure_names
from tuneworthy.measure import personal as measure_personal
from tuneworthy.measure import sample as measure_duplicates
from tuneworthy.measure import sample as measure_sample
from tuneworthy.measure.engine import MOST_NAMES, ColumnFiles, conversation_keys, measure
from tuneworthy.measure.evalset import build_evalset, failures
from tuneworthy.measure.personal import KINDS, Masker, Scanner, excerpt, mask, shared_scanner, spans
from tuneworthy.measure.sample import ASKED, BANDS, Signer, duplicate_groups
from tuneworthy.measure.sample import jaccard as versions_alike
from tuneworthy.measure.signals import knowledge as signal_knowledge
from tuneworthy.measure.signals import personal as signal_personal
from tuneworthy.measure.signals import signals
from tuneworthy.measure.signals.arms import ArmsSignal as Arms
from tuneworthy.measure.signals.base import (
    DUPLICATE_OF,
    Numbers,
    as_numbers,
    distinct,
)
from tuneworthy.measure.signals.base import Findings as Found
from tuneworthy.measure.signals.base import TraceSignal as Signal
from tuneworthy.measure.signals.base import TraceTable as Table
from tuneworthy.measure.signals.change import ChangeSignal as Change
from tuneworthy.measure.signals.change import PromptText as Text
from tuneworthy.measure.signals.change import PromptVersion as Version
from tuneworthy.measure.signals.change import changes, versions
from tuneworthy.measure.signals.change import normalised_runs as runs_of
from tuneworthy.measure.signals.examples import REASONS as examples_REASONS
from tuneworthy.measure.signals.examples import ExamplesSignal as Examples
from tuneworthy.measure.signals.format import FormatSignal as Format
from tuneworthy.measure.signals.format import fits, number_of, shape_of
from tuneworthy.measure.signals.instructions import InstructionsSignal as Instructions
from tuneworthy.measure.signals.knowledge import KnowledgeSignal as Knowledge
from tuneworthy.measure.signals.knowledge import stem, words
from tuneworthy.measure.signals.latency import LatencySignal as Latency
from tuneworthy.measure.signals.latency import by_tokens
from tuneworthy.measure.signals.novelty import Neighbours, flagged, neighbours
from tuneworthy.measure.signals.novelty import NoveltySignal as Novelty
from tuneworthy.measure.signals.personal import PersonalSignal as Personal
from tuneworthy.measure.signals.shape import ShapeSignal, TextsSignal
from tuneworthy.measure.signals.success import SuccessSignal as Success
from tuneworthy.measure.signals.success import refused, refuses
from tuneworthy.measure.signals.terms import TermsSignal as Terms
from tuneworthy.measure.signals.traffic import TrafficSignal as Traffic
from tuneworthy.measure.signals.traffic import distinct_models, months_needed
from tuneworthy.measure.signals.voice import VoiceSignal as VoiceVoice
from tuneworthy.model.base import (
    UNKNOWN_WORDS,
    Interval,
    Range,
    Record,
    State,
    Unknown,
    as_bytes,
    digest,
    months_to_reach,
    read_place,
    remembered_digest,
    usd_per_request,
)
from tuneworthy.model.case import (
    NO_PRICES,
    CaseOrigin,
    Materials,
    Model,
    Price,
    PromptVariant,
    Term,
    TokenPrice,
    VoiceSamples,
)
from tuneworthy.model.case import TokenPrice as PricedTokens
from tuneworthy.model.dossier import (
    Action,
    BreakEven,
    ChallengeResult,
    Computed,
    GateResult,
    InvestmentResult,
    Lint,
    LintFinding,
    Month,
    MoveResult,
    OptionResult,
    PartTotal,
    Percentiles,
    Phase,
    Plan,
    Recommendation,
    ServingResult,
    Simulation,
    Step,
    Swing,
    TuningAnswer,
)
from tuneworthy.model.evalset import (
    CaseMessage,
    CasePassage,
    CheckCall,
    EvalCase,
    EvalSample,
    Label,
    digest_of,
)
from tuneworthy.model.evidence import (
    COLUMNS,
    ArmsResult,
    Batch,
    Evidence,
    Lead,
    Measured,
    Message,
    Series,
    ToolCall,
    latest,
    latest_series,
)
from tuneworthy.model.evidence import FileReading as EvidenceReading
from tuneworthy.model.framework import BANDS as rules_BANDS
from tuneworthy.model.framework import (
    GOALS,
    OUTCOMES,
    SPOKEN,
    Bands,
    Bound,
    Check,
    Condition,
    Factor,
)
from tuneworthy.model.interview import (
    PARTS,
    AnswerResult,
    Ask,
    CaseField,
)
from tuneworthy.model.lab import (
    Arm,
    ArmResult,
    CeilingResult,
    ChatMessage,
    Contrast,
    CurvePoint,
    Gain,
    Placed,
    Proposing,
    Quote,
    RefusedBy,
    Reply,
    Request,
    Settled,
    ShareOf,
    Spend,
    Stand,
    Usage,
    VerifyPlan,
    VerifyResult,
    canonical_json,
)
from tuneworthy.model.pilot import (
    ExamplesNeeded,
    LearningCurve,
    PilotPlan,
    PilotResult,
    Recipe,
    TrainingJob,
    TrainingQuote,
)
from tuneworthy.model.precedents import (
    BaseRate,
    Neighbour,
    Precedent,
    PrecedentIndex,
    PrecedentsResult,
)
from tuneworthy.model.training import TrainingExample, TrainingSet, content_id, set_digest
from tuneworthy.money.investment import (
    MoneyContext,
    RememberedDraws,
    closed_form,
    stakes_of,
)
from tuneworthy.money.savings import Savings, compare
from tuneworthy.money.serving import TUNED, serving_costs
from tuneworthy.money.simulate import CashFlow, _draw, simulate
from tuneworthy.money.terms import REQUESTS, build_cost_model, call_usd, mtok_usd
from tuneworthy.money.worth import by_worth, cases_note, evppi, more_cases, worth_of_cases
from tuneworthy.pipeline import framework_of, today, what_counts_of_the_day
from tuneworthy.plan import section as plan_phases
from tuneworthy.plan.context import Calendar, day
from tuneworthy.precedents.record import record_of
from tuneworthy.precedents.section import (
    INDEX_FILE,
    described,
    goal_rate,
    known_answers,
    likeness,
    nearest,
    precedents,
    shipped_index,
    tried_text,
)
from tuneworthy.report import charts as report_charts
from tuneworthy.report import html as report_html
from tuneworthy.report import markdown as report_markdown
from tuneworthy.report import render as render_document
from tuneworthy.report import text as report_text
from tuneworthy.report.blocks import Document
from tuneworthy.report.charts import NARROW, WIDE, Drawing, _rendered, labels
from tuneworthy.report.document import html, markdown
from tuneworthy.report.document import pictures as pictures_pictures
from tuneworthy.report.document import report as report_of
from tuneworthy.report.html import DARK, chart_script, shown, still, style
from tuneworthy.report.named import said
from tuneworthy.report.sections import money as sections_money
from tuneworthy.report.sections import options as sections_options
from tuneworthy.report.sections import plan as sections_plan
from tuneworthy.report.sections import precedents as sections_precedents
from tuneworthy.report.sections.common import finality, headline, reach_text, source_words
from tuneworthy.report.sections.evalset import Item, agreement_document, item_page
from tuneworthy.report.sections.evidence import (
    evidence_rows,
    in_short,
    measured_name,
    pictures,
    rows_of,
    step_rows,
)
from tuneworthy.report.sections.framework import (
    finding_says,
    lint_dict,
    lint_report,
    models_dict,
    models_report,
)
from tuneworthy.report.sections.lab import (
    answered_rows,
    board_note,
    board_row,
    ceiling_rows,
    difference_text,
    duration,
    left_s,
    outlook_text,
)
from tuneworthy.report.sections.lab import ended as lab_ended
from tuneworthy.report.sections.money import LEVERS, compared, grouped, lever
from tuneworthy.report.sections.options import matter
from tuneworthy.report.sections.precedents import precedents as precedents_document
from tuneworthy.report.sections.record import titles
from tuneworthy.report.sections.verdict import short
from tuneworthy.report.text import Paint
from tuneworthy.report.width import WIDEST, columns, lay_out_for
from tuneworthy.runs.labs import (
    LabRun,
    Labs,
    LabSettings,
    QuoteExceededError,
    kept_runs,
)
from tuneworthy.scoring import SCORERS, Marker, default_scorers, scorer_for, together
from tuneworthy.scoring import matching as scoring_matching
from tuneworthy.scoring.base import (
    RUN_STOPPED,
    FieldRule,
    Kit,
    Output,
    Scored,
    Scorer,
    as_date,
    near,
    normal,
    numbers_in,
    same,
)
from tuneworthy.scoring.judge import Judge
from tuneworthy.scoring.sql import orders, query_in, sql_worker
from tuneworthy.scoring.worker import Worker
from tuneworthy.stats import clustered as stats_clustered
from tuneworthy.stats.agreement import cohen_kappa, fleiss_kappa, nominal_alpha
from tuneworthy.stats.clustered import (
    CERTAIN,
    Estimate,
    allocate,
    cluster_means,
    draw,
    drift,
    explained_share,
    kmeans,
    mean,
    percentile_interval,
    quantile,
    ratio,
    share,
    share_given,
    slope,
    t95,
    true_share,
    worth,
)
from tuneworthy.stats.compare import (
    Ceiling,
    Race,
    arm_estimate,
    cases_needed,
    ceiling,
    expected_gain,
    paired,
    paired_difference,
    predicted_difference,
    predicted_mean,
    quantiles,
)
from tuneworthy.stats.forecast import Trend, level, poisson_interval, trend
from tuneworthy.stats.intervals import (
    MOST_USEFUL,
    Z95,
    beta_quantile,
    beta_share,
    cases_to_exclude,
    cases_to_tell,
    clopper_pearson,
    independent_cases,
    wilson,
)
from tuneworthy.syntax.document import parse
from tuneworthy.syntax.edit import Value, WholeValue, edit
from tuneworthy.terminal.lines import Entry, LineTerminal
from tuneworthy.terminal.session import InterviewSession
from tuneworthy.text.embedding import embed, mean_vectors, tokenizer
from tuneworthy.text.glossary import Glossary, Phrases, generic_phrases
from tuneworthy.text.instructions import CHECKS, MOST_INSTRUCTIONS, Instruction, Reader, follows
from tuneworthy.text.json import UNREAD, looking, looks_like_json, read_json, read_rows, readable
from tuneworthy.text.search import Joined, Pattern, Searcher, forget, is_in, joined
from tuneworthy.text.search import make as make_pattern
from tuneworthy.traces import stream as traces_stream
from tuneworthy.traces.formats import formats
from tuneworthy.traces.mapping import mapping_from_text, read_mapping
from tuneworthy.traces.read import TraceFiles, named
from tuneworthy.traces.remote import listed
from tuneworthy.traces.stream import Ahead, Limits, Raw, Unpacked, blocks
from tuneworthy.traces.values import LastOfLength as Known
from tuneworthy.training import pilot as training_pilot
from tuneworthy.training import trainers as training_trainers
from tuneworthy.training.candidates import own_answers, read_candidates
from tuneworthy.training.card import card, refusal_probes
from tuneworthy.training.curve import drawn, learning_curve
from tuneworthy.training.export import RULES as TARGET_RULES
from tuneworthy.training.export import export, target, target_names, written
from tuneworthy.training.export import refused as refused_by
from tuneworthy.training.gate import GATES, pass_gates
from tuneworthy.training.hosted import HostedTrainer
from tuneworthy.training.pilot import PreparedPilot, pilot_price, prepare_pilot, replay_rows
from tuneworthy.training.trainers import (
    Finished,
    LoraTrainer,
    TrainingFailedError,
    TrainingStoppedError,
    TrainingWork,
)
from tuneworthy.training.trainers import Step as TrainingStep
from tuneworthy.training.watch import watch
from tuneworthy.verdict.challenges import ALL
from tuneworthy.verdict.facts import TARGETS, CaseFacts
from tuneworthy.verdict.gates import approaches
from tuneworthy.verdict.options import GRADES, HELPS, RISKS, Compared
from tuneworthy.verdict.options import OPTIONS as JUDGED_OPTIONS
from tuneworthy.verdict.rules import MOST_WORK, apply_rules, flips, questions
from tuneworthy.verdict.weigh import independent, maker, weigh
from tuneworthy.web.app import make_app, make_site, told
from tuneworthy.web.guard import BODY_LIMIT, HEADERS, Site
from tuneworthy.web.lab import event, followed
from tuneworthy.words import figure, interval_text, number, usd


def models_text(case: Path | None = None, form: str = "text", *, as_of: date | None = None) -> str:
    """Which models can be called and what they cost; nothing is sent."""
    rows = models_of(() if case is None else read_case(case).models, as_of)
    return models_dict(*rows) if form == "json" else render_document(models_report(*rows))

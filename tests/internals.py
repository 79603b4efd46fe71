"""What the tests still reach past the public functions: one place to mend when code moves."""

from __future__ import annotations

from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faulty import Fake, Manners
from tuneworthy import cli as cli_module
from tuneworthy import cli as cli_room
from tuneworthy import errors as errors_room
from tuneworthy import pipeline as pipeline_room
from tuneworthy import scoring as scoring_room
from tuneworthy import words as words_room
from tuneworthy.answers import arms as answers_arms
from tuneworthy.answers import count as answers_count
from tuneworthy.answers import facts as answers_facts
from tuneworthy.answers import weigh as answers_weigh
from tuneworthy.cases import failures as cases_failures
from tuneworthy.cases import history as cases_history
from tuneworthy.cases import judging as cases_judging
from tuneworthy.cases import portfolio as cases_portfolio
from tuneworthy.cases import reports as workspace_reports
from tuneworthy.cases import workspace as workspace_module
from tuneworthy.cases.reports import MemoTop, models_of, render, schema
from tuneworthy.cases.workspace import Workspace, open_directory
from tuneworthy.cli import options as cli_options
from tuneworthy.cli import reports as cli_reports
from tuneworthy.cli import run
from tuneworthy.errors import ConflictError, StoppedError
from tuneworthy.facts import load as facts_load
from tuneworthy.facts import records as facts_records
from tuneworthy.files import assistant as files_assistant
from tuneworthy.files import case as files_case
from tuneworthy.files import disk as files_disk
from tuneworthy.files import documents as files_documents
from tuneworthy.files import evalset as files_evalset
from tuneworthy.files import materials as files_materials
from tuneworthy.files import stores as files_stores
from tuneworthy.files.case import read_case
from tuneworthy.files.evalset import read_evalset
from tuneworthy.files.stores import append_label, read_evidence, read_versions
from tuneworthy.framework import failures as framework_failures
from tuneworthy.framework import load as framework_load
from tuneworthy.framework import schema as framework_schemas
from tuneworthy.framework import tally as framework_tally
from tuneworthy.framework.lint import check
from tuneworthy.framework.load import catalogue_text
from tuneworthy.framework.rules import compile_rules
from tuneworthy.intake import measure as workspace_measure
from tuneworthy.intake import ray as intake_ray
from tuneworthy.interview import answers as interview_answers
from tuneworthy.interview import pages as interview_pages
from tuneworthy.interview import questions as interview_questions
from tuneworthy.interview.questions import next_ask, part_asks
from tuneworthy.interview.start import start_case
from tuneworthy.lab import causes as lab_causes
from tuneworthy.lab import ceiling as lab_ceiling
from tuneworthy.lab import held as lab_held
from tuneworthy.lab import judge as lab_judge
from tuneworthy.lab import plan as lab_plan
from tuneworthy.lab import prepare as lab_prepare
from tuneworthy.lab import propose as lab_propose
from tuneworthy.lab import result as lab_result
from tuneworthy.lab import retrieve as lab_retrieve
from tuneworthy.lab import reward as lab_reward
from tuneworthy.lab import scores as lab_scores
from tuneworthy.lab import verify as lab_verify
from tuneworthy.lab import wrapped as lab_wrapped
from tuneworthy.lab.plan import Pool, make_plan
from tuneworthy.lab.prepare import CEILING_RUN, PreparedLab, prepare, quoted
from tuneworthy.lab.scores import Scores
from tuneworthy.lab.session import PaidCalls, StopHandle, ledger_of, ledger_or_none
from tuneworthy.labelling import queue as labelling_queue
from tuneworthy.labelling.fields import join_answer, split_answer
from tuneworthy.labelling.queue import LabelTask
from tuneworthy.llm import embedded as llm_embedded
from tuneworthy.llm import endpoints as llm_endpoints
from tuneworthy.llm import hosts as llm_hosts
from tuneworthy.llm import http as llm_http
from tuneworthy.llm import ledger as llm_ledger
from tuneworthy.llm import proxies as llm_proxies
from tuneworthy.llm import reencode as llm_reencode
from tuneworthy.llm import runner as llm_runner
from tuneworthy.llm import served as llm_served
from tuneworthy.llm.choose import FREE, echo, prices_of, transport_for
from tuneworthy.llm.endpoints import PRESETS, Busy, Refused, reach
from tuneworthy.llm.ledger import Ledger, ReadOnlyLedger
from tuneworthy.llm.runner import Job, Outcome, Runner
from tuneworthy.measure import engine as measure_engine
from tuneworthy.measure import evalset as measure_evalset
from tuneworthy.measure import hiding as measure_hiding
from tuneworthy.measure import personal as measure_names
from tuneworthy.measure import personal as measure_personal
from tuneworthy.measure import sample as measure_duplicates
from tuneworthy.measure import sample as measure_sample
from tuneworthy.measure.engine import measure
from tuneworthy.measure.signals import base as signal_base
from tuneworthy.measure.signals import change as signal_change
from tuneworthy.measure.signals import examples as signal_examples
from tuneworthy.measure.signals import format as signal_format
from tuneworthy.measure.signals import knowledge as signal_knowledge
from tuneworthy.measure.signals import latency as signal_latency
from tuneworthy.measure.signals import novelty as signal_novelty
from tuneworthy.measure.signals import personal as signal_personal
from tuneworthy.measure.signals import shape as signal_shape
from tuneworthy.measure.signals import signals
from tuneworthy.measure.signals import traffic as signal_traffic
from tuneworthy.measure.signals.arms import ArmsSignal as Arms
from tuneworthy.measure.signals.base import Findings as Found
from tuneworthy.measure.signals.base import TraceSignal as Signal
from tuneworthy.measure.signals.base import TraceTable as Table
from tuneworthy.measure.signals.calls import CallsSignal
from tuneworthy.measure.signals.instructions import InstructionsSignal as Instructions
from tuneworthy.measure.signals.running import RunningSignal
from tuneworthy.measure.signals.success import SuccessSignal as Success
from tuneworthy.measure.signals.success import refused, refuses
from tuneworthy.measure.signals.terms import TermsSignal as Terms
from tuneworthy.measure.signals.traffic import TrafficSignal as Traffic
from tuneworthy.measure.signals.voice import VoiceSignal as VoiceVoice
from tuneworthy.model import base as model_base
from tuneworthy.model import case as model_case
from tuneworthy.model import dossier as model_dossier
from tuneworthy.model import evalset as model_evalset
from tuneworthy.model import evidence as model_evidence
from tuneworthy.model import framework as model_framework
from tuneworthy.model import interview as model_interview
from tuneworthy.model import lab as model_lab
from tuneworthy.model import pilot as model_pilot
from tuneworthy.model import precedents as model_precedents
from tuneworthy.model import training as model_training
from tuneworthy.model import ways as model_ways
from tuneworthy.model.base import Range, State, Unknown, digest, remembered_digest
from tuneworthy.model.case import (
    Materials,
    Model,
    PromptVariant,
    PromptWording,
    Term,
    TokenPrice,
    VoiceSamples,
)
from tuneworthy.model.dossier import AskNow, Recommendation
from tuneworthy.model.evalset import CheckCall, EvalCase, Label
from tuneworthy.model.evidence import (
    COLUMNS,
    Batch,
    Evidence,
    Measured,
    Message,
    Series,
    ToolCall,
)
from tuneworthy.model.framework import OUTCOMES, Move
from tuneworthy.model.lab import (
    Arm,
    CeilingResult,
    ChatMessage,
    Contrast,
    Reply,
    Request,
    Stand,
    Usage,
)
from tuneworthy.model.training import TrainingExample
from tuneworthy.model.ways import Figure, LabArm
from tuneworthy.money import investment as money_investment
from tuneworthy.money import savings as money_savings
from tuneworthy.money import simulate as money_simulate
from tuneworthy.money import terms as money_terms
from tuneworthy.money import tuned as money_tuned
from tuneworthy.money import worth as money_worth
from tuneworthy.money.serving import serving_costs
from tuneworthy.pipeline import framework_of
from tuneworthy.plan import context as plan_context
from tuneworthy.plan import phases as plan_phases
from tuneworthy.plan.context import day
from tuneworthy.precedents import effects as precedents_effects
from tuneworthy.precedents import section as precedents_section
from tuneworthy.precedents.record import record_of
from tuneworthy.precedents.section import shipped_index
from tuneworthy.report import blocks
from tuneworthy.report import charts as report_charts
from tuneworthy.report import document as report_document
from tuneworthy.report import html as report_html
from tuneworthy.report import markdown as report_markdown
from tuneworthy.report import render as render_document
from tuneworthy.report import text as report_text
from tuneworthy.report import width as report_width
from tuneworthy.report.blocks import Document
from tuneworthy.report.document import html
from tuneworthy.report.named import name_fields
from tuneworthy.report.sections import common as section_common
from tuneworthy.report.sections import evalset as section_evalset
from tuneworthy.report.sections import evidence as section_evidence
from tuneworthy.report.sections import framework as section_framework
from tuneworthy.report.sections import lab as section_lab
from tuneworthy.report.sections import lab_ceiling as section_lab_ceiling
from tuneworthy.report.sections import lab_pilot as section_lab_pilot
from tuneworthy.report.sections import lab_quote as section_lab_quote
from tuneworthy.report.sections import lab_verify as section_lab_verify
from tuneworthy.report.sections import memo as sections_memo
from tuneworthy.report.sections import money as sections_money
from tuneworthy.report.sections import payback as sections_payback
from tuneworthy.report.sections import plan as sections_plan
from tuneworthy.report.sections import precedents as sections_precedents
from tuneworthy.report.sections import signing as sections_signing
from tuneworthy.report.sections import verdict as sections_verdict
from tuneworthy.report.sections import ways as sections_ways
from tuneworthy.report.sections.common import headline
from tuneworthy.report.sections.framework import models_dict, models_report
from tuneworthy.report.sections.lab_ceiling import ceiling_rows
from tuneworthy.report.sections.record import titles
from tuneworthy.report.sections.verdict import short
from tuneworthy.report.width import columns
from tuneworthy.runs import labs as runs_labs
from tuneworthy.runs.labs import Labs, LabSettings
from tuneworthy.scoring import Marker, scorer_for
from tuneworthy.scoring import base as scoring_base
from tuneworthy.scoring import matching as scoring_matching
from tuneworthy.scoring import sql as scoring_sql
from tuneworthy.scoring.base import Kit, Output
from tuneworthy.scoring.judge import Judge
from tuneworthy.scoring.worker import Worker
from tuneworthy.stats import agreement as stats_agreement
from tuneworthy.stats import clustered as stats_clustered
from tuneworthy.stats import compare as stats_compare
from tuneworthy.stats import failures as stats_failures
from tuneworthy.stats import forecast as stats_forecast
from tuneworthy.stats import intervals as stats_intervals
from tuneworthy.stats import mixes as stats_mixes
from tuneworthy.stats.clustered import Estimate, share
from tuneworthy.stats.compare import ceiling
from tuneworthy.stats.intervals import wilson
from tuneworthy.syntax import edit as syntax_edit
from tuneworthy.syntax.document import parse
from tuneworthy.terminal import lines as terminal_lines
from tuneworthy.terminal.session import InterviewSession
from tuneworthy.text import embedding as text_embedding
from tuneworthy.text import glossary as text_glossary
from tuneworthy.text import instructions as text_instructions
from tuneworthy.text import json as text_json
from tuneworthy.text import kept as text_kept
from tuneworthy.text import search as text_search
from tuneworthy.text.json import UNREAD, read_json
from tuneworthy.traces import mapping as traces_mapping
from tuneworthy.traces import stream as traces_stream
from tuneworthy.traces.formats import formats
from tuneworthy.traces.read import TraceFiles, named
from tuneworthy.traces.remote import listed
from tuneworthy.traces.stream import Limits
from tuneworthy.traces.values import LastOfLength as Known
from tuneworthy.training import as_piloted as training_as_piloted
from tuneworthy.training import bases as training_bases
from tuneworthy.training import candidates as training_candidates
from tuneworthy.training import card as training_card
from tuneworthy.training import curve as training_curve
from tuneworthy.training import export as training_export
from tuneworthy.training import gate as training_gate
from tuneworthy.training import lora as training_lora
from tuneworthy.training import pilot as training_pilot
from tuneworthy.training import race as training_race
from tuneworthy.training import recipes as training_recipes
from tuneworthy.training import served as training_served
from tuneworthy.training import steps as training_steps
from tuneworthy.training import trainers as training_trainers
from tuneworthy.training import unsearched as training_unsearched
from tuneworthy.training import winners as training_winners
from tuneworthy.training.hosted import HostedTrainer
from tuneworthy.training.trainers import TrainingWork
from tuneworthy.training.watch import watch
from tuneworthy.verdict.approaches import approaches
from tuneworthy.verdict.challenges import ALL
from tuneworthy.verdict.headline import ANSWER_WORDS
from tuneworthy.ways import chances as ways_chances
from tuneworthy.ways import gap as ways_gap
from tuneworthy.ways import way as ways_way

if TYPE_CHECKING:
    from tuneworthy.mcp import server as mcp_server
    from tuneworthy.mcp import tools as mcp_tools
    from tuneworthy.web import app as web_app
    from tuneworthy.web import guard as web_guard
    from tuneworthy.web import lab as web_lab
    from tuneworthy.web.app import make_app
    from tuneworthy.web.guard import Site

_LATE = {
    "mcp_server": "mcp.server",
    "mcp_tools": "mcp.tools",
    "web_app": "web.app",
    "web_guard": "web.guard",
    "web_lab": "web.lab",
    "make_app": "web.app",
    "Site": "web.guard",
}
"""Rooms by what is taken from them: they load for longer than all others together."""


def __getattr__(name: str) -> Any:
    """Load the room of a name that a test asks for; programs that tests start need none of them."""
    if name not in _LATE:
        raise AttributeError(name)
    room = import_module(f"tuneworthy.{_LATE[name]}")
    return getattr(room, name, room)


def models_text(
    case: Path | None = None, form: str = "text", *, as_of: date | None = None
) -> str:
    """Which models can be called and what they cost; nothing is sent."""
    rows = models_of(() if case is None else read_case(case).models, as_of)
    return (
        models_dict(*rows) if form == "json" else render_document(models_report(*rows))
    )

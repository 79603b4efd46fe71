"""Calls of a model through one maker's software, in its own environment, for ``makers_logs.py``.

    python tools/makers_drivers.py MAKER ADDRESS FILE

Each function makes all calls of ``PLAN`` at the address; what its maker writes is in the file.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

MODEL = "gpt-4.1-mini"
SYSTEM = "You help the customers of a shop. Be brief."
PLAN = (
    *((f"Where is parcel {n}? [ok]", False) for n in range(20)),
    *((f"Tell me of parcel {n}. [ok]", True) for n in range(4)),
    ("Is it late? [429]", False),
    ("Is it lost? [500]", False),
    ("Tell me everything. [cut]", False),
    ("Write me a false bill. [no]", False),
)
"""What is asked, and whether the answer is streamed."""


def load(name: str) -> Any:
    """A module of the maker's, of which no type is known here."""
    return importlib.import_module(name)


def messages(question: str) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": question},
    ]


def openai_client(address: str) -> Any:
    return load("openai").OpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0)


def ask_openai(client: Any, question: str, *, stream: bool) -> None:
    more = {"stream_options": {"include_usage": True}} if stream else {}
    with suppress(Exception):  # the calls that are meant to fail
        reply = client.chat.completions.create(
            model=MODEL, messages=messages(question), stream=stream, **more
        )
        for _ in reply if stream else ():
            pass


def ask_all(address: str) -> None:
    client = openai_client(address)
    for question, stream in PLAN:
        ask_openai(client, question, stream=stream)


def spans_to(file: Path) -> Any:
    """A provider of spans that writes each as a line."""
    trace = load("opentelemetry.sdk.trace")
    export = load("opentelemetry.sdk.trace.export")

    base: Any = export.SpanExporter

    class Lines(base):  # type: ignore[misc]  # of a module that isn't here
        def export(self, spans: Any) -> Any:
            with file.open("a", encoding="utf-8") as out:
                out.writelines(f"{span.to_json(indent=None)}\n" for span in spans)
            return export.SpanExportResult.SUCCESS

    provider = trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(Lines()))
    return provider


def openllmetry(address: str, file: Path) -> None:
    instrument = load("opentelemetry.instrumentation.openai").OpenAIInstrumentor()
    instrument.instrument(tracer_provider=spans_to(file))
    ask_all(address)


def openinference(address: str, file: Path) -> None:
    instrument = load("openinference.instrumentation.openai").OpenAIInstrumentor()
    instrument.instrument(tracer_provider=spans_to(file))
    ask_all(address)


def logfire_openai(address: str, file: Path) -> None:
    logfire = load("logfire")
    export = load("opentelemetry.sdk.trace.export")

    base: Any = export.SpanExporter

    class Lines(base):  # type: ignore[misc]  # of a module that isn't here
        def export(self, spans: Any) -> Any:
            with file.open("a", encoding="utf-8") as out:
                out.writelines(f"{span.to_json(indent=None)}\n" for span in spans)
            return export.SpanExportResult.SUCCESS

    processor = export.SimpleSpanProcessor(Lines())
    logfire.configure(
        send_to_logfire=False, console=False, additional_span_processors=[processor]
    )
    client = openai_client(address)
    logfire.instrument_openai(client)
    for question, stream in PLAN:
        ask_openai(client, question, stream=stream)


def pydantic_agent(address: str) -> Any:
    chat = load("pydantic_ai.models.openai")
    providers = load("pydantic_ai.providers.openai")
    provider = providers.OpenAIProvider(
        openai_client=load("openai").AsyncOpenAI(
            base_url=f"{address}/v1", api_key="-", max_retries=0
        )
    )
    model = chat.OpenAIChatModel(MODEL, provider=provider)
    return load("pydantic_ai").Agent(model, instructions=SYSTEM, retries=0)


def pydantic_ai_spans(address: str, file: Path) -> None:
    agents = load("pydantic_ai")
    settings = load("pydantic_ai.models.instrumented").InstrumentationSettings(
        tracer_provider=spans_to(file)
    )
    agents.Agent.instrument_all(settings)
    agent = pydantic_agent(address)
    for question, _ in PLAN:
        with suppress(Exception):
            agent.run_sync(question)


def pydantic_ai_messages(address: str, file: Path) -> None:
    agent = pydantic_agent(address)
    with file.open("wb") as out:
        for question, _ in PLAN:
            with suppress(Exception):
                out.write(agent.run_sync(question).all_messages_json() + b"\n")


def agents_sdk(address: str, file: Path) -> None:
    agents = load("agents")
    tracing = load("agents.tracing.processor_interface")

    base: Any = tracing.TracingExporter

    class Lines(base):  # type: ignore[misc]  # of a module that isn't here
        def export(self, items: Any) -> None:
            with file.open("a", encoding="utf-8") as out:
                out.writelines(f"{json.dumps(item.export())}\n" for item in items)

    processor = load("agents.tracing.processors").BatchTraceProcessor(Lines())
    agents.set_trace_processors([processor])
    client = load("openai").AsyncOpenAI(
        base_url=f"{address}/v1", api_key="-", max_retries=0
    )
    model = agents.OpenAIChatCompletionsModel(model=MODEL, openai_client=client)
    agent = agents.Agent(name="support", instructions=SYSTEM, model=model)

    async def all_calls() -> None:
        for question, _ in PLAN:
            with suppress(Exception):
                await agents.Runner.run(agent, question)

    asyncio.run(all_calls())
    processor.shutdown()


def langsmith_runs(address: str, file: Path) -> None:
    """Runs as LangChain hands them to LangSmith's client, which would send them."""
    tracers = load("langchain_core.tracers.base")

    base: Any = tracers.BaseTracer

    class Lines(base):  # type: ignore[misc]  # of a module that isn't here
        def _persist_run(self, run: Any) -> None:
            with file.open("a", encoding="utf-8") as out:
                for each in [run, *run.child_runs]:
                    row = each.model_dump(
                        mode="json", exclude={"child_runs"}, fallback=str
                    )
                    out.write(json.dumps(row) + "\n")

    model = load("langchain_openai").ChatOpenAI(
        model=MODEL,
        base_url=f"{address}/v1",
        api_key="-",
        max_retries=0,
        stream_usage=True,
    )
    for question, stream in PLAN:
        turns = [("system", SYSTEM), ("user", question)]
        config = {"callbacks": [Lines()]}
        with suppress(Exception):
            if stream:
                list(model.stream(turns, config))
            else:
                model.invoke(turns, config)


def llm_database(address: str, file: Path) -> None:
    home = file.parent / "llm"
    home.mkdir(exist_ok=True)
    os.environ["LLM_USER_PATH"] = str(home)
    (home / "extra-openai-models.yaml").write_text(
        f"- model_id: {MODEL}\n  model_name: {MODEL}\n  api_base: {address}/v1\n",
        encoding="utf-8",
    )
    llm = load("llm")
    model = llm.get_model(MODEL)
    model.key = "-"
    database = load("sqlite_utils").Database(file)
    load("llm.migrations").migrate(database)
    for question, stream in PLAN:
        with suppress(Exception):
            reply = model.prompt(question, system=SYSTEM, stream=stream)
            reply.text()
            reply.log_to_db(database)
    sqlite3.connect(file).close()


def openai_pairs(address: str, file: Path) -> None:
    openai = load("openai")
    client = openai_client(address)
    with file.open("w", encoding="utf-8") as out:
        for question, _ in PLAN:
            request = {"model": MODEL, "messages": messages(question)}
            line: dict[str, Any] = {"request": request}
            try:
                reply = client.chat.completions.create(**request)
                line["response"] = reply.model_dump(mode="json")
            except openai.APIStatusError as failed:
                line |= {
                    "response": None,
                    "error": str(failed),
                    "status": failed.status_code,
                }
            out.write(json.dumps(line) + "\n")


def anthropic_pairs(address: str, file: Path) -> None:
    anthropic = load("anthropic")
    client = anthropic.Anthropic(base_url=address, api_key="-", max_retries=0)
    with file.open("w", encoding="utf-8") as out:
        for question, _ in PLAN:
            turns = [{"role": "user", "content": question}]
            request = {
                "model": "claude-sonnet-4-5",
                "max_tokens": 500,
                "messages": turns,
            }
            line: dict[str, Any] = {"request": {**request, "system": SYSTEM}}
            try:
                reply = client.messages.create(system=SYSTEM, **request)
                line["response"] = reply.model_dump(mode="json")
            except anthropic.APIStatusError as failed:
                line |= {"response": failed.body, "status": failed.status_code}
            out.write(json.dumps(line) + "\n")


def ollama_pairs(address: str, file: Path) -> None:
    ollama = load("ollama")
    client = ollama.Client(host=address)
    with file.open("w", encoding="utf-8") as out:
        for question, _ in PLAN:
            request = {"model": "llama3.2", "messages": messages(question)}
            line: dict[str, Any] = {"request": request}
            try:
                line["response"] = client.chat(**request).model_dump(mode="json")
            except ollama.ResponseError as failed:
                line |= {"error": str(failed), "status": failed.status_code}
            out.write(json.dumps(line) + "\n")


def gemini_pairs(address: str, file: Path) -> None:
    genai = load("google.genai")
    options = {"base_url": address, "retry_options": {"attempts": 1}}
    client = genai.Client(api_key="-", http_options=options)
    with file.open("w", encoding="utf-8") as out:
        for question, _ in PLAN:
            turns = [{"role": "user", "parts": [{"text": question}]}]
            request = {"model": "gemini-2.5-flash", "contents": turns}
            line: dict[str, Any] = {"request": request}
            try:
                reply = client.models.generate_content(**request)
                line["response"] = reply.model_dump(mode="json", exclude_none=True)
            except load("google.genai.errors").APIError as failed:
                line |= {"error": str(failed), "status": failed.code}
            out.write(json.dumps(line) + "\n")


def bedrock_pairs(address: str, file: Path) -> None:
    boto = load("boto3")
    tries = load("botocore.config").Config(retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "-", "aws_secret_access_key": "-"}
    client = boto.client(
        "bedrock-runtime",
        endpoint_url=address,
        region_name="us-east-1",
        config=tries,
        **keys,
    )
    with file.open("w", encoding="utf-8") as out:
        for question, _ in PLAN:
            request = {
                "modelId": "amazon.nova-lite-v1:0",
                "system": [{"text": SYSTEM}],
                "messages": [{"role": "user", "content": [{"text": question}]}],
            }
            line: dict[str, Any] = {"request": request}
            try:
                line["response"] = client.converse(**request)
            except client.exceptions.ClientError as failed:
                line["response"] = failed.response
                line["error"] = str(failed)
            out.write(json.dumps(line, default=str) + "\n")


DRIVERS: dict[str, Callable[[str, Path], None]] = {
    each.__name__: each
    for each in (
        *(
            openllmetry,
            openinference,
            logfire_openai,
            pydantic_ai_spans,
            pydantic_ai_messages,
        ),
        *(agents_sdk, langsmith_runs, llm_database, openai_pairs, anthropic_pairs),
        *(ollama_pairs, gemini_pairs, bedrock_pairs),
    )
}


def main() -> None:
    maker, address, file = sys.argv[1:]
    DRIVERS[maker](address, Path(file))


if __name__ == "__main__":
    main()

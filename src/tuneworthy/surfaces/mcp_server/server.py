"""The server: the protocol's requests, each one call of a tool, a resource or a conversation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import anyio
import anyio.to_thread
from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError

from tuneworthy import __version__
from tuneworthy.api.board import plain_error
from tuneworthy.domain.errors import InputError, one_line
from tuneworthy.report.assistant import QUOTED, cleaned, marked
from tuneworthy.report.assistant.prompts import INSTRUCTIONS, TALKS, talk_text
from tuneworthy.surfaces.mcp_server import pages
from tuneworthy.surfaces.mcp_server.gives import schema_of
from tuneworthy.surfaces.mcp_server.tools import TOOLS, Desk, Tool
from tuneworthy.syntax.build import build, did_you_mean
from tuneworthy.syntax.yaml import Document

AT_ONCE = 4
"""Tools that compute at a time; others wait."""
_PAGE = 100
_TOOLS = {tool.name: tool for tool in TOOLS}
_TALKS = {talk.name: talk for talk in TALKS}

Context = ServerRequestContext[Any]
Listing = types.PaginatedRequestParams | None


def make_server(desk: Desk) -> Server[Any]:
    """A server over the cases of a desk; it does nothing until a transport runs it."""
    limiter: list[anyio.CapacityLimiter] = []

    async def call_tool(_: Context, asked: types.CallToolRequestParams) -> types.CallToolResult:
        if not limiter:  # it belongs to the loop that runs
            limiter.append(anyio.CapacityLimiter(AT_ONCE))
        work = partial(called, desk, asked.name, asked.arguments or {})
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter[0])

    async def list_resources(_: Context, asked: Listing) -> types.ListResourcesResult:
        work = partial(_asked, desk, pages.listed, desk)
        names = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        begin = int(asked.cursor) if asked and asked.cursor and asked.cursor.isdecimal() else 0
        more = str(begin + _PAGE) if begin + _PAGE < len(names) else None
        return types.ListResourcesResult(
            resources=list(names[begin : begin + _PAGE]), next_cursor=more
        )

    async def read(_: Context, asked: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        work = partial(_asked, desk, pages.read, desk, asked.uri)
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)

    return Server(
        "tuneworthy",
        version=__version__,
        title="Tuneworthy",
        instructions=INSTRUCTIONS,
        on_list_tools=_list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=_list_templates,
        on_read_resource=read,
        on_list_prompts=_list_prompts,
        on_get_prompt=_get_prompt,
    )


def called(desk: Desk, name: str, arguments: Mapping[str, Any]) -> types.CallToolResult:
    """The result of a tool. Whatever is wrong is one line for the assistant to read."""
    try:
        tool = _named(name)
        data, text = tool.run(desk, _understood(tool, arguments))
    except InputError as caught:
        return _failed(f"{plain_error(caught, desk.board.shelf)} {QUOTED}")
    except Exception as caught:  # an assistant gets a line and never a traceback
        if os.environ.get("TUNEWORTHY_TRACEBACK"):
            raise
        fault = f"{type(caught).__name__}; TUNEWORTHY_TRACEBACK=1 shows where"
        return _failed(f"a fault of ours ({fault})")
    content: list[types.ContentBlock] = [types.TextContent(text=marked(text))]
    return types.CallToolResult(content=content, structured_content=data)


def _failed(line: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=one_line(line))], is_error=True)


def _named(name: str) -> Tool:
    if name not in _TOOLS:
        fix = did_you_mean(name, tuple(_TOOLS))
        raise InputError(f'there is no tool "{name[:80]}"', fix=fix)
    return _TOOLS[name]


def _understood(tool: Tool, arguments: Mapping[str, Any]) -> Any:
    try:
        return build(tool.asks, Document(arguments, tool.name), InputError)
    except InputError as caught:  # the place in a file means nothing here
        raise InputError(caught.what, where=tool.name, fix=caught.fix) from None


def _asked(desk: Desk, work: Any, *given: Any) -> Any:
    """A resource; what is wrong with the request is an error of the protocol, in one line."""
    try:
        return work(*given)
    except InputError as caught:
        line = plain_error(caught, desk.board.shelf)
        raise MCPError(code=types.INVALID_PARAMS, message=line) from None


async def _list_tools(_: Context, _params: Listing) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[_tool(tool) for tool in TOOLS])


@cache
def _tool(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.says,
        input_schema=schema_of(tool.asks, "validation"),
        output_schema=schema_of(tool.gives),
        annotations=types.ToolAnnotations(
            read_only_hint=not tool.writes,
            destructive_hint=False,
            idempotent_hint=tool.repeatable,
            open_world_hint=False,
        ),
    )


async def _list_templates(_: Context, _params: Listing) -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult(resource_templates=list(pages.TEMPLATES))


async def _list_prompts(_: Context, _params: Listing) -> types.ListPromptsResult:
    told = [
        types.Prompt(
            name=talk.name,
            title=talk.title,
            description=talk.says,
            arguments=[
                types.PromptArgument(name=name, description=says, required=False)
                for name, says in talk.arguments
            ],
        )
        for talk in TALKS
    ]
    return types.ListPromptsResult(prompts=told)


async def _get_prompt(_: Context, asked: types.GetPromptRequestParams) -> types.GetPromptResult:
    talk = _TALKS.get(asked.name)
    given = asked.arguments or {}
    known = [name for name, _ in talk.arguments] if talk else []
    wrong = next((name for name in given if name not in known), None)
    if talk is None or wrong is not None or sum(map(len, given.values())) > pages.MOST_SAID:
        what = "takes too long a text" if wrong is None else f'takes no "{wrong[:80]}"'
        if talk is None:
            what = f'there is no prompt "{asked.name[:80]}"'
        fix = did_you_mean(wrong or asked.name, tuple(known or _TALKS))
        raise MCPError(code=types.INVALID_PARAMS, message=str(InputError(what, fix=fix)))
    text = types.TextContent(text=cleaned(talk_text(talk, given)))
    message = types.PromptMessage(role="user", content=text)
    return types.GetPromptResult(description=talk.says, messages=[message])

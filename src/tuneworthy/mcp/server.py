"""The server: the protocol's requests, each one call of a tool, a resource or a conversation."""

from __future__ import annotations

import hmac
import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache, partial
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote

import anyio
import anyio.to_thread
from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError

from tuneworthy import __version__
from tuneworthy.errors import InputError, one_line
from tuneworthy.framework.load import NAMES, load_named
from tuneworthy.mcp.tools import (
    INSTRUCTIONS,
    QUOTED,
    TALKS,
    TOOLS,
    Desk,
    Tool,
    cleaned,
    marked,
    schema_of,
    talk_text,
)
from tuneworthy.report.document import markdown
from tuneworthy.syntax.document import ParsedFile, build, did_you_mean
from tuneworthy.workspace.listen import in_link, is_loopback
from tuneworthy.workspace.reports import framework_text

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


# Resources: the frameworks as they ship, and each case as its report.

FRAMEWORK = "tuneworthy://framework/"
CASE = "tuneworthy://case/"
MOST_SAID = 20_000
"""Characters that may be given to a conversation."""
_YAML, _MARKDOWN = "application/yaml", "text/markdown"

TEMPLATES = (
    types.ResourceTemplate(
        uri_template=f"{FRAMEWORK}{{name}}",
        name="framework",
        title="A decision framework",
        description="Questions, rules and figures of a framework of the catalogue, as they ship.",
        mime_type=_YAML,
    ),
    types.ResourceTemplate(
        uri_template=f"{CASE}{{name}}",
        name="case",
        title="The report of a case",
        description="A case judged as of today, as the command line reports it in Markdown.",
        mime_type=_MARKDOWN,
    ),
)
"""What the addresses look like."""


def listed(desk: Desk) -> tuple[types.Resource, ...]:
    """Every framework of the catalogue, and every case.

    Raises:
        InputError: If there are too many cases.
    """
    frameworks = (
        types.Resource(
            uri=FRAMEWORK + name, name=name, title=load_named(name).title, mime_type=_YAML
        )
        for name in NAMES
    )
    cases = (
        types.Resource(uri=CASE + quote(name, safe=""), name=cleaned(name), mime_type=_MARKDOWN)
        for name in desk.workspace.directory.names()
    )
    return (*frameworks, *cases)


def read(desk: Desk, uri: str) -> types.ReadResourceResult:
    """A framework's YAML, or a case's report with the line that it is data.

    Raises:
        InputError: If there is nothing of that address, or a case can't be judged.
    """
    if uri.startswith(FRAMEWORK):
        return _text(uri, _framework(unquote(uri.removeprefix(FRAMEWORK))), _YAML)
    if uri.startswith(CASE):
        name = unquote(uri.removeprefix(CASE))
        return _text(uri, marked(markdown(desk.workspace.evaluated(name).dossier)), _MARKDOWN)
    fix = f"{FRAMEWORK}lesson, or {CASE}NAME"
    raise InputError(f'there is nothing at "{uri[:80]}"', fix=fix)


def _framework(name: str) -> str:
    if name not in NAMES:  # a path would be a framework too
        fix = f"one of {', '.join(NAMES)}"
        raise InputError(f'"{name[:80]}" is no framework of the catalogue', fix=fix)
    return framework_text(name, "yaml")


def _text(uri: str, text: str, kind: str) -> types.ReadResourceResult:
    content = types.TextResourceContents(uri=uri, text=text, mime_type=kind)
    return types.ReadResourceResult(contents=[content])


# The server: the protocol's requests, each one call of a tool, a resource or a conversation.

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
        work = partial(_asked, desk, listed, desk)
        names = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        begin = int(asked.cursor) if asked and asked.cursor and asked.cursor.isdecimal() else 0
        more = str(begin + _PAGE) if begin + _PAGE < len(names) else None
        return types.ListResourcesResult(
            resources=list(names[begin : begin + _PAGE]), next_cursor=more
        )

    async def read_resource(
        _: Context, asked: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        work = partial(_asked, desk, read, desk, asked.uri)
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
        on_read_resource=read_resource,
        on_list_prompts=_list_prompts,
        on_get_prompt=_get_prompt,
    )


def called(desk: Desk, name: str, arguments: Mapping[str, Any]) -> types.CallToolResult:
    """The result of a tool. Whatever is wrong is one line for the assistant to read."""
    try:
        tool = _named(name)
        data, text = tool.run(desk, _understood(tool, arguments))
    except InputError as caught:
        return _failed(f"{desk.workspace.directory.plain_error(caught)} {QUOTED}")
    except Exception as caught:  # an assistant gets a line and never a traceback
        if os.environ.get("TUNEWORTHY_TRACEBACK"):
            raise
        fault = f"{type(caught).__name__}; TUNEWORTHY_TRACEBACK=1 shows where"
        return _failed(f"an internal error ({fault})")
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
        return build(tool.asks, ParsedFile(arguments, tool.name), InputError)
    except InputError as caught:  # the place in a file means nothing here
        raise InputError(caught.what, where=tool.name, fix=caught.fix) from None


def _asked(desk: Desk, work: Any, *given: Any) -> Any:
    """A resource; what is wrong with the request is an error of the protocol, in one line."""
    try:
        return work(*given)
    except InputError as caught:
        line = desk.workspace.directory.plain_error(caught)
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
    return types.ListResourceTemplatesResult(resource_templates=list(TEMPLATES))


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
    if talk is None or wrong is not None or sum(map(len, given.values())) > MOST_SAID:
        what = "takes too long a text" if wrong is None else f'takes no "{wrong[:80]}"'
        if talk is None:
            what = f'there is no prompt "{asked.name[:80]}"'
        fix = did_you_mean(wrong or asked.name, tuple(known or _TALKS))
        raise MCPError(code=types.INVALID_PARAMS, message=str(InputError(what, fix=fix)))
    text = types.TextContent(text=cleaned(talk_text(talk, given)))
    message = types.PromptMessage(role="user", content=text)
    return types.GetPromptResult(description=talk.says, messages=[message])


# The protocol over HTTP: on this machine, or with a token.

PATH = "/mcp"
LARGEST_BODY = 2 * 1024 * 1024
"""Bytes of a request."""
TOKEN = "TUNEWORTHY_TOKEN"  # noqa: S105  # the name of a variable, and no secret
_SHORTEST = 16
_AT_ONCE = 64
"""Connections at a time; more are turned away."""
_LOCAL = ("127.0.0.1", "localhost", "[::1]")


def token_for(host: str) -> tuple[str | None, bool]:
    """The token that clients have to show, and whether it was made just now.

    The environment's, where it has one; else none on this machine, and a new one elsewhere.

    Raises:
        InputError: If the environment's is too short to protect anything.
    """
    given = os.environ.get(TOKEN)
    if given:
        if len(given) < _SHORTEST:
            fix = "use 32 random characters, or leave it out"
            raise InputError(f"is shorter than {_SHORTEST} characters", where=TOKEN, fix=fix)
        return given, False
    return (None, False) if is_loopback(host) else (secrets.token_urlsafe(32), True)


def address_of(host: str, listens: socket.socket) -> str:
    """Where clients find the server."""
    return f"http://{in_link(host)}:{listens.getsockname()[1]}{PATH}"


def security(host: str, allowed: Sequence[str] = ()) -> TransportSecuritySettings:
    """Names under which requests are answered; any other is a page that was led here by its name.

    Args:
        host: Where the server listens.
        allowed: Further names by which it may be called.
    """
    names = dict.fromkeys((*_LOCAL, in_link(host), *allowed))
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[*names, *(f"{name}:*" for name in names)],
        allowed_origins=[f"http://{name}:*" for name in names],
    )


def make_app(
    server: Server[Any], host: str, token: str | None, allowed: Sequence[str] = ()
) -> ASGIApp:
    """The application: every request stands by itself, is small, and has shown the token."""
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=LARGEST_BODY,
        transport_security=security(host, allowed),
        host=host,
    )
    posts = _without_streams(app)
    return posts if token is None else _guarded(posts, token)


def _without_streams(app: ASGIApp) -> ASGIApp:
    """Refuse GET: where requests stand by themselves a stream would only hold a connection."""

    async def only(scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if reads and scope["path"] == PATH:
            from starlette.responses import PlainTextResponse

            refused = PlainTextResponse("send a POST", 405, {"Allow": "POST"})
            await refused(scope, receive, send)
            return
        await app(scope, receive, send)

    return only


def _guarded(app: ASGIApp, token: str) -> ASGIApp:
    wanted = f"Bearer {token}".encode()

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            shown = [value for name, value in scope["headers"] if name == b"authorization"]
            if len(shown) != 1 or not hmac.compare_digest(shown[0], wanted):
                from starlette.responses import PlainTextResponse

                told = {"WWW-Authenticate": "Bearer"}
                await PlainTextResponse("a token is needed", 401, told)(scope, receive, send)
                return
        await app(scope, receive, send)

    return guard


def serve_http(app: ASGIApp, listens: socket.socket) -> None:
    """Serve until it is interrupted; whoever is still connected then is cut off in a second."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=_AT_ONCE,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listens])


# The protocol over the standard streams, as an assistant starts it.

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes of a request; a longer one is read past and not kept."""


def serve_stdio(server: Server[Any]) -> None:
    """Serve until the other side closes the stream.

    Nothing but the protocol goes to the standard output: what a library prints goes to stderr.
    """
    anyio.run(_serve, server)


async def _serve(server: Server[Any]) -> None:
    private = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a child that reads gets nothing of the protocol
    os.close(nothing)
    stream = os.fdopen(private, "rb")  # never closed: that would wait for the thread that reads
    lines = cast("anyio.AsyncFile[str]", StreamLines(stream))
    async with stdio_server(stdin=lines) as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


class StreamLines:
    """Lines of a stream, read in a thread that nobody waits for when the server ends.

    Args:
        stream: Where they come from.
        longest: Bytes of a line; a longer one counts as an empty line.
    """

    def __init__(self, stream: IO[bytes], longest: int = LONGEST_LINE) -> None:
        self._stream, self._longest = stream, longest

    async def __aiter__(self) -> AsyncIterator[str]:
        """Each line as text, until the stream ends."""
        while (line := await anyio.to_thread.run_sync(self._next, abandon_on_cancel=True)) != "":
            yield line

    def _next(self) -> str:
        """The next line with its end; empty at the end of the stream."""
        part = line = self._stream.readline(self._longest)
        while part and not part.endswith(b"\n"):
            part = self._stream.readline(self._longest)
            line = b"\n" if part else line
        return line.decode("utf-8", "replace")

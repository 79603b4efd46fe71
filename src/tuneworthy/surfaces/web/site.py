"""What a running server knows: its cases, whom it answers, and its secrets."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256

from tuneworthy.api.board import Board
from tuneworthy.api.desk import Desks
from tuneworthy.api.running import Labs

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Site:
    """One server. Its secrets are made anew at every start and are in no file."""

    board: Board
    hosts: frozenset[str] = LOOPBACK
    """Names it answers to, without a port."""
    any_address: bool = False
    """Whether it also answers to any numeric address, where it listens on all of them."""
    token: str | None = field(default=None, repr=False)
    """What a visitor has to know; None on the loopback."""
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    labs: Labs = field(default_factory=Labs)
    """The labs that run here; they end with the server."""
    desks: Desks = field(default_factory=Desks)
    """What is being labelled here."""

    @property
    def csrf(self) -> str:
        """What a form has to carry, so that it can only be one of our own pages."""
        return self._signed("csrf")

    @property
    def session(self) -> str:
        """What the cookie of a visitor holds who gave the token."""
        return self._signed("session")

    def is_token(self, given: str) -> bool:
        """Whether this is the token, compared in constant time."""
        return self.token is not None and _same(given, self.token)

    def is_session(self, given: str) -> bool:
        """Whether this is the session's value, compared in constant time."""
        return _same(given, self.session)

    def is_csrf(self, given: str) -> bool:
        """Whether this is the form's value, compared in constant time."""
        return _same(given, self.csrf)

    def _signed(self, purpose: str) -> str:
        return hmac.new(self.secret, purpose.encode(), sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())

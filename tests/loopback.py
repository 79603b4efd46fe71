"""A server for tests that ask many things at once."""

from http.server import ThreadingHTTPServer


class LoopbackServer(ThreadingHTTPServer):
    """Takes as many connections as come: of more than the usual five, each waits for a second."""

    request_queue_size = 128

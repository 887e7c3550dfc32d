"""HTTP as commands speak it: what is sent arrives as it was given, and half an answer is none (O1)."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from trunkline.cli.client.http_client import ConnectError, HttpClient, TransportError


class Service(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        told = {"path": self.path, "headers": dict(self.headers), "body": body.decode()}
        answer = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer) + (10 if self.path.startswith("/cut") else 0)))
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = True

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def serving() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def client() -> HttpClient:
    return HttpClient({"Authorization": "Bearer x"}, timeout=10.0, trust_env=False)


def test_then_a_request_arrives_as_it_was_given(client: HttpClient) -> None:
    """O1: plus signs, blanks and other letters in paths and queries, lists, JSON with any text."""
    with serving() as where:
        params = {"q": "+44 ä&b", "several": [1, "b"], "yes": True}
        answer = client.request("POST", f"http://{where}/numbers/+44 20 ä%2Fz%", params=params, body={"a": "\ud83d é"})
    told = answer.json()
    assert told["path"] == "/numbers/+44%2020%20%C3%A4%2Fz%25?q=%2B44+%C3%A4%26b&several=1&several=b&yes=true"
    assert json.loads(told["body"]) == {"a": "\ud83d é"}
    assert told["headers"]["Authorization"] == "Bearer x"
    assert told["headers"]["Content-Type"] == "application/json"


def test_then_half_an_answer_is_none(client: HttpClient) -> None:
    """O1: neither read whole, nor piece by piece, nor by lines."""
    with serving() as where:
        with pytest.raises(TransportError, match="IncompleteRead"):
            client.request("GET", f"http://{where}/cut")
        with client.stream("GET", f"http://{where}/cut") as answer, pytest.raises(TransportError):
            list(answer.iter_lines())
        with client.stream("GET", f"http://{where}/cut") as answer, pytest.raises(TransportError):
            list(answer.iter_bytes())


def test_then_nobody_there_is_told_from_no_answer(client: HttpClient) -> None:
    """O1: exit code 4 in both cases, in other words."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectError):
        client.request("GET", f"http://127.0.0.1:{port}/")
    with pytest.raises(TransportError):
        client.request("GET", "http://127.0.0.1:none/")
    with pytest.raises(ConnectError):
        client.request("GET", "http://[::1]:1/")


def test_then_a_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: with its login, and not for whom it is not meant."""
    client = HttpClient({}, timeout=10.0, trust_env=True)
    with serving() as where:
        monkeypatch.setenv("http_proxy", f"http://ada:p%40ss@{where}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        told = client.request("GET", "http://numbers.example:8080/numbers", params={"limit": 1}).json()
        assert told["path"] == "http://numbers.example:8080/numbers?limit=1"
        assert told["headers"]["Proxy-Authorization"] == "Basic YWRhOnBAc3M="
        direct = client.request("GET", f"http://{where}/numbers").json()
        assert direct["path"] == "/numbers"
        assert "Proxy-Authorization" not in direct["headers"]

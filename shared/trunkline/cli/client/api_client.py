"""The running services as a command meets them: over HTTP, as any other program does."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from trunkline.cli.client.client_settings import Client
from trunkline.cli.client.http_client import Answer, ConnectError, HttpClient, TransportError
from trunkline.cli.terminal.exit_codes import Ended, Misused, Refused, Unreachable
from trunkline.cli.terminal.options import SERVICES
from trunkline.cli.terminal.refused_values import refused_values
from trunkline.hosts import is_loopback

_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read here, never listened on
_ANY_LIST: Final = {"licensing": "/licensing/partners", "numbers": "/numbers/refused"}
_SCOPES: Final = ("billing:write", "operate", "projections:read")
_INVALID: Final = "request-invalid"
_AWAY: Final = frozenset({502, 503, 504})
_TIMEOUT_SECONDS: Final = 30.0
_UNAUTHORIZED: Final = 401
_NO_KEY: Final = (
    "There is no signing key in this home to ask with: "
    "name the service's home (TRUNKLINE_HOME), or give a token (--token)."
)


def addresses(given: str | None, settings: Client) -> dict[str, str]:
    """Where each service answers.

    Args:
        given: one URL for both, or `licensing=URL,numbers=URL`; None: the settings' host and port.
        settings: of this home.

    Raises:
        Misused: what was given is no such thing.
    """
    if given is None:
        host = _ANYWHERE.get(settings.http_host, settings.http_host)
        given = f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"
    found: dict[str, str] = {}
    for part in given.split(","):
        name, _, url = part.strip().rpartition("=")
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname or name not in ("", *SERVICES):
            raise Misused(f"--url is {given!r}; it takes http://HOST:PORT, or licensing=URL,numbers=URL.")
        found.update(dict.fromkeys([name] if name else SERVICES, url.rstrip("/")))
    return found


def check_private(urls: Mapping[str, str], settings: Client) -> None:
    """Refuse to send a token where it can be read on its way.

    Raises:
        Misused: a URL is http:// and leads to another machine.
    """
    for url in dict.fromkeys(urls.values()):
        parts = urlsplit(url)
        if parts.scheme == "http" and not is_loopback(parts.hostname) and not settings.allow_plain_http:
            raise Misused(
                f"{url} is another machine, and http:// would show it and everybody on the way the token: "
                "use https://, or set TRUNKLINE_ALLOW_PLAIN_HTTP=on where the network is trusted."
            )


def operator_token(settings: Client) -> str | None:
    """Whoever can read the home's signing key is its operator; None where this home has no key (yet)."""
    if not (settings.keys / "signing.json").exists():
        return None
    from trunkline.security.own_token import own_claims, signed

    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        user = "operator"
    ttl = timedelta(hours=min(12, settings.token_hours))
    claims = own_claims(
        "platform-admin",
        settings.token_audience,
        datetime.now(UTC),
        ttl,
        subject=user,
        scopes=_SCOPES,
        command=True,
    )
    try:
        return signed(claims, json.loads((settings.keys / "signing.json").read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError):
        raise Misused(f"{settings.keys / 'signing.json'} is no signing key of Trunkline.") from None


class ApiClient:
    """The services over HTTP. Every refusal becomes the sentence its problem details hold."""

    def __init__(self, urls: Mapping[str, str], token: str | None, given: Mapping[str, Any] | None = None) -> None:
        """Reach services at their URLs, by name, as the bearer of a token.

        Args:
            urls: service -> where it answers.
            token: the bearer's; None: there is none.
            given: what was typed, option -> value: a refusal names the option instead of the request's field.
        """
        self.urls = urls
        self._given: Mapping[str, Any] = given or {}
        self.positions: dict[str, str] = {}
        """The newest Trunkline-Position that each service has answered, for reads that must see it."""
        self.dry = False
        """Whether an answer said that nothing was done, as was asked: it tells how it would be."""
        self.file_name: str | None = None
        """What the file downloaded last is called by the service."""
        self._has_token = token is not None
        local = all(urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1") for url in urls.values())
        self._client = HttpClient(
            {"Authorization": f"Bearer {token}"} if token else {},
            timeout=_TIMEOUT_SECONDS,
            trust_env=not local,  # a proxy is of no use on the way to this machine
        )

    def services_at(self, url: str) -> list[str] | None:
        """The services that run at an address; None where that cannot be known."""
        with suppress(TransportError, ValueError, AttributeError):
            found = self._client.request("GET", f"{url}/readyz").json().get("services")
            return found if isinstance(found, list) and found else None
        return None

    def now(self) -> datetime:
        """What time it is for the services; the machine's where they do not say."""
        with suppress(TransportError, ValueError, AttributeError, TypeError):
            instant = self._client.request("GET", f"{self.urls['numbers']}/readyz").json()["now"]
            return max(map(datetime.fromisoformat, instant.values()))
        return datetime.now(UTC)

    def catch_up(self) -> None:
        """Wait until the views have seen this client's own changes, so that the next command sees them too."""
        for service, position in self.positions.items():
            # Whatever the answer is, it comes after the waiting.
            with suppress(TransportError):
                url = self.urls[service] + _ANY_LIST[service]
                self._client.request("GET", url, params={"limit": 1}, headers={"Trunkline-Wait-For": position})

    def get(self, path: str, **params: Any) -> Any:
        """Read a resource that has seen this client's own changes."""
        wait = self.positions.get(_service(path))
        headers = {"Trunkline-Wait-For": wait} if wait else {}
        return _body(self._send("GET", path, params=_known(params), headers=headers))

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """Do something, once: the request carries an idempotency key of its own."""
        headers = {"Idempotency-Key": str(uuid4())}
        return _body(self._send("POST", path, params=_known(params), headers=headers, body=body))

    def post_bytes(self, path: str, body: bytes, media_type: str, **params: Any) -> Any:
        """Send a body as it is, once."""
        headers = {"Idempotency-Key": str(uuid4()), "Content-Type": media_type}
        return _body(self._send("POST", path, params=_known(params), headers=headers, content=body))

    def patch(self, path: str, body: Any, **params: Any) -> Any:
        """Change what the body names of a resource."""
        return _body(self._send("PATCH", path, params=_known(params), body=body))

    def put(self, path: str, body: Any, **params: Any) -> Any:
        """Make a resource what the body says."""
        return _body(self._send("PUT", path, params=_known(params), body=body))

    def delete(self, path: str, **params: Any) -> Any:
        """Do away with a resource."""
        return _body(self._send("DELETE", path, params=_known(params)))

    @contextmanager
    def download(self, path: str, **params: Any) -> Iterator[Iterator[bytes]]:
        """Read a file: its bytes as they come, having seen this client's own changes."""
        url = self._url(path)
        wait = self.positions.get(_service(path))
        request: dict[str, Any] = {"params": _known(params), "headers": {"Trunkline-Wait-For": wait} if wait else {}}
        try:
            with self._client.stream("GET", url, timeout=None, **request) as answer:
                if answer.is_error:
                    answer.read()
                    raise self._problem(answer)
                self.file_name = _file_name(answer)
                yield answer.iter_bytes()
        except TransportError as error:
            raise self._away(url, error) from None

    def page_through(self, path: str, limit: int, **params: Any) -> dict[str, Any]:
        """A list of at most `limit` items, read by as many pages as that takes: items, next, total, total_is."""
        found: dict[str, Any] = {"items": []}
        cursor: str | None = None
        while True:
            wanted = limit - len(found["items"])
            page = self.get(path, limit=min(wanted, 500), cursor=cursor, **params)
            found = page | {"items": found["items"] + page["items"]}
            cursor = page.get("next")
            if cursor is None or len(found["items"]) >= limit:
                return found

    def merged(self, path: str, limit: int, *, by: str, newest_first: bool = False, **params: Any) -> dict[str, Any]:
        """One operators' list over both services, each item with its `service`: at most `limit` items, and `next`.

        Args:
            path: below `/<service>/operate`.
            limit: most items.
            by: the field that sorts them.
            newest_first: the other way round, as the services list it.
            params: further query parameters.
        """
        lists = {name: self.page_through(f"/{name}/operate{path}", limit, **params) for name in SERVICES}
        items = [{"service": name} | item for name, found in lists.items() for item in found["items"]]
        items.sort(key=lambda item: str(item[by]), reverse=newest_first)
        more = len(items) > limit or any(found.get("next") is not None for found in lists.values())
        return {"items": items[:limit], "more": more}

    @contextmanager
    def lines(self, path: str, body: Any = None, **params: Any) -> Iterator[Iterator[str]]:
        """Do something that tells its progress: the lines of the answer, as they come."""
        url = self._url(path)
        headers = {"Idempotency-Key": str(uuid4())}
        try:
            request: dict[str, Any] = {"headers": headers, "body": body, "params": _known(params)}
            with self._client.stream("POST", url, timeout=None, **request) as answer:
                if answer.is_error:
                    answer.read()
                    raise self._problem(answer)
                self.dry = self.dry or "Trunkline-Dry-Run" in answer.headers
                yield answer.iter_lines()
        except TransportError as error:
            raise self._away(url, error) from None

    def _url(self, path: str) -> str:
        return self.urls[_service(path)] + path

    def _send(self, method: str, path: str, **request: Any) -> Answer:
        url = self._url(path)
        try:
            answer = self._client.request(method, url, **request)
        except TransportError as error:
            raise self._away(url, error) from None
        if answer.is_error:
            raise self._problem(answer)
        self.dry = self.dry or "Trunkline-Dry-Run" in answer.headers
        position = answer.headers.get("Trunkline-Position")
        if position:
            self.positions[_service(path)] = position
        return answer

    def _away(self, url: str, error: Exception) -> Unreachable:
        where = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        if isinstance(error, ConnectError):
            return Unreachable(
                f"Nothing answers at {where}: start it with `trunkline up`, or say where it is by --url."
            )
        return Unreachable(f"{where} does not answer as it should ({error}): look at its log.")

    def _problem(self, answer: Answer) -> Ended:
        where = "{0.scheme}://{0.netloc}".format(urlsplit(answer.url))
        try:
            problem = answer.json()
            detail = str(problem["detail"])
        except (ValueError, KeyError, TypeError):
            text = f"{where} answers {answer.status_code} {answer.reason_phrase}, and not as Trunkline does."
            return Unreachable(text)
        if problem.get("code") == _INVALID and problem.get("errors"):
            return Refused("\n".join(refused_values(problem["errors"], self._given)), problem)
        more = [str(e.get("detail", "")) for e in problem.get("errors", []) if e.get("detail") not in (None, detail)]
        if answer.status_code == _UNAUTHORIZED and not self._has_token:
            detail = _NO_KEY
        kind = Unreachable if answer.status_code in _AWAY else Refused
        adds = len(more) > 1 or any(each not in detail for each in more)
        return kind("\n".join([detail, *more[:10]]) if adds else detail, problem)


def _service(path: str) -> str:
    return "numbers" if path.startswith("/numbers") else "licensing"


def _file_name(answer: Answer) -> str | None:
    """The name in Content-Disposition, without any folder."""
    _, found, rest = answer.headers.get("content-disposition", "").partition('filename="')
    return PurePath(rest.partition('"')[0]).name or None if found else None


def _known(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _body(answer: Answer) -> Any:
    return answer.json() if answer.content else None

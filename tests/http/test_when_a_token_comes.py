"""When a bearer token comes: the home's own, another issuer's, or somebody's invention (P1)."""

from __future__ import annotations

import json
import stat
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from trunkline.security.jwks import IssuerUnreachable, RemoteKeys
from trunkline.security.signing_keys import NoSigningKey, OwnKeys, publish, rotate
from trunkline.security.tokens import Lifetimes, TokenRefused, Tokens, TrustedIssuer, signing_key
from trunkline.settings import ClaimNames, load_settings
from trunkline.settings import Issuer as Terms

ISSUER = "https://issuer.example"


@pytest.fixture
def own(tmp_path: Path) -> Tokens:
    return Tokens(signing_key(tmp_path / "keys"))


def test_the_signing_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """The home's own key; several processes may start at once."""
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(signing_key(tmp_path / "keys").kid or "")) for _ in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    (file,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_was_issued_is_verified(own: Tokens) -> None:
    """P1: subject, role, party and scopes."""
    party = str(uuid4()).upper()
    principal = own.verify(own.issue("partner-admin", subject="ada", party_id=party, scopes=["operate"]))
    assert (principal.subject, principal.role, principal.party_id) == ("ada", "partner-admin", party.lower())
    assert principal.scopes == {"operate"}
    assert principal.actor == "user:ada"


def test_role_and_party_must_go_together(own: Tokens) -> None:
    """P1, P2: whoever has a branch names it; the platform is nobody's."""
    with pytest.raises(TokenRefused, match="needs the UUID"):
        own.issue("org-admin")
    with pytest.raises(TokenRefused, match="has no `party`"):
        own.issue("platform-admin", party_id=str(uuid4()))
    with pytest.raises(TokenRefused, match="not a UUID"):
        own.issue("member", party_id="me")


def _claims(**other: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    claims = {"iss": "trunkline", "aud": "trunkline", "sub": "eve", "role": "platform-admin", "scope": "operate"}
    return {**claims, "exp": int((now + timedelta(hours=1)).timestamp()), **other}


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "no end"),
        ({"exp": "soon"}, "not a time"),
        ({"exp": True}, "not a time"),
        ({"exp": float("nan")}, "not a time"),
        ({"exp": 10**400}, "not a time"),
        ({"nbf": "soon"}, "not a time"),
        ({"iat": []}, "not a time"),
        ({"iat": 2**40}, "in the future"),
        ({"nbf": 2**40}, "not valid yet"),
        ({"aud": "another"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": ["another", 7]}, "audience"),
        ({"aud": {}}, "audience"),
        ({"role": "root"}, "role"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "a\nb"}, "sub"),
        ({"scope": 7}, "scope"),
        ({"iss": "https://nobody.example"}, "not trusted"),
        ({"iss": 7}, "issuer"),
    ],
)
def test_a_signed_token_with_wrong_claims_is_refused_with_the_reason(
    tmp_path: Path, other: dict[str, Any], why: str
) -> None:
    """P1: the reason is told, the token never repeated."""
    key = signing_key(tmp_path)
    token = jwt.encode({"alg": "Ed25519", "kid": key.kid}, _claims(**other), key, algorithms=["Ed25519"])
    with pytest.raises(TokenRefused, match=why) as told:
        Tokens(key).verify(token)
    assert token not in str(told.value)


def test_the_clock_of_an_issuer_may_differ_by_half_a_minute(tmp_path: Path) -> None:
    """P1: both ways, to the second."""
    key = signing_key(tmp_path)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for claim, seconds, accepted in (
        ("exp", -29, True),
        ("exp", -30, False),
        ("nbf", 30, True),
        ("nbf", 31, False),
        ("iat", 30, True),
        ("iat", 31, False),
    ):
        begun = int(now.timestamp())
        claims = _claims(exp=begun + 60, aud=["other", "trunkline"]) | {claim: begun + seconds}
        token = jwt.encode({"alg": "Ed25519", "kid": key.kid}, claims, key, algorithms=["Ed25519"])
        for moment in (now, now + timedelta(milliseconds=400)):
            with nullcontext() if accepted else pytest.raises(TokenRefused):
                Tokens(key, now=lambda moment=moment: moment).verify(token)  # type: ignore[misc]


def test_no_algorithm_without_a_public_key_is_believed(tmp_path: Path) -> None:
    """`none`, and HS256 signed with the public key as the secret."""
    key = signing_key(tmp_path)
    tokens = Tokens(key)
    public = OctKey.import_key(json.dumps(key.as_dict(private=False)))
    forged = jwt.encode({"alg": "HS256", "kid": key.kid}, _claims(), public, algorithms=["HS256"])
    header, claims = ({"alg": "none"}, _claims())
    unsigned = ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims))
    unsigned += "."
    for token in (forged, unsigned):
        with pytest.raises(TokenRefused, match="algorithm"):
            tokens.verify(token)


def test_another_key_and_no_token_at_all_are_refused(own: Tokens) -> None:
    """A key that is not the home's; texts that are no JWT."""
    other = OKPKey.generate_key("Ed25519")
    with pytest.raises(TokenRefused, match="signature"):
        own.verify(jwt.encode({"alg": "Ed25519"}, _claims(), other, algorithms=["Ed25519"]))
    good = own.issue("platform-admin")
    for text in ("", "a", "a.b", "a.b.c", "é.é.é", good[:-2], good + "x", f"{good}.{good}", "." * 3, "e30.e30.e30"):
        with pytest.raises(TokenRefused):
            own.verify(text)


def test_the_test_clock_locks_nobody_out(tmp_path: Path) -> None:
    """O6: tokens live by the machine's clock; here one that is given, to see the leeway of 30 s."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    tokens = Tokens(signing_key(tmp_path), now=lambda: now)
    token = tokens.issue("platform-admin", ttl=timedelta(minutes=1))
    now += timedelta(seconds=89)
    assert tokens.verify(token).role == "platform-admin"
    now += timedelta(seconds=1)
    with pytest.raises(TokenRefused, match="expired"):
        tokens.verify(token)


# -- other issuers ----------------------------------------------------------------------------------------------------


class Issuer:
    """Somebody with keys, who publishes them on this machine."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.asked = 0
        self.status = 200
        issuer = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                body = json.dumps(
                    {"keys": [k if isinstance(k, dict) else k.as_dict(private=False) for k in issuer.keys]}
                )
                self.send_response(issuer.status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"

    def token(self, key: Any, algorithm: str, **other: Any) -> str:
        header = {"alg": algorithm, **({"kid": key.kid} if key.kid else {})}
        return jwt.encode(header, _claims(iss=ISSUER, **other), key, algorithms=[algorithm])


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    found = Issuer()
    thread = threading.Thread(target=lambda: found.server.serve_forever(0.01))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def _ec(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"})


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")
def test_another_issuers_keys_are_fetched_once(own: Tokens, issuer: Issuer, tmp_path: Path) -> None:
    """P1: ECDSA, RSA and Ed25519; its subjects are its own."""
    keys = [
        (_ec("a"), "ES256"),
        (RSAKey.generate_key(2048, {"kid": "b"}), "RS256"),
        (OKPKey.generate_key("Ed25519", {"kid": "c"}), "Ed25519"),
        (OKPKey.generate_key("Ed25519", {"kid": "d"}), "EdDSA"),
    ]
    secret = {"kty": "oct", "kid": "d", "k": "c2VjcmV0"}
    issuer.keys = [key for key, _ in keys] + [secret, {"kty": "MLDSA"}, {"kty": "RSA"}]
    tokens = Tokens(signing_key(tmp_path), [(ISSUER, RemoteKeys(issuer.url))])
    for key, algorithm in keys:
        assert tokens.verify(issuer.token(key, algorithm)).subject == f"{ISSUER}#eve"
    assert issuer.asked == 1
    with pytest.raises(TokenRefused, match="not trusted"):
        own.verify(issuer.token(*keys[0]))


def test_a_new_key_is_fetched_but_not_for_every_invention(issuer: Issuer, tmp_path: Path) -> None:
    """Rotation: an unknown key id asks again, at most every 5 s."""
    now = 0.0

    def monotonic() -> float:
        return now

    old, new = _ec("old"), _ec("new")
    issuer.keys = [old]
    tokens = Tokens(signing_key(tmp_path), [(ISSUER, RemoteKeys(issuer.url, monotonic))])
    tokens.verify(issuer.token(old, "ES256"))
    issuer.keys = [new]
    for _ in range(3):
        with pytest.raises(TokenRefused, match="signature"):
            tokens.verify(issuer.token(new, "ES256"))
    assert issuer.asked == 1
    now = 6.0
    assert tokens.verify(issuer.token(new, "ES256")).role == "platform-admin"
    with pytest.raises(TokenRefused, match="signature"):
        tokens.verify(issuer.token(old, "ES256"))
    assert issuer.asked == 2


def test_an_issuer_that_is_away_is_told_and_its_known_keys_stay_good(issuer: Issuer, tmp_path: Path) -> None:
    """503 as long as it never answered; then what it said last."""
    now = 0.0
    key = _ec("a")
    issuer.keys = [key]
    issuer.status = 500
    tokens = Tokens(signing_key(tmp_path), [(ISSUER, RemoteKeys(issuer.url, lambda: now))])
    with pytest.raises(IssuerUnreachable, match="500"):
        tokens.verify(issuer.token(key, "ES256"))
    issuer.status, now = 200, 10.0
    tokens.verify(issuer.token(key, "ES256"))
    issuer.status, now = 500, 1000.0
    assert tokens.verify(issuer.token(key, "ES256")).role == "platform-admin"


def test_a_key_of_an_issuer_signs_nothing_else(issuer: Issuer, tmp_path: Path) -> None:
    """Nobody can sign as the home itself, or with the public key as a shared secret."""
    key = _ec("a")
    issuer.keys = [key]
    tokens = Tokens(signing_key(tmp_path), [(ISSUER, RemoteKeys(issuer.url))])
    as_own = jwt.encode({"alg": "ES256", "kid": "a"}, _claims(), key, algorithms=["ES256"])
    with pytest.raises(TokenRefused, match="algorithm"):
        tokens.verify(as_own)
    shared = OctKey.import_key(json.dumps(key.as_dict(private=False)))
    forged = jwt.encode({"alg": "HS256", "kid": "a"}, _claims(iss=ISSUER), shared, algorithms=["HS256"])
    with pytest.raises(TokenRefused, match="algorithm"):
        tokens.verify(forged)


def test_a_key_is_fetched_beside_the_requests(tmp_path: Path) -> None:
    """P1, T6: while an issuer does not answer, known keys serve, unknown ones are refused at once, own ones too."""
    now, key, other = 0.0, _ec("a"), _ec("b")
    asked, answer = threading.Semaphore(0), threading.Semaphore(0)

    def read(_url: str) -> bytes:
        asked.release()
        assert answer.acquire(timeout=30)
        return json.dumps({"keys": [key.as_dict(private=False)]}).encode()

    keys = RemoteKeys("http://issuer.example", lambda: now, read)
    tokens = Tokens(signing_key(tmp_path), [(ISSUER, keys)])
    issuer = Issuer.__new__(Issuer)
    foreign, unknown = (Issuer.token(issuer, k, "ES256") for k in (key, other))
    tokens.prefetch()
    assert asked.acquire(timeout=30)
    for _ in range(3):  # the fetch runs and nothing is known: nobody waits for it
        with pytest.raises(IssuerUnreachable):
            tokens.verify(foreign)
    assert tokens.verify(tokens.issue("platform-admin")).role == "platform-admin"
    answer.release()
    _until_fetched(keys)
    assert tokens.verify(foreign).role == "platform-admin"
    now = 1000.0  # old: fetched again beside the request, which is answered from what is known
    for _ in range(3):
        assert tokens.verify(foreign).role == "platform-admin"
        with pytest.raises(TokenRefused, match="signature"):
            tokens.verify(unknown)
    assert asked.acquire(timeout=30)
    assert not asked.acquire(blocking=False), "one fetch at a time"
    answer.release()
    _until_fetched(keys)


def _until_fetched(keys: RemoteKeys) -> None:
    for thread in threading.enumerate():
        if thread.name == "issuer keys":
            thread.join(30)


def test_an_answer_that_drips_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """T6: the whole answer has a deadline, not only each piece of it."""
    monkeypatch.setattr("trunkline.security.jwks._TOTAL_S", 0.05)
    ended = threading.Event()

    class Drip(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            while not ended.wait(0.01):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Drip) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(0.01))
        thread.start()
        with pytest.raises(IssuerUnreachable, match="takes longer"):
            RemoteKeys(f"http://127.0.0.1:{server.server_port}/").find("a")
        ended.set()
        server.shutdown()
        thread.join()


def _trusting(tmp_path: Path, issuer: Issuer, **terms: Any) -> Tokens:
    given = Terms(issuer=ISSUER, jwks_url=issuer.url, **terms)
    return Tokens(signing_key(tmp_path), [(ISSUER, TrustedIssuer(RemoteKeys(issuer.url), given))])


def test_an_issuers_own_claims_are_mapped(issuer: Issuer, tmp_path: Path) -> None:
    """P1, P4: role, party and person under the issuer's names, with its names for roles; one audience of its own."""
    key, org, person = _ec("a"), str(uuid4()), str(uuid4())
    issuer.keys = [key]
    names = ClaimNames(role="realm_access.roles", party="https://x.example/org", identity="trunkline_person")
    roles = {"Customer Staff": "member"}
    tokens = _trusting(tmp_path, issuer, claims=names, role_names=roles, audience="phone")
    claims = {"role": None, "realm_access": {"roles": ["offline", "Customer Staff"]}, "aud": ["phone"]}
    claims |= {"https://x.example/org": org, "trunkline_person": person.upper()}
    found = tokens.verify(issuer.token(key, "ES256", **claims))
    assert (found.role, found.party_id, found.identity_id) == ("member", org, person)
    assert found.person == person
    assert found.subject == f"{ISSUER}#eve"
    with pytest.raises(TokenRefused, match="not a UUID"):
        tokens.verify(issuer.token(key, "ES256", **claims | {"trunkline_person": "me"}))


def test_an_issuer_gives_no_more_than_it_is_trusted_with(issuer: Issuer, tmp_path: Path) -> None:
    """P1, P2, S3: its roles, parties and sources."""
    key, org, other = _ec("a"), str(uuid4()), str(uuid4())
    issuer.keys = [key]
    tokens = _trusting(tmp_path, issuer, roles=["org-admin", "machine"], parties=[org.upper()], sources=["/theirs"])
    good = {"role": "org-admin", "party": org, "sources": "/theirs"}
    assert tokens.verify(issuer.token(key, "ES256", **good)).sources == {"/theirs"}
    for wrong, why in (
        ({"role": "platform-admin", "party": None}, "role platform-admin"),
        ({"role": "member"}, "role member"),
        ({"party": other}, "party"),
        ({"role": "machine", "party": None}, "party"),
        ({"sources": "/billing"}, "sources"),
    ):
        with pytest.raises(TokenRefused, match=why):
            tokens.verify(issuer.token(key, "ES256", **good | wrong))


def test_the_terms_of_an_issuer_are_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """P1: as JSON in the environment, as tables in a file, as plain words as before."""
    told = [{"issuer": ISSUER, "roles": ["member"], "claims": {"identity": "person"}}, "https://b.example=http://k/j"]
    monkeypatch.setenv("TRUNKLINE_TOKEN_ISSUERS", json.dumps(told))
    first, second = load_settings().token_issuers
    assert (first.jwks_url, first.roles, first.claims.identity) == (
        f"{ISSUER}/.well-known/jwks.json",
        ("member",),
        "person",
    )
    assert (second.issuer, second.jwks_url, second.roles) == ("https://b.example", "http://k/j", ())
    monkeypatch.delenv("TRUNKLINE_TOKEN_ISSUERS")
    config = tmp_path / "t.toml"
    config.write_text(f'[[token_issuers]]\nissuer = "{ISSUER}"\nparties = ["platform"]\n')
    assert load_settings(config).token_issuers[0].parties == ("platform",)


# -- lifetimes and own keys -------------------------------------------------------------------------------------------


def test_no_token_holds_longer_than_its_role_may(issuer: Issuer, tmp_path: Path) -> None:
    """P1: 24 hours for people, 90 days for machines, whoever issued it; also where it does not say when."""
    key = _ec("a")
    issuer.keys = [key]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    tokens = Tokens(signing_key(tmp_path), [(ISSUER, RemoteKeys(issuer.url))], now=lambda: now)
    begun = int(now.timestamp())
    for role, longest in (("platform-admin", timedelta(hours=24)), ("machine", timedelta(days=90))):
        assert tokens.verify(tokens.issue(role, ttl=longest)).role == role  # type: ignore[arg-type]
        with pytest.raises(TokenRefused, match="longer"):
            tokens.issue(role, ttl=longest + timedelta(minutes=1))  # type: ignore[arg-type]
        seconds = int(longest.total_seconds())
        for claims in ({"iat": begun, "exp": begun + seconds}, {"exp": begun + seconds}):
            assert tokens.verify(issuer.token(key, "ES256", role=role, **claims)).role == role
        for claims in ({"iat": begun - 60, "exp": begun + seconds}, {"exp": begun + seconds + 60}):
            with pytest.raises(TokenRefused, match="longer"):
                tokens.verify(issuer.token(key, "ES256", role=role, **claims))
    with pytest.raises(TokenRefused, match="in the future"):
        tokens.verify(issuer.token(key, "ES256", iat=begun + 60, exp=begun + 120))
    longer = Tokens(signing_key(tmp_path), lifetimes=Lifetimes(people=timedelta(days=7)), now=lambda: now)
    assert longer.verify(longer.issue("platform-admin", ttl=timedelta(days=7)))


def test_a_rotated_key_verifies_until_the_overlap_ends(tmp_path: Path) -> None:
    """T3: nobody is locked out, a running service takes the new key up by itself, and twice is as good as once."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    running = Tokens(OwnKeys(tmp_path, lambda: now), now=lambda: now)
    first = running.issue("machine", ttl=timedelta(days=90))
    _, until = rotate(tmp_path, timedelta(days=2), now)
    second = running.issue("machine", ttl=timedelta(days=90))
    rotate(tmp_path, timedelta(days=5), now)
    third = running.issue("machine", ttl=timedelta(days=90))
    kids = {json.loads(urlsafe_b64decode(t.split(".")[0] + "=="))["kid"] for t in (first, second, third)}
    assert len(kids) == 3
    now = until - timedelta(seconds=1)
    for token in (first, second, third):
        assert running.verify(token).role == "machine"
    now = until
    with pytest.raises(TokenRefused, match="signature"):
        running.verify(first)
    assert running.verify(second)
    assert running.verify(third)
    assert stat.S_IMODE((tmp_path / "signing.json").stat().st_mode) == 0o600
    assert {f.name for f in tmp_path.iterdir()} == {"signing.json", "public.json"}


def test_the_public_keys_alone_verify(tmp_path: Path) -> None:
    """T3: a copy that has only `public.json` believes the same tokens, makes no key, and issues nothing."""
    home, copy = tmp_path / "home", tmp_path / "copy"
    token = Tokens(OwnKeys(home)).issue("platform-admin")
    copy.mkdir()
    (copy / "public.json").write_bytes(publish(home).read_bytes())
    assert '"d"' not in (copy / "public.json").read_text()
    only = Tokens(OwnKeys(copy))
    assert only.verify(token).role == "platform-admin"
    with pytest.raises(NoSigningKey):
        only.issue("platform-admin")
    assert [f.name for f in copy.iterdir()] == ["public.json"]

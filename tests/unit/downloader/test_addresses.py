"""Every way to make a server fetch what it should not, by the rows of one table.

Each case runs through the whole stage. Where it is refused, no connection was begun: a canary
listens on the loopback addresses, and Python tells of every dial.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from services.downloader.gates import Gate as Bounded
from shared.origin import OriginPolicy, OriginRefused
from shared.origin.guard import AddressGuard
from shared.stage.job import Failed, Stored
from tests.support import replies
from tests.support.addresses import Canary
from tests.support.downloads import BODY, LOOPBACK, QUICK, Bench, code
from tests.support.origin import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.stage.job import Outcome
    from tests.support.origin import Origin, Reply

ANYWHERE = OriginPolicy.from_settings("", "1-65535")
NAME = "https://media.example:{canary}/a"
HOME = "https://origin.test:{origin}/a"
INSIDE = ("10.", "127.", "169.254", "192.168", "::1", "fd00", "inside", "token", "Whatever")


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a client asks for, what names and the origin answer, and what must come of it.

    ``dials`` is how many connections to the origin on 127.0.0.1 are right; there is no other.
    """

    row: str
    url: str = HOME
    names: dict[str, list[list[str]]] = field(default_factory=dict)
    replies: tuple[Reply, ...] = ()
    location: str | None = None
    policy: OriginPolicy = LOOPBACK
    expected: str = "refused address_refused"
    at_create: str = ""
    dials: int = 0
    limits: dict[str, Any] = field(default_factory=dict)


def r(row: str, at_create: str, *urls: str, policy: OriginPolicy = ANYWHERE) -> list[Case]:
    """Refused when the task is made, and again where it would be fetched."""
    fetched = at_create if at_create.endswith("_refused") else "invalid_url"
    return [
        Case(row=row, url=url, policy=policy, at_create=at_create, expected=f"refused {fetched}")
        for url in urls
    ]


def host(row: str, at_create: str, *hosts: str) -> list[Case]:
    return r(row, at_create, *(f"https://{name}:{{canary}}/a" for name in hosts))


def x(
    row: str, *answers: list[str], url: str = NAME, policy: OriginPolicy = ANYWHERE
) -> list[Case]:
    """A name that leads where nothing is fetched from; one set of answers for each case."""
    name = url.removeprefix("https://").partition(":")[0]
    return [Case(row=row, url=url, names={name: [found]}, policy=policy) for found in answers]


def hop(location: str, expected: str = "redirect_refused") -> Case:
    """An honest origin that redirects: dialled once, and never again."""
    names = {"inside.example": [["127.0.0.2"]], "mixed.example": [["8.8.8.8", "127.0.0.2"]]}
    return Case(
        row="S13",
        location=location,
        names=names,
        expected=f"refused {expected}",
        dials=1,
    )


def f(row: str, expected: str, *answers: Reply, **limits: Any) -> list[Case]:
    """What an honest address answers badly."""
    return [
        Case(row=row, replies=(answer,), expected=expected, dials=1, limits=limits)
        for answer in answers
    ]


CUT = replies.file(BODY, cut_at=1_000_000)
OK = b"HTTP/1.1 200 OK\r\n"
CASES = [
    *r("S01", "not_https", "http://media.example/", "ftp://media.example/", "file:///etc/passwd"),
    *r("S01", "not_https", "gopher://media.example/", "data:,a", "//media.example/"),
    *r("S01", "invalid", "https:media.example", "https:///a"),
    *host("S02", "address_refused", "127.0.0.1", "127.255.1.1", "localhost", "a.localhost"),
    *host("S02", "address_refused", "ip6-localhost", "LOCALHOST"),
    *host("S02", "invalid", "localhost."),
    *x("S02", ["127.0.0.1"], ["::1"], ["127.0.0.2"]),
    *host("S03", "address_refused", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1"),
    *host("S03", "address_refused", "169.254.1.1", "0.0.0.0", "192.0.0.9", "198.18.0.1"),  # noqa: S104 - never bound
    *host("S03", "address_refused", "192.0.2.1", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *host("S04", "address_refused", "169.254.169.254", "[fd00:ec2::254]", "100.100.100.200"),
    *x("S04", ["169.254.169.254"], url="https://metadata.google.internal:{canary}/"),
    *host("S05", "invalid", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0"),
    *host("S05", "invalid", "127.0.0.1.", "127.0.0.01"),
    *host("S06", "invalid", "%31%32%37.0.0.1"),
    *host("S06", "address_refused", "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021"),
    *host("S07", "address_refused", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *host("S07", "address_refused", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]"),
    *host("S08", "address_refused", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]"),
    *host("S08", "address_refused", "[2001:0:4136:e378::1]"),
    *x("S08", ["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["::ffff:127.0.0.2"]),
    *host("S09", "address_refused", "[fc00::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]"),
    *host("S09", "address_refused", "[2001:db8::1]", "[3fff::1]"),
    *host("S09", "invalid", "[fe80::1%25eth0]", "[fe80::1%eth0]"),
    *host("S10", "address_refused", "224.0.0.1", "[ff0e::1]"),
    *x("S11", ["10.1.2.3"], ["8.8.8.8", "127.0.0.1"], ["2606:4700::1111", "::1"], ["fe80::1%lo"]),
    *x("S11", ["127.0.0.1", "127.0.0.2"], policy=LOOPBACK),
    # The second answer is another: on a retry, on a resumed download, on a redirect to itself.
    Case(
        row="S12",
        replies=(replies.hang_up(),),
        names={"origin.test": [["127.0.0.1"], ["127.0.0.2"]]},
        dials=1,
    ),
    Case(
        row="S12",
        replies=(CUT,),
        names={"origin.test": [["127.0.0.1"], ["127.0.0.1"], ["127.0.0.1", "127.0.0.2"]]},
        dials=2,
    ),
    Case(
        row="S12",
        replies=(replies.redirect("/a?again"),),
        names={"origin.test": [["127.0.0.1"], ["10.1.2.3"]]},
        dials=1,
    ),
    hop("http://origin.test/"),
    hop("file:///etc/passwd"),
    hop("https://127.0.0.2:{canary}/", "address_refused"),
    hop("//127.0.0.2:{canary}/", "address_refused"),
    hop("https://[::1]:{canary}/", "address_refused"),
    hop("https://inside.example:{canary}/?token=secret", "address_refused"),
    hop("https://mixed.example:{canary}/", "address_refused"),
    hop("https://2130706434:{canary}/"),
    hop("https://origin.test:0/"),
    hop("https://u:p@origin.test/"),
    hop("https://origin.test/" + "a" * 20_000),
    hop("/a b"),
    hop("/a\\b"),
    hop("\\\\127.0.0.2/a"),
    hop(""),
    replace(hop("/a"), dials=6),
    replace(hop("?again"), dials=6),
    *r("S14", "invalid", "https://u:p@media.example/", "https://media.example@127.0.0.1/"),
    *r("S14", "invalid", "https://media.example;@127.0.0.1/", "https://1.1.1.1%2f@127.0.0.1/"),
    *r(
        "S15",
        "port_refused",
        *(f"https://media.example:{port}/" for port in (22, 25, 6379, 4222, 0, 65536, 8443)),
        policy=OriginPolicy(),
    ),
    *r("S15", "invalid", "https://media.example:/", "https://media.example:443443/"),
    *r("S16", "invalid", "https://media.example/#a", "https://media.example/a b"),
    *r("S16", "invalid", "https://exa\tmple.com/", "https://media.example/\r\nX:y"),
    *r("S16", "invalid", "https://media.example/\x00", "https://media.example\\@127.0.0.1/"),
    *r("S16", "invalid", "https://media.example/\udcff", f"https://{'a' * 64}.example/"),
    *r("S16", "invalid", f"https://{'.'.join(['a' * 60] * 5)}/", "https://.media.example/"),
    *r("S16", "invalid", "https://media.example./", "https://media..example/"),
    *r("S16", "too_long", "https://media.example/" + "a" * 2048),
    Case(
        row="S17",
        url="https://b\u00fccher.example:{canary}/",
        names={"xn--bcher-kva.example": [["10.1.2.3"]]},
        policy=ANYWHERE,
    ),
    Case(row="S18", url=HOME + "%0d%0aX:y?q=%0d%0aX:y", expected="refused http_status", dials=1),
    Case(row="S19", replies=(replies.file(BODY),), expected="stored", dials=1),
    # The machine's own public address; see the guard below.
    *x("S20", ["8.8.4.4"], ["8.8.8.8", "8.8.4.4"], ["::ffff:8.8.4.4"]),
    Case(row="S20", url="https://8.8.4.4:{canary}/a", policy=ANYWHERE),
    *f("S21", "refused invalid_response", replies.raw(OK + b"X: " + b"a" * 1_000_000)),
    *f("S21", "refused invalid_response", replies.raw(OK + b"X: y\r\n" * 50_000)),
    *f(
        "S21",
        "failed stalled",
        replies.raw(b"HTTP/1.1 102 Wait\r\n\r\n", repeat=True),
        replies.raw(b"H", repeat=True, every_seconds=0.02),
        header_seconds=0.3,
        fruitless_attempts=1,
    ),
    *f("S22", "refused too_large", replies.endless(b"x" * 100_000), max_bytes=1_000_000),
    *f("S22", "refused too_large", replies.answer(200, b"", Content_Length=10_000_001)),
    *f("S22", "stored", replies.raw(OK + b"Content-Length: 5\r\n\r\nhello" + b"more" * 9999)),
    *f(
        "S23",
        "failed stalled",
        replies.drip(100_000, every_seconds=0.01),
        low_speed_bytes=1000,
        low_speed_seconds=0.2,
        fruitless_attempts=1,
    ),
    *f(
        "S24",
        "refused unsupported_encoding",
        *(
            replies.answer(200, BODY[:1000], Content_Encoding=coding)
            for coding in ("gzip", "br", "zstd", "deflate", "x-gzip", "identity, gzip")
        ),
        replies.answer(200, BODY[:1000], Transfer_Encoding="gzip, chunked"),
    ),
    *f("S25", "stored", replies.file(BODY, Content_Disposition='a; filename="../../x\\x00/CON"')),
    Case(
        row="S25",
        url=HOME + "/..%2f..%2fetc%2fx",
        replies=(replies.file(BODY),),
        expected="stored",
        dials=1,
    ),
    Case(row="S26", url="https://other.example:{origin}/a", expected="refused tls_error", dials=1),
    *f(
        "S27",
        "failed origin_error",
        replies.answer(500, b"Whatever is inside: token"),
        fruitless_attempts=1,
    ),
    *f("S28", "refused source_is_html", replies.answer(200, b"<!doctype html><p>Sign in")),
    *f(
        "S30",
        "refused http_status",
        replies.answer(401, WWW_Authenticate='Basic realm="inside"'),
        replies.answer(401, WWW_Authenticate="NTLM"),
        replies.answer(407, Proxy_Authenticate="Basic"),
    ),
]


class OwnBench(Bench):
    """A stage on a machine whose public address is 8.8.4.4."""

    def guard(self) -> AddressGuard:
        return AddressGuard(
            self.policy, resolve=self.resolve, is_own=lambda address: address == "8.8.4.4"
        )


def said(outcome: Outcome) -> str:
    """Return what came of it, once it is plain that it tells nothing of what is inside."""
    if isinstance(outcome, Stored):
        return "stored"
    found = code(outcome)
    problem = outcome.problem if isinstance(outcome, Failed) else outcome.problems[0]  # type: ignore[union-attr] # code() has looked
    told = f"{problem.detail} {problem.measured} {problem.allowed} {problem.location}"
    assert not any(secret in told for secret in INSIDE)
    return found


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """Listen where a proxy is said to be, too: nobody asks the environment (S19)."""
    with Canary() as listening:
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.2:{listening.port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.2:{listening.port}")
        yield listening


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case.row}-{number}" for number, case in enumerate(CASES)]
)
async def test_row(case: Case, canary: Canary, origin: Origin, tmp_path: Path) -> None:
    def placed(text: str) -> str:
        return text.replace("{canary}", str(canary.port)).replace("{origin}", str(origin.port))

    url = placed(case.url)
    bench = OwnBench(tmp_path, origin.trusting(), case.policy, replace(QUICK, **case.limits))
    bench.names = {name: [["127.0.0.1"]] for name in ("origin.test", "other.example")} | case.names
    answers = case.replies
    if case.location is not None:
        answers = (replies.redirect(placed(case.location)),)
    if answers:
        origin.serve(url.partition(str(origin.port))[2], *answers)
    if case.at_create:
        with pytest.raises(OriginRefused) as caught:
            case.policy.canonical(url)
        assert caught.value.code == case.at_create
    assert said(await bench.run(url)) == case.expected
    assert canary.is_silent
    assert canary.dials == ["127.0.0.1"] * case.dials
    assert len(bench.files()) == (case.expected == "stored")
    sent = {name for request in origin.requests for name in request.headers}
    assert not sent & {"cookie", "authorization", "proxy-authorization", "referer"}
    if case.row == "S17":
        assert bench.asked == list(case.names)
    if case.row == "S18":
        target = b"GET /a%0d%0aX:y?q=%0d%0aX:y HTTP/1.1\r\nHost: origin.test:"
        assert origin.requests[0].raw.startswith(target)


def test_every_row_is_here() -> None:
    rows = {case.row for case in CASES} | {"S29"}
    assert sorted(rows) == [f"S{number:02}" for number in range(1, 31)]


async def test_row_s29_one_origin_is_not_hammered(origin: Origin, tmp_path: Path) -> None:
    gate = Gate()
    url = origin.serve("/a", replies.file(b"bytes", gate=gate))
    bench = Bench(tmp_path, origin.trusting(), hosts=Bounded(1, busy_reason="host_busy"))
    with bench.stage() as stage:
        runs = [
            asyncio.create_task(stage.run(bench.job(url), lambda _done, _total: None))
            for _ in range(3)
        ]
        await gate.reached()
        assert len(origin.requests) == 1
        gate.open()
        assert {type(outcome) for outcome in await asyncio.gather(*runs)} == {Stored}


def test_the_canary_sings() -> None:
    """What the table relies on: a dial is heard, and one that arrives is seen."""
    with Canary() as canary:
        assert (canary.is_silent, canary.dials) == (True, [])
        with socket.create_connection(("127.0.0.2", canary.port)):
            assert (canary.is_silent, canary.dials) == (False, ["127.0.0.2"])
        with pytest.raises(ConnectionRefusedError), socket.socket() as far:
            far.connect(("192.0.2.1", 443))

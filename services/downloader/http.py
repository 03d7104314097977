"""The transport over aiohttp, behind the address guard."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Self

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
)
from yarl import URL

from services.downloader.errors import Permanent, Transient
from services.downloader.guard import AddressGuard, GuardedConnector
from shared.origin import OriginRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from services.downloader.limits import Limits


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Trust the system's authorities, and those in ``ca_file`` (PEM) too. Blocks."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


class HttpTransport:
    """A Transport over one aiohttp session; an async context manager."""

    def __init__(
        self, guard: AddressGuard, tls: ssl.SSLContext, limits: Limits, user_agent: str
    ) -> None:
        self._guard = guard
        self._tls = tls
        self._limits = limits
        self._user_agent = user_agent

    async def __aenter__(self) -> Self:
        """Open the session in the running loop."""
        self._session = ClientSession(
            connector=GuardedConnector(self._guard, self._tls),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            timeout=ClientTimeout(
                total=None,
                sock_connect=self._limits.connect_seconds,
                sock_read=self._limits.stall_seconds,
            ),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self._session.close()

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[AiohttpResponse]:
        """Send a GET; see Transport."""
        with _opening_errors():
            # sock_read starts anew with every byte, so a dripping head needs a deadline of its own.
            async with asyncio.timeout(self._limits.header_seconds):
                response = await self._session.get(
                    # The URL is canonical already: yarl must not requote a signed one.
                    URL(url, encoded=True),
                    headers=headers,
                    allow_redirects=False,
                )
        try:
            yield AiohttpResponse(response)
        finally:
            response.close()


class AiohttpResponse:
    """A Response over aiohttp's."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = response.headers

    async def read(self) -> bytes:
        """Return the next bytes of the body; see Response."""
        try:
            return await self._response.content.readany()
        except TimeoutError as error:
            raise Transient("stalled", "The origin stopped sending.") from error
        except (ClientError, OSError) as error:
            raise Transient("truncated", "The connection broke before the end.") from error


@contextmanager
def _opening_errors() -> Iterator[None]:
    try:
        yield
    except OriginRefused as refusal:
        raise Permanent(refusal.code, refusal.detail) from refusal
    except ConnectionTimeoutError as error:
        raise Transient("origin_unreachable", "The origin did not accept a connection.") from error
    except TimeoutError as error:
        raise Transient("stalled", "The origin did not answer in time.") from error
    except ClientConnectorError as error:
        raise _connect_error(error) from error
    except ClientResponseError as error:
        raise Permanent(
            "invalid_response", "The origin's answer is not valid HTTP (RFC 9112)."
        ) from error
    except (ClientError, OSError) as error:
        raise Transient("origin_unreachable", "The origin hung up without an answer.") from error


def _connect_error(error: ClientConnectorError) -> Permanent | Transient:
    if isinstance(error.os_error, OriginRefused):
        return Permanent(error.os_error.code, error.os_error.detail)
    if isinstance(error, ClientConnectorCertificateError):
        return Permanent("tls_error", "The origin's certificate is not valid for this host.")
    if isinstance(error, ClientConnectorSSLError) and not isinstance(
        error.os_error, ssl.SSLEOFError
    ):
        return Permanent("tls_error", "The origin does not speak TLS 1.2 or newer.")
    return Transient("origin_unreachable", "The origin could not be reached.")

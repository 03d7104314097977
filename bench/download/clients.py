"""The clients that are compared, each as the shell command that a user would type."""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be fetched: files by name with their MD5, from ``base``, into ``folder``.

    A client finds the URLs in the file ``urls``, one a line, and may write what ``md5sum`` says
    into the file ``sums``. ``ca`` is the authority of the origin. ``scratch`` is for lists.
    """

    base: str
    digests: dict[str, str]
    folder: Path
    scratch: Path
    ca: Path

    @property
    def urls(self) -> Path:
        """The list of URLs."""
        return self.scratch / "urls"

    @property
    def ready(self) -> Path:
        """Where Stagedoor says when it had started, and the processor's time until then."""
        return self.scratch / "ready"

    @property
    def sums(self) -> Path:
        """What md5sum said."""
        return self.scratch / "sums"

    def prepare(self) -> None:
        """Write the lists that the clients read."""
        urls = {name: f"{self.base}/{name}" for name in self.digests}
        self.urls.write_text("".join(f"{url}\n" for url in urls.values()))
        lines = [f'url = "{url}"\noutput = "{name}"\n' for name, url in urls.items()]
        (self.scratch / "curl").write_text("".join(lines))
        lines = [
            f"{url}\n  out={name}\n  checksum=md5={self.digests[name]}\n"
            for name, url in urls.items()
        ]
        (self.scratch / "aria2").write_text("".join(lines))


@dataclass(frozen=True, slots=True)
class Client:
    """One client; ``needs`` is a program or, with a colon before it, a Python module.

    ``keeps`` says whether files are left to be checked.
    """

    name: str
    command: Callable[[Work], str]
    needs: str = "curl"
    keeps: bool = True

    @property
    def is_here(self) -> bool:
        """Whether it is installed."""
        if self.needs.startswith(":"):
            return find_spec(self.needs[1:]) is not None
        return shutil.which(self.needs) is not None


def _curl(options: str, after: str = "") -> Callable[[Work], str]:
    def command(work: Work) -> str:
        return _in_folder(
            work, f"curl -sS --no-progress-meter --fail --cacert {work.ca} {options}", after
        )

    return command


def _curl_list(parallel: str) -> Callable[[Work], str]:
    def command(work: Work) -> str:
        listed = f"{parallel} -K {work.scratch / 'curl'}"
        fetch = f"curl -sS --no-progress-meter --fail --cacert {work.ca} {listed}"
        return _in_folder(work, fetch, "md5sum *")

    return command


def _wget(work: Work) -> str:
    fetch = f"wget -q --ca-certificate={work.ca} -i {work.urls}"
    return _in_folder(work, fetch, "md5sum *")


def _aria2(options: str) -> Callable[[Work], str]:
    def command(work: Work) -> str:
        fetch = f"aria2c -q --ca-certificate={work.ca} --file-allocation=falloc {options}"
        return _in_folder(work, f"{fetch} -i {work.scratch / 'aria2'}")

    return command


def _ours(transport: str, *flags: str) -> Callable[[Work], str]:
    def command(work: Work) -> str:
        arguments = [transport, str(work.folder), str(work.ca), str(work.urls), str(work.ready)]
        return shlex.join([sys.executable, "-m", "bench.download.ours", *arguments, *flags])

    return command


def _in_folder(work: Work, fetch: str, after: str = "") -> str:
    return f"cd {work.folder} && {fetch}" + (f" && {after} > {work.sums}" if after else "")


_DISCARD = Client(
    "(ceiling) curl > /dev/null",
    lambda work: (
        f"curl -sS --no-progress-meter --fail --cacert {work.ca} $(cat {work.urls}) > /dev/null"
    ),
    keeps=False,
)
_OURS = Client("stagedoor", _ours("http"), ":services")
_DURABLE = Client("stagedoor, fsync", _ours("http", "--fsync"), ":services")
_OTHERS = (
    Client("stagedoor on pycurl", _ours("pycurl"), ":pycurl"),
    Client("stagedoor on aiohttp", _ours("aiohttp"), ":aiohttp"),
)

ONE_FILE = (
    Client("curl -o F; md5sum F", _curl_list("")),
    _DISCARD,
    Client("wget; md5sum", _wget, "wget"),
    Client("aria2c -x4 --checksum", _aria2("-x4 -s4"), "aria2c"),
    _OURS,
    _DURABLE,
    *_OTHERS,
)
MANY_FILES = (
    Client("aria2c -j8 --checksum", _aria2("-j8 -x1"), "aria2c"),
    Client("curl -Z --parallel-max 8; md5sum", _curl_list("-Z --parallel-max 8")),
    Client("wget; md5sum", _wget, "wget"),
    _OURS,
    _DURABLE,
    *_OTHERS,
)
FAR_FILE = (
    Client("curl -o F; md5sum F", _curl_list("")),
    Client("aria2c -x4 --checksum", _aria2("-x4 -s4"), "aria2c"),
    _OURS,
)

"""``make demo``: one Atmos master goes from a URL to a record, before your eyes."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.demo.client import Client, RequestRefused
from cli.demo.embedded import NotReady, running_stack
from cli.demo.master import Spec, write_master
from cli.demo.origin import LOOPBACK, Origin

if TYPE_CHECKING:
    from cli.demo.client import Document

SPEC = Spec(objects=4, seconds=5.0)
DOWNLOAD_SECONDS = 3.0
IMPORT_SECONDS = 45.0
# Short, because a task stays "downloaded" only until a validator has heard of it.
POLL_SECONDS = 0.005
FINAL = {"completed", "download_failed", "validation_failed"}
BAR_CELLS = 30
LOG_BYTES = 4000


async def demo(folder: Path) -> bool:
    """Run everything in a folder; whether the import completed."""
    file, ca_file = folder / "master.wav", folder / "ca.pem"
    await asyncio.to_thread(write_master, file, SPEC)
    size = file.stat().st_size
    say(
        f"1. Made a master: ADM BWF, 7.1.2 bed and {SPEC.objects} moving objects, {megabytes(size)}"
    )
    origin = Origin(file, DOWNLOAD_SECONDS)
    async with origin.running(ca_file):
        say(f"2. Serving it at {origin.url}")
        settings = {
            "STAGEDOOR_DOWNLOAD_ALLOW_NETWORKS": f"{LOOPBACK}/32",
            "STAGEDOOR_DOWNLOAD_ALLOW_PORTS": str(origin.port),
            "STAGEDOOR_DOWNLOAD_CA_FILE": str(ca_file),
        }
        started = time.monotonic()
        async with running_stack(folder, settings) as ready:
            say(f"3. The stack is ready after {time.monotonic() - started:.1f} s: {ready['http']}")
            async with Client(ready["http"], ready["token"]) as client:
                return await import_master(client, origin.url)


async def import_master(client: Client, url: str) -> bool:
    """Create a track and an import task for it, follow it, show the outcome."""
    track = await client.create("tracks", {"title": "Night Shift"})
    say(f"4. Created the track {track['data']['id']}")
    wish = {"url": url, "secondaryIsrc": "USRC12345678"}
    task = await client.create("atmos-import-tasks", wish, track=("tracks", track["data"]["id"]))
    say(f"5. Created the import task {task['data']['id']}; it goes on by itself:\n")
    async with asyncio.timeout(IMPORT_SECONDS):
        task = await follow(client, task)
    show("The task", task)
    if task["data"]["attributes"]["status"] != "completed":
        return False
    show("Its record", await client.get(f"/atmos-import-tasks/{task['data']['id']}/record"))
    return True


async def follow(client: Client, task: Document) -> Document:
    """Print each status, and how far it is, until a final one; the task at its end."""
    began, shown = time.monotonic(), ""
    while True:
        line = describe(task["data"])
        if line != shown:
            say(f"   {time.monotonic() - began:5.2f} s  {line}")
        shown = line
        if task["data"]["attributes"]["status"] in FINAL:
            return task
        await asyncio.sleep(POLL_SECONDS)
        task = await client.get(f"/atmos-import-tasks/{task['data']['id']}")


def describe(resource: Document) -> str:
    """The status of a task and, where it is known, how far that stage is."""
    progress: dict[str, Any] = resource.get("meta", {}).get("progress") or {}
    status = resource["attributes"]["status"]
    if not progress.get("totalBytes"):
        return str(status)
    done, total = progress["doneBytes"], progress["totalBytes"]
    cells = round(BAR_CELLS * done / total)
    bar = "#" * cells + "." * (BAR_CELLS - cells)
    return f"{status:<12} [{bar}] {megabytes(done)} of {megabytes(total)}"


def megabytes(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:.1f} MB"


def show(title: str, document: Document) -> None:
    """Print a document."""
    say(f"\n{title}:\n{json.dumps(document, indent=2)}")


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run the demo in a temporary folder; the exit code."""
    with tempfile.TemporaryDirectory(prefix="stagedoor-demo-") as name:
        folder = Path(name)
        try:
            completed = asyncio.run(demo(folder))
        except (NotReady, RequestRefused, TimeoutError, OSError) as failure:
            say(f"{type(failure).__name__}: {failure}")
            completed = False
        if not completed and (folder / "stack.log").exists():
            say((folder / "stack.log").read_bytes()[-LOG_BYTES:].decode(errors="replace"))
    say("\nDone: the master is in, and all of it is stopped again." if completed else "\nFailed.")
    return 0 if completed else 1


if __name__ == "__main__":
    sys.exit(main())

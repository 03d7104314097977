"""A real S3 protocol server: moto in server mode, as a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped] # it has no types

if TYPE_CHECKING:
    from collections.abc import Iterator

_READY = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")


@contextmanager
def running_s3() -> Iterator[str]:
    """Run the server on a free port of 127.0.0.1 and give its endpoint."""
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        # It writes a line for each request, and would stand still at a pipe that nobody empties.
        reader = threading.Thread(target=deque, args=(server.stderr, 0))
        try:
            endpoint = next(match[1] for line in server.stderr if (match := _READY.search(line)))
            reader.start()
            yield endpoint
        finally:
            server.terminate()
            if reader.ident is not None:
                reader.join()


def environment(endpoint: str) -> dict[str, str]:
    """Return the variables by which a client finds the server and is let in."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def make_bucket(endpoint: str) -> str:
    """Make a bucket that nobody else has; gives its name."""
    name = f"masters-{uuid.uuid4().hex}"
    request = urllib.request.Request(f"{endpoint}/{name}", method="PUT")  # noqa: S310 - our server
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        assert answer.status == 200
    return name


def client(endpoint: str) -> Any:
    """Return another vendor's client, to see what ours left."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def unfinished(endpoint: str, bucket: str) -> list[str]:
    """Return the keys of the multipart uploads that were neither completed nor aborted."""
    listing = client(endpoint).list_multipart_uploads(Bucket=bucket)
    return [upload["Key"] for upload in listing.get("Uploads", [])]

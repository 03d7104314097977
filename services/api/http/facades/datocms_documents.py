"""What this dialect's documents look like."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from services.api.domain.lifecycle import FAILED, Status
from services.api.domain.upload_tracks import UploadTrack
from services.api.http.facades.datocms_errors import document as errors
from services.api.http.facades.datocms_errors import invalid_field
from services.api.http.facades.datocms_requests import short
from services.api.use_cases.jobs import subject_of

if TYPE_CHECKING:
    from services.api.domain.jobs import Job
    from services.api.domain.uploads import Upload

    Json = dict[str, Any]

_NAMELESS: Final = "file"
_GONE: Final = "The import of the track was deleted."


def request_id(upload: Upload) -> str:
    """An upload as an upload request: what the path of an asset is later."""
    name = (upload.file_name or _NAMELESS).replace("/", "-")
    return f"/{short(upload.id)}/{quote(name)}"


def upload_request(upload: Upload, url: str | None) -> Json:
    """Where a file is put."""
    attributes: Json = {"url": url, "request_headers": {}}
    return {"type": "upload_request", "id": request_id(upload), "attributes": attributes}


def asset(upload: Upload) -> Json:
    """A kept upload."""
    name = PurePosixPath(upload.file_name or _NAMELESS)
    return {
        "type": "upload",
        "id": short(upload.id),
        "attributes": {
            "path": request_id(upload),
            "filename": str(name),
            "basename": name.stem,
            "format": name.suffix.lstrip(".").lower() or None,
            "size": upload.master.size_bytes if upload.master else 0,
            "md5": upload.master.md5 if upload.master else None,
            "url": None,
            "width": None,
            "height": None,
            "duration": None,
            "is_image": False,
            "created_at": upload.created_at.isoformat(),
            "updated_at": upload.updated_at.isoformat(),
        },
    }


def track(track: UploadTrack) -> Json:
    """A track, with how far its import is."""
    status, error = _state(track)
    return {
        "type": "upload_track",
        "id": short(track.id),
        "attributes": {
            "type": str(track.type),
            "name": track.display_name,
            "language_code": track.language_code,
            "closed_captions": track.closed_captions,
            "status": status,
            "error": error,
        },
        "relationships": {"upload": {"data": {"type": "upload", "id": short(track.upload_id)}}},
    }


def job(job: Job) -> Json:
    """A job that is asked for later."""
    return {"type": "job", "id": str(job.number)}


def job_result(job: Job) -> Json:
    """How a job ended, and what the call itself would have answered."""
    return {"type": "job_result", "id": str(job.number), "attributes": _result(job)}


def _result(job: Job) -> Json:
    if job.error is not None:
        wrong = invalid_field("url_or_upload_request_id", job.error["code"], job.error["detail"])
        return {"status": int(wrong.status), "payload": errors(wrong)}
    subject = subject_of(job)
    if subject is None:
        return {"status": HTTPStatus.OK.value, "payload": None}
    shown = track(subject) if isinstance(subject, UploadTrack) else asset(subject)
    return {"status": HTTPStatus.OK.value, "payload": {"data": shown}}


def _state(track: UploadTrack) -> tuple[str, str | None]:
    """The dialect's word for where an import stands, and why it failed."""
    if track.status is Status.COMPLETED:
        return "ready", None
    if track.status is None:
        return "errored", _GONE
    if track.status not in FAILED:
        return "preparing", None
    wrong = [each["detail"] for each in track.problems if each["severity"] == "error"]
    return "errored", wrong[0] if wrong else "The import failed."

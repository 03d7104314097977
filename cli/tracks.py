"""``stagedoor tracks``: what masters belong to."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import AsJson, PageSize, PageToken  # noqa: TC001 - typer reads the annotations

app = typer.Typer(no_args_is_help=True, help="Create and list tracks.")


@app.command()
def create(
    *,
    title: Annotated[str, typer.Argument(help="Its title.")],
    isrc: Annotated[str, typer.Option(help="ISRC of its stereo recording.")] = "",
    seconds: Annotated[
        float | None, typer.Option(help="How long its stereo recording is, in seconds.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a track and print its name."""
    from cli.client import connect, request_id
    from cli.output import print_json
    from stagedoor.v1.track_service_pb2 import CreateTrackRequest, Track

    track = Track(title=title, isrc=isrc)
    if seconds is not None:
        track.stereo_duration.FromNanoseconds(round(seconds * 1e9))
    request = CreateTrackRequest(track=track, request_id=request_id())
    with connect() as client:
        created = client.call(client.tracks.CreateTrack, request)
    if as_json:
        print_json(created)
    else:
        typer.echo(created.name)


@app.command("list")
def list_(*, page_size: PageSize = 20, page_token: PageToken = "", as_json: AsJson = False) -> None:
    """List tracks, oldest first."""
    from cli.client import connect
    from cli.output import id_of, moment, print_json, print_table
    from stagedoor.v1.track_service_pb2 import ListTracksRequest

    request = ListTracksRequest(page_size=page_size, page_token=page_token)
    with connect() as client:
        page = client.call(client.tracks.ListTracks, request)
    if as_json:
        print_json(page)
        return
    rows = [(id_of(t.name), t.title, t.isrc, moment(t.create_time)) for t in page.tracks]
    print_table(("TRACK", "TITLE", "ISRC", "CREATED"), rows, page.next_page_token)

"""``stagedoor settings``: what the tenant has chosen for all imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.options import AsJson  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from stagedoor.v1.settings_service_pb2 import Settings

NAME: Final = "settings"

app = typer.Typer(
    no_args_is_help=True, help="Show and change the tenant's settings; needs the scope admin."
)


@app.command()
def get(*, as_json: AsJson = False) -> None:
    """Show the settings."""
    from cli.client import connect
    from stagedoor.v1.settings_service_pb2 import GetSettingsRequest

    with connect() as client:
        settings = client.call(client.settings.GetSettings, GetSettingsRequest(name=NAME))
    _show(settings, as_json=as_json)


@app.command("set")
def set_(
    *,
    profile: Annotated[
        str, typer.Option(help='The delivery profile of tasks that name none; "" for the default.')
    ],
    as_json: AsJson = False,
) -> None:
    """Change the settings; tasks that are not validated yet follow them."""
    from google.protobuf.field_mask_pb2 import FieldMask

    from cli.client import connect
    from stagedoor.v1.settings_service_pb2 import Settings, UpdateSettingsRequest

    request = UpdateSettingsRequest(
        settings=Settings(name=NAME, delivery_profile=profile),
        update_mask=FieldMask(paths=["delivery_profile"]),
    )
    with connect() as client:
        settings = client.call(client.settings.UpdateSettings, request)
    _show(settings, as_json=as_json)


def _show(settings: Settings, *, as_json: bool) -> None:
    from cli.output import moment, print_fields, print_json

    if as_json:
        print_json(settings)
        return
    profile = settings.delivery_profile or "(that of the deployment)"
    quota = str(settings.byte_quota) if settings.byte_quota else "(any number)"
    print_fields(
        [
            ("delivery profile", profile),
            ("stored bytes", str(settings.stored_bytes)),
            ("byte quota", quota),
            ("updated", moment(settings.update_time)),
        ]
    )

"""stagedoor.v1.SettingsService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.api.grpc import messages
from services.api.grpc.caller import caller
from services.api.grpc.etags import expected
from services.api.grpc.masks import masked
from services.api.grpc.names import require_settings
from services.api.use_cases.settings import SettingsFields
from stagedoor.v1.settings_service_pb2_grpc import SettingsServiceServicer

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from services.api.use_cases.settings import TenantSettings
    from stagedoor.v1 import settings_service_pb2 as pb

WRITABLE: Final = ("delivery_profile", "contact_email", "upload_master_type")


class SettingsServicer(SettingsServiceServicer):
    """The tenant's settings over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, settings: TenantSettings) -> None:
        """Serve these settings."""
        self._settings = settings

    async def GetSettings(
        self, request: pb.GetSettingsRequest, context: ServicerContext[Any, Any]
    ) -> pb.Settings:
        """Gets the settings; the defaults when nobody has changed them yet."""
        require_settings(request.name)
        return messages.settings(await self._settings.get(caller()))

    async def UpdateSettings(
        self, request: pb.UpdateSettingsRequest, context: ServicerContext[Any, Any]
    ) -> pb.Settings:
        """Changes the settings."""
        require_settings(request.settings.name)
        paths = masked(request.settings, request.update_mask, WRITABLE)
        given = {name: getattr(request.settings, name) for name in WRITABLE if name in paths}
        fields = SettingsFields(**given)
        version = expected(request.settings.etag)
        return messages.settings(await self._settings.update(caller(), fields, version=version))

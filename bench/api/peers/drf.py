"""Django REST framework with djangorestframework-jsonapi, all of it in one file."""

from __future__ import annotations

import os
import uuid
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings

_LIBRARY = "rest_framework_json_api"
where = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    DEBUG=False,
    SECRET_KEY="bench",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["rest_framework", _LIBRARY],
    MIDDLEWARE=[],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": where.path.removeprefix("/"),
            "USER": where.username,
            "HOST": parse_qs(where.query)["host"][0],
            "CONN_MAX_AGE": None,
        }
    },
    REST_FRAMEWORK={
        "PAGE_SIZE": 20,
        "DEFAULT_PAGINATION_CLASS": f"{_LIBRARY}.pagination.JsonApiPageNumberPagination",
        "DEFAULT_PARSER_CLASSES": [f"{_LIBRARY}.parsers.JSONParser"],
        "DEFAULT_RENDERER_CLASSES": [f"{_LIBRARY}.renderers.JSONRenderer"],
        "DEFAULT_METADATA_CLASS": f"{_LIBRARY}.metadata.JSONAPIMetadata",
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
        # A task has an attribute of this name.
        "URL_FIELD_NAME": "self",
    },
    JSON_API_FORMAT_FIELD_NAMES="camelize",
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models, transaction  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.utils.timezone import now  # noqa: E402
from rest_framework.routers import SimpleRouter  # noqa: E402
from rest_framework_json_api import serializers  # noqa: E402
from rest_framework_json_api.views import ModelViewSet  # noqa: E402


class Track(models.Model):
    """What a task is linked to."""

    id = models.UUIDField(primary_key=True)

    class Meta:
        """Where it is."""

        app_label, managed, db_table = "bench", False, "tracks"

    class JSONAPIMeta:
        """What it is called."""

        resource_name = "tracks"


class Task(models.Model):
    """A row of Stagedoor's own table; the columns that are written or shown."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    tenant = models.CharField(max_length=63, default="default")
    status = models.CharField(max_length=32, default="pending")
    generation = models.IntegerField(default=1)
    version = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)
    due_at = models.DateTimeField(null=True, default=now)
    attempts = models.IntegerField(default=0)
    published = models.IntegerField(default=0)
    problems = models.JSONField(default=list)
    master_type = models.CharField(max_length=32, default="dolby_atmos")
    url = models.CharField(max_length=2048, db_column="source_uri")
    secondary_isrc = models.CharField(max_length=12, db_column="isrc")
    declared_md5 = models.CharField(max_length=32, null=True)
    byte_size = models.BigIntegerField(null=True, db_column="size_bytes")
    actual_md5 = models.CharField(max_length=32, null=True)
    delivery_profile = models.CharField(max_length=63, null=True)
    target_type = models.CharField(max_length=32, default="tracks")
    track = models.ForeignKey(
        Track, models.DO_NOTHING, db_column="target_id", db_constraint=False, null=True
    )

    class Meta:
        """Where it is."""

        app_label, managed, db_table = "bench", False, "import_tasks"

    class JSONAPIMeta:
        """What it is called."""

        resource_name = "atmos-import-tasks"


class Event(models.Model):
    """A row of the outbox."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    subject = models.CharField(max_length=255)
    type = models.CharField(max_length=64)
    payload = models.BinaryField()
    time = models.DateTimeField(default=now)

    class Meta:
        """Where it is."""

        app_label, managed, db_table = "bench", False, "outbox"


class TaskSerializer(serializers.ModelSerializer):
    """What of a task is read and written."""

    track = serializers.ResourceRelatedField(queryset=Track.objects)

    class Meta:
        """The members."""

        model = Task
        fields: ClassVar = [
            *("url", "secondary_isrc", "declared_md5", "status", "byte_size", "actual_md5"),
            *("created_at", "updated_at", "delivery_profile", "track"),
        ]
        read_only_fields: ClassVar = [
            *("status", "byte_size", "actual_md5", "created_at", "updated_at")
        ]


class Tasks(ModelViewSet):
    """The resource."""

    queryset = Task.objects.select_related("track").order_by("id")
    serializer_class = TaskSerializer
    resource_name = "atmos-import-tasks"
    http_method_names: ClassVar = ["get", "post"]

    def perform_create(self, serializer: Any) -> None:
        """Make the task and its event in one transaction."""
        with transaction.atomic():
            task = serializer.save()
            Event.objects.create(
                subject="stagedoor.events.default.import_task.pending",
                type="stagedoor.import_task.pending",
                payload=task.id.bytes,
            )


router = SimpleRouter(trailing_slash=False)
router.register("atmos-import-tasks", Tasks, basename="task")
urlpatterns = [path("api/v1/", include(router.urls))]
application = get_wsgi_application()

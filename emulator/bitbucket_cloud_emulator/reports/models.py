"""Code Insights: reports and their annotations."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bitbucket_cloud_emulator.users.models import User


@dataclass(eq=False)
class Annotation:
    """An annotation; ``fields`` are those that its creator sent."""

    uuid: str
    external_id: str
    created_on: datetime
    updated_on: datetime
    fields: dict[str, Any]


@dataclass(eq=False)
class Report:
    """A report on a commit; ``fields`` are those that its creator sent."""

    uuid: str
    external_id: str
    created_by: User
    created_on: datetime
    updated_on: datetime
    fields: dict[str, Any]
    annotations: dict[str, Annotation] = field(default_factory=dict)  # by external id

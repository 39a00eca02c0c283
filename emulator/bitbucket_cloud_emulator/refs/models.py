"""Tags."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bitbucket_cloud_emulator.users.models import User


@dataclass(eq=False)
class Tag:
    name: str
    hash: str
    message: str | None = None
    date: datetime | None = None
    tagger: User | None = None

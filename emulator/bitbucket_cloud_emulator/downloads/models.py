"""Downloads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bitbucket_cloud_emulator.users.models import User


@dataclass(eq=False)
class Download:
    """A file that is kept beside a repository."""

    name: str
    content: bytes
    created_on: datetime
    user: User
    count: int = 0  # how often it was downloaded

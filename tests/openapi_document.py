"""The location of Bitbucket's published OpenAPI document, which belongs to Atlassian and is not part of this project."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "bitbucket-openapi.json"
HOW_TO_PROVIDE_IT = f"set BITBUCKET_OPENAPI to the document, or put it into shared/{NAME} beside the project"


def openapi_document() -> Path | None:
    """Return the path of the document: ``$BITBUCKET_OPENAPI``, else in a folder ``shared`` beside the project; None if absent."""
    if named := os.environ.get("BITBUCKET_OPENAPI"):
        return Path(named)
    beside = Path(__file__).parents[2] / "shared" / NAME
    return beside if beside.is_file() else None

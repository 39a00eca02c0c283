"""Files and directories as JSON."""

from __future__ import annotations

import mimetypes
from typing import Any

from bitbucket_cloud_emulator.commits.models import Commit


def entry_json(at: Commit, path: str, base: str) -> dict[str, Any]:
    commit = {"type": "commit", "hash": at.hash, "links": {"self": {"href": f"{base.rpartition('/src/')[0]}/commit/{at.hash}"}}}
    links = {"self": {"href": f"{base}/{path}"}, "meta": {"href": f"{base}/{path}?format=meta"}}
    if path not in at.files:
        return {"type": "commit_directory", "path": path, "commit": commit, "links": links}
    return {
        "type": "commit_file",
        "path": path,
        "escaped_path": path,
        "size": len(at.files[path]),
        "mimetype": mimetypes.guess_type(path)[0],
        "attributes": [],
        "commit": commit,
        "links": links,
    }

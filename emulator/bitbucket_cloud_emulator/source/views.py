"""Files and directories as JSON."""

from __future__ import annotations

import mimetypes
from typing import Any
from urllib.parse import quote

from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.core.wire import iso_commit


def entry_json(at: Commit, path: str, base: str) -> dict[str, Any]:
    """A file or directory at a commit.

    :param base: address of the commit's root directory, without a slash at its end
    """
    commit = {"type": "commit", "hash": at.hash, "links": {"self": {"href": f"{base.rpartition('/src/')[0]}/commit/{at.hash}"}}}
    own = f"{base}/{quote(path)}"
    if path not in at.files:
        links = {"self": {"href": f"{own}/"}, "meta": {"href": f"{own}/?format=meta"}}
        return {"type": "commit_directory", "path": path, "commit": commit, "links": links}
    history = own.replace("/src/", "/filehistory/", 1)
    return {
        "type": "commit_file",
        "path": path,
        "escaped_path": quote(path),
        "size": len(at.files[path]),
        "mimetype": mimetypes.guess_type(path)[0],
        "attributes": [at.attributes[path]] if path in at.attributes else [],
        "commit": commit,
        "links": {"self": {"href": own}, "meta": {"href": f"{own}?format=meta"}, "history": {"href": history}},
    }


def version_json(at: Commit, path: str, base: str) -> dict[str, Any]:
    """A version of a file with the commit that made it.

    :param base: address of the repository's sources
    """
    entry = entry_json(at, path, f"{base}/{at.hash}")
    return {**entry, "commit": {**entry["commit"], "date": iso_commit(at.date), "message": at.message}}

"""From the ways to write a repository, clone URLs included, to ``workspace/repository``."""

from __future__ import annotations

import re

_HOSTS = r"(?:ssh\.|altssh\.)?bitbucket\.org"
_WORD = r"[\w{][\w.{}-]*"
_NAME = rf"(?P<workspace>{_WORD})/(?P<repository>{_WORD}?)(?:\.git)?/?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"https?://(?:[^/@]*@)?{_HOSTS}/{_NAME}",  # also with the caller's name as userinfo, as "Clone" shows it
        rf"(?:git\+)?ssh://(?:[^/@]*@)?{_HOSTS}(?::\d+)?/{_NAME}",
        rf"(?:[^/@:]+@)?{_HOSTS}:{_NAME}",
    )
)


def repository_name(repository: str) -> str:
    """Return ``repository`` or ``workspace/repository`` for a name or a clone URL of Bitbucket Cloud.

    SSH moved from ``bitbucket.org`` to ``ssh.bitbucket.org`` on 2026-11-12 (Atlassian's announcement); ``altssh.bitbucket.org``
    serves port 443. All of them name the same repositories.

    :param repository: ``repository``, ``workspace/repository``, or an HTTPS or SSH clone URL
    :raises ValueError: it is neither
    """
    text = repository.strip()
    for form in _FORMS:
        if found := form.fullmatch(text):
            return f"{found['workspace']}/{found['repository']}"
    if re.fullmatch(rf"(?:{_WORD}/)?{_WORD}", text):
        return text
    shown = re.sub(r"//[^/@]*@", "//***@", text)  # a password may have been pasted with the URL
    raise ValueError(f"repository is {shown!r}; expected 'repository', 'workspace/repository' or a clone URL of bitbucket.org")

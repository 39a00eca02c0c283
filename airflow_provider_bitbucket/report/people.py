"""Leave people out of a report who are not to be named in it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

#: In place of names: leave out all names.
EVERYONE = "*"
_HIDDEN = "not named"


class People:
    """The people whom a report does not name. The numbers of teams and repositories include them.

    :param excluded: display names, or :data:`EVERYONE`
    """

    def __init__(self, excluded: Collection[str]) -> None:
        self._excluded = {excluded} if isinstance(excluded, str) else set(excluded)

    def named(self, frame: pd.DataFrame, column: str) -> pd.DataFrame:
        """Return the rows of people who are named."""
        return frame[~self._is_excluded(frame, column)]

    def hidden(self, frame: pd.DataFrame, column: str) -> pd.DataFrame:
        """Return all rows, without the names of excluded people."""
        return frame.assign(**{column: frame[column].mask(self._is_excluded(frame, column), _HIDDEN)})

    def _is_excluded(self, frame: pd.DataFrame, column: str) -> pd.Series[bool]:
        found: pd.Series[bool] = frame[column].isin(self._excluded) | (EVERYONE in self._excluded)
        return found

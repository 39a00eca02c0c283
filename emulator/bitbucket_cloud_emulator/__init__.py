"""An emulator of Bitbucket Cloud's REST API for tests and demos. Start it with ``python -m``, or use the class."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitbucket_cloud_emulator.emulator import BitbucketEmulator

__all__ = ["BitbucketEmulator"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Lazy: pytest imports this package in every run for its plugin, and the server takes a second to import.
    if name == "BitbucketEmulator":
        from bitbucket_cloud_emulator.emulator import BitbucketEmulator

        return BitbucketEmulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""An embedded Bitbucket Cloud for demos, tests, and tests of your own DAGs. Start it with ``python -m``, or use the class."""

from airflow_provider_bitbucket.emulator.server import BitbucketEmulator

__all__ = ["BitbucketEmulator"]

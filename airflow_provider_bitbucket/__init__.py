"""Apache Airflow provider for Bitbucket Cloud.

Kept free of imports on purpose: Airflow's provider discovery imports this module before its own configuration is ready.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"

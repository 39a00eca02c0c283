"""What arrives in a parameter, by templates, native rendering, Params and XComs, and what is meant by it.

Each kind of parameter is a function ``kind(parameter, value)`` that returns the meaning or raises a ``ValueError`` which names
the parameter and the value. docs/parameters.md has the table of what each kind takes.
"""

from airflow_provider_bitbucket.parameters.files import FileSource, files, required_files
from airflow_provider_bitbucket.parameters.literals import is_blank, literal, records, refused, shown
from airflow_provider_bitbucket.parameters.numbers import flag, number, required_number, seconds
from airflow_provider_bitbucket.parameters.serializable import check_serializable
from airflow_provider_bitbucket.parameters.templated import Kind, Templated, is_template, normalize
from airflow_provider_bitbucket.parameters.texts import (
    location,
    mapping,
    name,
    name_if_given,
    names,
    names_if_given,
    one_of,
    required_location,
    required_name,
    text,
    variables,
)
from airflow_provider_bitbucket.parameters.times import Timestamp, interval, timestamp

__all__ = [
    "FileSource",
    "Kind",
    "Templated",
    "Timestamp",
    "check_serializable",
    "files",
    "flag",
    "interval",
    "is_blank",
    "is_template",
    "literal",
    "location",
    "mapping",
    "name",
    "name_if_given",
    "names",
    "names_if_given",
    "normalize",
    "number",
    "one_of",
    "records",
    "refused",
    "required_files",
    "required_location",
    "required_name",
    "required_number",
    "seconds",
    "shown",
    "text",
    "timestamp",
    "variables",
]

"""Code Insights: reports on commits and their annotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Annotation, Report

#: Most annotations of a request and of a report (published OpenAPI, "bulkCreateOrUpdateAnnotations").
MOST_ANNOTATIONS_PER_REQUEST = 100
MOST_ANNOTATIONS = 1000


class Reports(Resource):
    """Reports on commits. A pull request shows those of its newest commit, their annotations in the diff.

    A report, and an annotation of it, is found by the id that its creator chose (``external_id``) or by its uuid.
    """

    def list(self, repository: str, commit: str) -> Iterator[Report]:
        """Yield the reports on a commit. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        :param commit: hash, full or short
        """
        return cast("Iterator[Report]", self._api.paginate(self._list_path(repository, commit)))

    def get(self, repository: str, commit: str, report: str) -> Report:
        """Return a report.

        :raises BitbucketNotFoundError: the commit has none with this id
        """
        return cast("Report", self._api.get(self._path(repository, commit, report)))

    def put(self, repository: str, commit: str, report: str, content: Report) -> Report:
        """Create a report, or replace it; its annotations stay. Costs one request.

        :param repository: slug, or ``workspace/slug``
        :param commit: hash, full or short
        :param report: id of the report, chosen by its creator, unique within the commit
        :param content: ``title``, ``details``, ``report_type``, ``result`` and ``link`` are required in practice, though the
            published schema marks no field; at most 10 figures in ``data``
        :raises BitbucketError: Bitbucket refuses the report (400)
        """
        return cast("Report", self._api.put(self._path(repository, commit, report), content))

    def delete(self, repository: str, commit: str, report: str) -> None:
        """Delete a report with its annotations.

        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(self._path(repository, commit, report))

    def annotations(self, repository: str, commit: str, report: str) -> Iterator[Annotation]:
        """Yield the annotations of a report. Costs one request for every 100."""
        return cast("Iterator[Annotation]", self._api.paginate(self._annotations_path(repository, commit, report)))

    def annotation(self, repository: str, commit: str, report: str, annotation: str) -> Annotation:
        """Return an annotation.

        :raises BitbucketNotFoundError: the report has none with this id
        """
        path = f"{self._annotations_path(repository, commit, report)}/{segment(annotation)}"
        return cast("Annotation", self._api.get(path))

    def annotate(self, repository: str, commit: str, report: str, annotations: Sequence[Annotation]) -> None:
        """Create annotations, or overwrite those with the same ``external_id``. Costs one request for every 100.

        The same annotations twice have the effect of once, so a request is repeated when its response was lost.

        :param repository: slug, or ``workspace/slug``
        :param commit: hash, full or short
        :param report: id of a report that exists
        :param annotations: at most 1,000, each with ``external_id``, ``annotation_type`` and ``summary``
        :raises ValueError: more than 1,000
        :raises BitbucketError: Bitbucket refuses one (400); annotations of earlier requests have been created
        """
        if len(annotations) > MOST_ANNOTATIONS:
            raise ValueError(f"{len(annotations):,} annotations; a report holds at most {MOST_ANNOTATIONS:,}")
        path = self._annotations_path(repository, commit, report)
        for start in range(0, len(annotations), MOST_ANNOTATIONS_PER_REQUEST):
            part = [*annotations[start : start + MOST_ANNOTATIONS_PER_REQUEST]]
            self._api.request("POST", path, json=part, idempotent=True)

    def put_annotation(self, repository: str, commit: str, report: str, annotation: str, content: Annotation) -> Annotation:
        """Create an annotation, or replace the one with this id. Costs one request.

        :param annotation: id of the annotation, chosen by its creator, unique within the report
        :param content: ``annotation_type`` and ``summary`` are required
        """
        path = f"{self._annotations_path(repository, commit, report)}/{segment(annotation)}"
        return cast("Annotation", self._api.put(path, content))

    def delete_annotation(self, repository: str, commit: str, report: str, annotation: str) -> None:
        """Delete an annotation.

        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(f"{self._annotations_path(repository, commit, report)}/{segment(annotation)}")

    def _list_path(self, repository: str, commit: str) -> str:
        return f"{self._api.repository_path(repository)}/commit/{segment(commit)}/reports"

    def _path(self, repository: str, commit: str, report: str) -> str:
        return f"{self._list_path(repository, commit)}/{segment(report)}"

    def _annotations_path(self, repository: str, commit: str, report: str) -> str:
        return f"{self._path(repository, commit, report)}/annotations"

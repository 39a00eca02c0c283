"""Bitbucket Cloud over HTTP, usable without Airflow."""

from airflow_provider_bitbucket.client.auth import AccessToken, ApiToken, Auth
from airflow_provider_bitbucket.client.bitbucket import BitbucketClient
from airflow_provider_bitbucket.client.clock import Clock
from airflow_provider_bitbucket.client.errors import (
    BitbucketAmbiguousError,
    BitbucketAuthError,
    BitbucketBadRequestError,
    BitbucketBaseUrlError,
    BitbucketConflictError,
    BitbucketConnectionError,
    BitbucketError,
    BitbucketGoneError,
    BitbucketMalformedResponseError,
    BitbucketNotFoundError,
    BitbucketPermissionError,
    BitbucketRateLimitError,
    BitbucketServerError,
)
from airflow_provider_bitbucket.client.lease import Lease
from airflow_provider_bitbucket.client.login import Login, OAuthLogin, StoredLogin, TokenStore
from airflow_provider_bitbucket.client.oauth import OAuthClientCredentials, OAuthConsumer, OAuthTokens
from airflow_provider_bitbucket.client.pipeline_state import PipelineOutcome, PipelineStatus
from airflow_provider_bitbucket.client.retry import NO_RETRIES, RetryPolicy
from airflow_provider_bitbucket.client.urls import BASE_URL

__all__ = [
    "BASE_URL",
    "NO_RETRIES",
    "AccessToken",
    "ApiToken",
    "Auth",
    "BitbucketAmbiguousError",
    "BitbucketAuthError",
    "BitbucketBadRequestError",
    "BitbucketBaseUrlError",
    "BitbucketClient",
    "BitbucketConflictError",
    "BitbucketConnectionError",
    "BitbucketError",
    "BitbucketGoneError",
    "BitbucketMalformedResponseError",
    "BitbucketNotFoundError",
    "BitbucketPermissionError",
    "BitbucketRateLimitError",
    "BitbucketServerError",
    "Clock",
    "Lease",
    "Login",
    "OAuthClientCredentials",
    "OAuthConsumer",
    "OAuthLogin",
    "OAuthTokens",
    "PipelineOutcome",
    "PipelineStatus",
    "RetryPolicy",
    "StoredLogin",
    "TokenStore",
]

"""Bitbucket Cloud over HTTP, usable without Airflow."""

from airflow_provider_bitbucket.client.auth.credentials import AccessToken, ApiToken
from airflow_provider_bitbucket.client.auth.lease import Lease
from airflow_provider_bitbucket.client.auth.login import Login, OAuthLogin, StoredLogin
from airflow_provider_bitbucket.client.auth.oauth import OAuthClientCredentials, OAuthConsumer, OAuthTokens
from airflow_provider_bitbucket.client.auth.token_store import TokenStore
from airflow_provider_bitbucket.client.bitbucket import BitbucketClient
from airflow_provider_bitbucket.client.pipeline_state import PipelineOutcome, PipelineStatus
from airflow_provider_bitbucket.client.transport.clock import Clock
from airflow_provider_bitbucket.client.transport.errors import (
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
from airflow_provider_bitbucket.client.transport.retry import NO_RETRIES, RetryPolicy
from airflow_provider_bitbucket.client.transport.signing import Auth
from airflow_provider_bitbucket.client.transport.urls import BASE_URL

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

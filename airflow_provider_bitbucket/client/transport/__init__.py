"""How requests reach Bitbucket: addresses, one session, retries, the request budget, limits of responses, errors."""

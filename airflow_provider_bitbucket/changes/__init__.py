"""Change things in Bitbucket so that a repeated attempt has one effect, without Airflow.

The modules import the client: an operator imports them when it runs, not when its DAG file is parsed.
"""

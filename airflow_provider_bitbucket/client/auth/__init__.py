"""Kinds of credentials, and how each signs requests."""

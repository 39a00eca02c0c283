"""Compute metrics with pure functions from frame to frame."""

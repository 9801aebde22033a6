"""Tests mirror the tree: tests/unit/test_X.py tests core/X.py."""

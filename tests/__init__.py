"""Tests, through the front door where they can be."""

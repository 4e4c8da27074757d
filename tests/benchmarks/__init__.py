"""Comparisons side by side; each prints a table. Run by hand, not by pytest."""

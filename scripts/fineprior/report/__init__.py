"""Comparison tables, plots and the report page."""

"""Scores as files, tables, curves and a report."""

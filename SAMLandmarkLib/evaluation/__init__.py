"""Evaluation: test sets with known answers, error and confidence metrics, tables."""

"""Readers and writers of volumes, landmarks and results."""

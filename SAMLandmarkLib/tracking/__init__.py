"""Lesions over time: carried, paired, measured, and what RECIST 1.1 makes of them."""

"""A whole study at once: what is to be done, a ledger of what is done, and whoever does it."""

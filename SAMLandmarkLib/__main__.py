"""`python -m SAMLandmarkLib` is the `samlandmark` command."""

from .cli import main

main()

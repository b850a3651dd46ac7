"""Other ways to carry landmarks from one scan to another, each behind the same small adapter."""

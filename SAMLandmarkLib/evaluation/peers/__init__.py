"""Other ways to carry landmarks from one CT to another, each behind the same small adapter."""

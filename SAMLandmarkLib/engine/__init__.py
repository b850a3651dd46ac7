"""The transfer engine and the runtime that every front end computes with."""

# A Slicer build has files here that a list of Python files needs nothing of.

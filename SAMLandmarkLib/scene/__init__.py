"""MRML in and out: the only part of the library that imports Slicer, and the only one that counts in RAS."""

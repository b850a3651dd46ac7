"""The benchmark: SAMLandmark and its peers side by side, on the same pairs, on one machine, in one run."""

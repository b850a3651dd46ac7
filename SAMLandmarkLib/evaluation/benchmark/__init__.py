"""The benchmark: SAMLandmark and its baselines side by side, on the same pairs, on one machine, in one run."""

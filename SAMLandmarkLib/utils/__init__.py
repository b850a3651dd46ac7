"""Files, threads, child processes, translation and errors; knows nothing of images."""

"""The formats that results are written in, one file each; see `registry` for how one is added."""

"""The cases, one file for each module of fastweb/_speedups, and one for whole documents."""

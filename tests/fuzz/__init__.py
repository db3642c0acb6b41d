"""Fuzzing of each compiled parser: in minutes, apart from the suite (`tox -e fuzz`).

    python -m tests.fuzz [TARGET …] [--seconds 60]

Two processes do the same work (`targets.py`) and must agree:

    this one    the plain files; atheris counts their branches and looks for inputs that reach more
    the other   the compiled modules: built with FASTWEB_BUILD_SANITIZE=1, and with AddressSanitizer's
                library in FUZZ_PRELOAD, it dies when it touches memory that is not its own, or does what C
                leaves undefined (UndefinedBehaviorSanitizer: an int that overflows, a shift too far, a NULL
                or a pointer at an odd place that is followed)

One source, two modes: what is new to the plain file is new to the compiled one. A finding is input on which
they differ, on which the compiled one dies, or on which either raises what it never should; it is kept below
`fuzz-findings`. Without atheris, inputs are mutations of the seeds by chance.
"""

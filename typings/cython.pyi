# For type checkers only: `cython` is what the shim says, whichever of the two a hot module got.
from fastweb._speedups._shim import *

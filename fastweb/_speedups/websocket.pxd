"""The wait that a message ends."""

from fastweb._speedups.arrival cimport Arrival

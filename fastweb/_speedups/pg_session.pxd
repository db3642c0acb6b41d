"""What `BaseSession` uses at C level."""

from fastweb._speedups.pg_operation cimport Operation, Statement
from fastweb._speedups.pg_outcome cimport Outcomes
from fastweb._speedups.pg_record cimport Columns

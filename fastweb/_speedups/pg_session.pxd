"""What `BaseSession` uses at C level."""

from fastweb._speedups.pg_batch cimport BatchQueue
from fastweb._speedups.pg_operation cimport Description, Operation, Statement
from fastweb._speedups.pg_record cimport Columns

"""What `BaseSession` uses at C level."""

from fastweb._speedups.pg_operation cimport Description, Operation, Statement
from fastweb._speedups.pg_queue cimport OperationQueue
from fastweb._speedups.pg_record cimport Columns

"""`BaseSession` as far as others call it at C level."""

from fastweb._speedups.pg_codec cimport Codec
from fastweb._speedups.pg_operation cimport Description, Operation, Statement
from fastweb._speedups.pg_record cimport Columns
from fastweb._speedups.pg_rows cimport RowSink
from fastweb._speedups.pg_wire cimport Output

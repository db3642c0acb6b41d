from fastweb._speedups.answer cimport Dispatcher
from fastweb._speedups.http1_parser cimport RequestParser
from fastweb._speedups.response cimport Head
from fastweb._speedups.runner cimport Runner
from fastweb._speedups.stream cimport BaseStream, StreamOwner

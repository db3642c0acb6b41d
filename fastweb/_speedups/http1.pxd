from fastweb._speedups.request cimport unquote
from fastweb._speedups.response cimport Head

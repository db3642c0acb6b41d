from fastweb._speedups.writer cimport Writer

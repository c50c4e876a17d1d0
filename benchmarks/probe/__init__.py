"""The code inside the measured processes: the same source, sink and report for every subject.

The blocks are made and checked by this code wherever they travel, so a difference between two subjects is a
difference of what lies between source and sink.
"""

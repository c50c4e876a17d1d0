"""The benchmark harness: FISSION beside bare sockets, pyzmq and multiprocessing, in one run on one machine.

Start it with `python -m benchmarks` from the root of the repository; README.md beside this file explains how to
read it.
"""

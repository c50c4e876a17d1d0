#!/usr/bin/env python3
"""Reads blocks of five half-precision floats (float16, 10 bytes) and prints the average of each.

    average.py -i DESCRIPTOR

What it prints becomes lines of the job, as with any other job.
"""

import argparse
import struct

parser = argparse.ArgumentParser()
parser.add_argument("-i", type=int, required=True)
arguments = parser.parse_args()

with open(arguments.i, "rb") as source:
    while block := source.read(10):
        values = struct.unpack("<5e", block)
        print(
            f"average of {', '.join(f'{value:.3f}' for value in values)}: {sum(values) / 5:.3f}", flush=True
        )

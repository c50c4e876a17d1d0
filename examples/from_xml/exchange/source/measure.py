#!/usr/bin/env python3
"""Measures: writes blocks of five half-precision floats (float16, 10 bytes).

    measure.py --blocks N --pause SECONDS -o DESCRIPTOR

It knows nothing of fission: -o is the number of a file that is open already. With 0 blocks it never ends.
"""

import argparse
import math
import struct
import time

parser = argparse.ArgumentParser()
parser.add_argument("--blocks", type=int, default=0)
parser.add_argument("--pause", type=float, default=0.2)
parser.add_argument("-o", type=int, required=True)
arguments = parser.parse_args()

with open(arguments.o, "wb", buffering=0) as output:
    block = 0
    while not arguments.blocks or block < arguments.blocks:
        values = [math.sin(0.3 * (5 * block + n)) for n in range(5)]
        output.write(struct.pack("<5e", *values))
        block += 1
        time.sleep(arguments.pause)

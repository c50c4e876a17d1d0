"""Adds up what it reads: integers of 4 bytes, the first byte the lowest. It knows nothing of fission."""

import argparse
import struct

parser = argparse.ArgumentParser()
parser.add_argument("-i", metavar="FILE", help="where the integers come from")
parser.add_argument("-o", metavar="FILE", help="where the sums go")
files = parser.parse_args()

total = 0
with (
    open(files.i, "rb") as numbers,
    open(files.o, "wb", buffering=0) as sums,
):  # unbuffered: a sum leaves at once
    while block := numbers.read(4):  # nothing: the network ends, and so do we
        (number,) = struct.unpack("<i", block)
        total += number
        print(f"+ {number} = {total}")
        sums.write(struct.pack("<i", total))

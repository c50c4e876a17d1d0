"""Programs are tested like jobs in Python: python3 manage.py exchange test

What goes in and comes out are the bytes of the blocks: the pipes of this network know nothing of numbers.
"""

import struct

MEASURE, AVERAGE = 0, 1  # in the order of network.xml


def test_it_measures_five_values_per_block(fission_cfg_jobs):
    measure = fission_cfg_jobs(MEASURE)
    (block,) = measure()
    first, second, *_ = struct.unpack("<5e", block)
    assert first == 0
    assert round(second, 3) == 0.295  # sin(0.3) as float16


def test_it_averages(fission_cfg_jobs, capfd):
    average = fission_cfg_jobs(AVERAGE)
    assert average(struct.pack("<5e", 1, 2, 3, 4, 5)) == []
    average.kill()
    assert "average of 1.000, 2.000, 3.000, 4.000, 5.000: 3.000" in capfd.readouterr().out

# There are no jobs in Python here: both are programs, in `source`.

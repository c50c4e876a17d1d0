"""FISSION: spread a dataflow of jobs over many small devices, and keep it running when one dies."""

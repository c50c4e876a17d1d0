"""Networks and faults made by chance, repeatable by a seed, whose output is known: that of an undisturbed run."""

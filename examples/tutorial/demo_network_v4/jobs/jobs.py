import operator
from functools import reduce

from fission.core.jobs import InteractiveJob, PythonJob

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


class OperatorJob(InteractiveJob):
    """Somebody types an operator, and it becomes a block."""

    def convert(self, line):
        sign = line.strip()
        if sign not in OPERATORS:
            raise ValueError(f"there is no operator {sign!r}; there are {' '.join(OPERATORS)}")
        return sign


class JoinJob(PythonJob):
    """Join any number of inputs by the operator, which is the last one."""

    def run(self, *values):
        *numbers, sign = values
        result = reduce(OPERATORS[sign], numbers)
        print(f"{self.id} -> {f' {sign} '.join(map(str, numbers))} = {result}")
        return result, sign, result  # a tuple: one item per output


class ReduceJob(PythonJob):
    """Add up five results, and hand the sum on."""

    def run(self, values):
        result = sum(values)
        print(f"{self.id} -> Sum over {values} is {result}")
        return result

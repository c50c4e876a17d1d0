import operator

from fission.core.jobs import PythonJob

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


class SlowOperators(PythonJob):
    """Yields another operator every two seconds."""

    def run(self):
        self.pace(interval=2)  # the first call starts the schedule and returns at once
        while True:
            for sign in ("*", "-", "+"):
                self.pace(interval=2)
                print(f"from now on: {sign}")
                yield sign


class Calculator(PythonJob):
    """Joins two numbers by the operator that is in use."""

    def run(self, left, right, sign):
        result = OPERATORS[sign](left, right)
        print(f"{left} {sign} {right} = {result}")
        return result

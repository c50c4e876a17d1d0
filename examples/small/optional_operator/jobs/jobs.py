import operator
import time

from fission.core.jobs import PythonJob

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


class SlowOperators(PythonJob):
    """Another operator every two seconds."""

    def run(self):
        while True:
            for sign in ("*", "-", "+"):
                time.sleep(2)
                print(f"from now on: {sign}")
                yield sign


class Calculator(PythonJob):
    """Join two numbers by the operator that is in use."""

    def run(self, left, right, sign):
        result = OPERATORS[sign](left, right)
        print(f"{left} {sign} {right} = {result}")
        return result

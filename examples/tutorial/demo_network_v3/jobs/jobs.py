from math import prod

from fission.core.jobs import PythonJob


class JoinJob(PythonJob):
    """Multiply any number of inputs. The product goes to every output."""

    def run(self, *values):
        result = prod(values)
        print(f"{self.id} -> {result}")
        return result


class ReduceJob(PythonJob):
    """Add up five products, and hand the sum on."""

    def run(self, values):
        result = sum(values)
        print(f"{self.id} -> Sum over {values} is {result}")
        return result

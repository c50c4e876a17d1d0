from fission.core.jobs import ExecutableJob, InteractiveJob, PythonJob


class Numbers(InteractiveJob):
    """Every line that somebody types is a number."""

    def convert(self, line):
        return int(line)  # what int says about other lines is shown to who has typed them


class RunningSum(ExecutableJob):
    """Started as: python3 running_sum.py -i <named pipe> -o <named pipe>."""

    DEPENDENCIES = "source"
    EXECUTABLE = "python3"
    PARAMETERS = "running_sum.py"


class Show(PythonJob):
    """Back in Python."""

    def run(self, total):
        print(f"the sum is {total}")

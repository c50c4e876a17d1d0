from fission.core.jobs import LocalJob, PythonJob

# Bits 0, 1 and 2 of a head belong to the system, the others to the user.
ALARM = 3


class Thermometer(PythonJob):
    """Yields rising and falling temperatures. Those above `LIMIT` get the alarm bit."""

    HEAD = True  # we set bits of the head
    LIMIT = 23

    def run(self):
        while True:
            for temperature in (20, 21, 22, 23, 24, 25, 24, 23, 22, 21):
                self.pace(hz=10)
                if temperature > self.LIMIT:
                    self.head[ALARM] = 1
                yield temperature


class Fahrenheit(PythonJob):
    """Ignores heads: all bits travel on with what is computed from their block."""

    def run(self, celsius):
        return celsius * 9 / 5 + 32


class Protocol(LocalJob, PythonJob):
    """Writes a line per block, with exclamation marks where the alarm bit is set."""

    HEAD = True  # we read bits of the head

    def setup(self, *args, **kwargs):
        super().setup(*args, **kwargs)
        self.file = open("protocol.txt", "w")

    def run(self, temperature):
        line = f"{temperature:.1f} F"
        if self.head[ALARM]:
            line = f"!! {line} TOO HOT"
            print(line)
        self.file.write(line + "\n")
        self.file.flush()

    def teardown(self):
        self.file.close()
        super().teardown()

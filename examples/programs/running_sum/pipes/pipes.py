from fission.core.pipes import BasePipe


class IntPipe(BasePipe):
    """An int as 4 bytes: what the program reads and writes."""

    BLOCK_SIZE = 4

    def pack(self, obj):
        return obj.to_bytes(4, "little", signed=True)

    def unpack(self, data):
        return int.from_bytes(data, "little", signed=True)

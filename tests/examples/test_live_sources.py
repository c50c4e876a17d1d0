"""The code of the how-to page on live sources works as it stands there."""

import re
from pathlib import Path
from typing import Any

import numpy as np

PAGE = Path(__file__).parents[2] / "docs/how-to/live-sources.md"


def playback() -> Any:
    """The class of the page."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(next(block for block in blocks if "Playback" in block), names)
    return names["Playback"]


def test_a_recording_is_sent_block_by_block_and_repeated_from_any(tmp_path: Path) -> None:
    np.save(tmp_path / "talk.npy", np.arange(400))
    kind = playback()
    job = kind(tmp_path / "talk.npy")
    job.setup()
    blocks, states = [], []
    while (block := job.run()) is not None:
        blocks.append(block)
        states.append(job.snapshot())
    assert [len(block) for block in blocks] == [160, 160, 80]
    again = kind(tmp_path / "talk.npy")
    again.setup()
    again.restore(states[0])
    np.testing.assert_array_equal(again.run(), blocks[1])

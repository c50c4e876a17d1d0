# ----------------------------------------------------
# FISSION CONFIG FILE
# ----------------------------------------------------

from fission.core.nodes import BaseNode
from fission.core.pipes import ArrayPipe
from separation.jobs.jobs import Norm, Output, SdrSink, SecondCovariance, WavSink, WavSource, Whitening

# Enter the user on the remote machines
USER = "pi"

# The directory all the action is done on the remote machines
REMOTE_ROOT = f"/home/{USER}/fission/"

# Logging
LOG_LEVEL = "INFO"
LOG_FILE = "FISSION.log"

# Enter the clients ip within the network, must be visible for nodes
CLIENT_IP = "127.0.0.1"

# A list of jobs to be executed within the network.
JOBS = [
    WavSource(
        "mixture.wav",
        block_size=800,  # samples: a tenth of a second
        outputs=[
            ArrayPipe(101),  # what the two microphones hear
        ],
    ),
    Whitening(
        inputs=[
            ArrayPipe(101),
        ],
        outputs=[
            ArrayPipe(102),  # three times the same: the white sound
            ArrayPipe(103),
            ArrayPipe(104),
        ],
    ),
    Norm(
        inputs=[
            ArrayPipe(102),
        ],
        outputs=[
            ArrayPipe(105),  # one number per sample
        ],
    ),
    SecondCovariance(
        inputs=[
            ArrayPipe(103),
            ArrayPipe(105),
        ],
        outputs=[
            ArrayPipe(106),  # a matrix, 2 x 2
        ],
    ),
    Output(
        inputs=[
            ArrayPipe(104),
            ArrayPipe(106),
        ],
        outputs=[
            ArrayPipe(107),  # the first voice
            ArrayPipe(108),  # the second voice
            ArrayPipe(109),  # both once more, to be judged
            ArrayPipe(110),
        ],
    ),
    WavSink(
        "voice_1.wav",
        rate=8000,  # samples per second, as in the mixture
        inputs=[
            ArrayPipe(107),
        ],
    ),
    WavSink(
        "voice_2.wav",
        rate=8000,  # samples per second, as in the mixture
        inputs=[
            ArrayPipe(108),
        ],
    ),
    SdrSink(
        "mixture.wav",
        ["talker_1.wav", "talker_2.wav"],
        inputs=[
            ArrayPipe(109),
            ArrayPipe(110),
        ],
    ),
]

# A list of nodes to be included in the network
NODES = [
    BaseNode("127.0.0.2"),
    BaseNode("127.0.0.3"),
    BaseNode("127.0.0.4"),
]

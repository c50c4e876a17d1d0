"""Rules that are checked before there is a network; a test compares this list with the code."""

from fission.project.checks._check import Rule

ELSEWHERE = (
    # project/load.py
    Rule("E001", "config.py cannot be imported"),
    Rule("E002", "a name in capitals in config.py is not a setting"),
    Rule("E003", "a setting has a wrong type or value"),
    Rule("E004", "JOBS is missing, empty or not a list"),
    Rule("E005", "an entry of NODES, or a row of its CSV file, is not a node"),
    Rule("E007", "the XML_FILE cannot be loaded"),
    Rule("W006", "a job was created that is not in JOBS"),
    # core/structure.py
    Rule("E101", "an entry of JOBS is not a job"),
    Rule("E102", "the __init__ of a job does not call super().__init__"),
    Rule("E103", "a job is in JOBS more than once"),
    Rule("E104", "an attribute of a job was replaced by a value of the wrong type"),
    Rule("E111", "a pipe has no source"),
    Rule("E112", "a pipe has more than one source"),
    Rule("E113", "a pipe has no destination"),
    Rule("E114", "a pipe has more than one destination"),
    Rule("E115", "a pipe connects a job to itself"),
    Rule("E116", "a pipe is of another class at its other end"),
    Rule("E121", "an entry of NODES is not a node"),
    Rule("E122", "the __init__ of a node does not call super().__init__"),
    Rule("E123", "two nodes have the same address"),
    Rule("W101", "a job has no pipes"),
)

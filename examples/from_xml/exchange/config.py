# The whole network stands in network.xml: programs, nodes and pipes.

XML_FILE = "network.xml"

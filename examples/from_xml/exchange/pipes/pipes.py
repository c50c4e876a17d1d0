# The pipes are made from network.xml.

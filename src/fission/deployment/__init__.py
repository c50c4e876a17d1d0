"""Installs the node service on devices over ssh. Ansible uses the same wheels, installer and unit."""

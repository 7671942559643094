"""Devices that run a model and report its time: this host, SSH, ADB, a program."""

"""The command line: gentle-clip COMMAND.

Heavy imports wait inside the functions of commands, so that --help does not.
"""

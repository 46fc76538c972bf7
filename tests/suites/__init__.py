"""Cases that others wrote for their engines, restated in our SQL.

Their data is read from the folder that the environment variable HEADRACE_SUITES names, and never copied.
"""

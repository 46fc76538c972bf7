"""Cases that others wrote for their engines, restated in our SQL; their data is read from the folder HEADRACE_SUITES, never copied."""

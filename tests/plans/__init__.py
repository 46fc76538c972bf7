"""Plans as each release saved them: newer ones must read them, and find the state of the same programs.

`programs/` holds programs over the topics of the planner's tests; a folder for each release holds their plans as
`headrace plan --format json` gave them. `python -m tests.plans` writes those of the present release, while it is not out.
"""

"""What students write: a module a page, a function a task, named after the quantity of the kit that judges it.

Arguments are the quantity's inputs, the result is a dict of its outputs (or of some: the rest is not judged). What
stands below `# your turn` is the instructor's, and is cut in the student's notebook.
"""

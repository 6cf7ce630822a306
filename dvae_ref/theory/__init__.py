"""The paper's formulas, an equation a file, in NumPy alone: nothing here knows of compiled code, threads or files."""

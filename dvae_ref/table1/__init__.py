"""The paper's Table 1: its cells trained and measured (`command`), small records of them (`records`), the table
(`page`).

A cell (`grid`) is one run in a folder that follows from its settings. It may be begun, killed and begun again, and
comes to the same bytes; any machine may go on with it. What is finished is known by its files alone, and no list of
what is to be done, or is under way, is kept anywhere. Cells know nothing of each other, so any number of processes may
work on a table (`executors`, `anywhere`); the lock of a folder keeps two out of one cell.
"""

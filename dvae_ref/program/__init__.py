"""How a program begins and ends, is interrupted, and speaks to a terminal.

`entry` is the first and the last of a process, `process` sets it up for training, `interrupt` makes a flag of Ctrl-C,
`console` and `usage` are what commands say and what they are asked. A library does none of this: who imports dvae_ref
keeps his own signals, streams and threads.
"""

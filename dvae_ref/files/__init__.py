"""The doors between the program and files: what is read is checked, what is written is whole.

Outwards, `writing.atomic` replaces a file at once or not at all, and `partial` finds what killed writers left. Inwards,
`reading` and `npz` turn bytes of anybody's into plain values in bounded memory, and `schema` says what the values have
to be. Whatever is wrong with a file is a ValueError that names it; that it cannot be opened or written is an OSError
that names it.
"""

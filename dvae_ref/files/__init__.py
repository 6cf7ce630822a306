"""The doors between the program and files: what is read is checked, what is written is whole."""

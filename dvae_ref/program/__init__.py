"""How a program begins and ends, is interrupted, and speaks to a terminal."""

"""The quantities of the kit by theme: how their inputs are drawn, and what outputs follow. `catalogue` has them all."""

"""How a database of any past version becomes one of this version: one numbered step a file."""

"""The crashes of boards: recognised in what they say, their addresses resolved with the ELF file of that very build."""

"""What a flash will do (plan) and the doing of it (program)."""

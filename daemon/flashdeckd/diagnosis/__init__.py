"""The doctor: what can be told of a bootloader, and of this installation, without writing anything."""

"""What `flashdeck install` sets up on a machine, and `flashdeck uninstall` takes away again."""

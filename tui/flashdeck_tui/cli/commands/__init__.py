"""One module a command, named like it; `flashdeck_tui.cli.root` lists them."""

"""Makes `shared/flashdeck/chips.generated.json`, the chip table: facts of public sources, compared; manuals decide."""

"""Makes `shared/flashdeck/chips.json`, the chip table: facts of public sources, compared, with manuals to decide."""

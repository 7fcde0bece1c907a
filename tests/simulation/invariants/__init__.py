"""DESIGN's rules, a file each: a second specification, which asks the product nothing."""

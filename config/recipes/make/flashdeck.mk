# flashdeck.mk: `include flashdeck.mk` below the rule that builds the image.
#
#   make flash                                  the image onto all boards that have the partition
#   make flash FLASHDECK_BOARDS="left rack-*"   only these boards, names or globs
#   make on-board                               waits for the daemon, where it watches the image

FLASHDECK ?= flashdeck
FLASHDECK_PARTITION ?= app1
FLASHDECK_IMAGE ?= build/APP1.bin
FLASHDECK_TIMEOUT ?= 120
FLASHDECK_BOARDS ?=

flashdeck_boards = $(foreach board,$(FLASHDECK_BOARDS),--board '$(board)')

.PHONY: flash on-board

flash: $(FLASHDECK_IMAGE)
	$(FLASHDECK) flash $(FLASHDECK_PARTITION) $< $(flashdeck_boards) --timeout $(FLASHDECK_TIMEOUT) --cancel-on-exit

on-board: $(FLASHDECK_IMAGE)
	$(FLASHDECK) wait $(FLASHDECK_PARTITION) --for $< $(flashdeck_boards) --timeout $(FLASHDECK_TIMEOUT)

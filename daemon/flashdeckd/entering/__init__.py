"""The ways in which a running application is brought into DFU mode."""

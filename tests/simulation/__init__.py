"""The whole loop in one seeded world: the real daemon, clients, boards, builds and a disk, in virtual time."""

"""Troubles of the world, and people who ask for something: one module a kind."""

from typing import TYPE_CHECKING

from simulation.actors.actor import Actor
from simulation.actors.boards import Boards
from simulation.actors.clients import Clients
from simulation.actors.clock_jumps import ClockJumps
from simulation.actors.configurations import Configurations
from simulation.actors.full_disks import FullDisks
from simulation.actors.keepers import Keepers
from simulation.actors.kills import Kills
from simulation.actors.looks import Looks
from simulation.actors.odd_clients import OddClients
from simulation.actors.slow_machines import SlowMachines
from simulation.actors.waiters import Waiters
from simulation.actors.writers import Writers

if TYPE_CHECKING:
    from simulation.world import World


def all_actors(world: "World") -> tuple[Actor, ...]:
    """Return all of them, for one seed."""
    kinds = (
        *(Boards, Clients, ClockJumps, Configurations, FullDisks, Keepers),
        *(Kills, Looks, OddClients, SlowMachines, Writers),
        *((Waiters,) if world.mood.has_consoles else ()),
    )
    return tuple(kind(world) for kind in kinds)

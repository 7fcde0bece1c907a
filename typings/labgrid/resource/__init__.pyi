from labgrid.resource.common import NetworkResource as NetworkResource
from labgrid.resource.common import Resource as Resource

"""The kind of file system that an open file or directory is on.

Linux names it in the line of `/proc/self/mountinfo` whose mount id stands in `/proc/self/fdinfo/FD` (proc(5)).
`statfs` would give a magic number instead, which Python does not offer and which several file systems share.
"""

from flashdeckd.host import files

LEASES = frozenset({"ext2", "ext3", "ext4", "tmpfs", "overlay", "xfs", "btrfs"})
"""Local file systems on which a read lease tells whether anyone has the file open for writing."""

_REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "coda", "lustre", "virtiofs", "vboxsf", "prl_fs"}
)


def filesystem_type(descriptor: int) -> str:
    """Its name as in `mount`, for example "ext4" or "fuse.sshfs"; "" where the system does not say."""
    try:
        info = files.contents(f"/proc/self/fdinfo/{descriptor}")
        mounts = files.contents("/proc/self/mountinfo")
    except OSError:
        return ""
    mount_id = next((line.split()[1] for line in info.splitlines() if line.startswith(b"mnt_id:")), None)
    for line in mounts.splitlines():
        about, separator, kind = line.partition(b" - ")
        if separator and about.split(b" ", 1)[0] == mount_id:
            return kind.split(b" ", 1)[0].decode("ascii", "replace")
    return ""


def is_remote(directory: str) -> bool:
    """Return whether another machine may change files in `directory` unseen by our kernel; False if it is gone."""
    try:
        descriptor = files.open_to_ask(directory)
    except OSError:
        return False
    try:
        kind = filesystem_type(descriptor)
    finally:
        files.close(descriptor)
    return kind in _REMOTE or kind == "fuse" or kind.startswith("fuse.")

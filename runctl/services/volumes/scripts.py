"""Shell scripts that mount, unmount and grow a disk on its machine. Pure text; POSIX sh, for dash is Ubuntu's `sh`.

A disk is found by its volume id alone, under the name that Nitro machines give it (EC2 User Guide, "Map Amazon EBS
volumes to NVMe device names"), or by its device name where the hypervisor says that it is EC2's Xen. Never by a guess:
these scripts format and unmount.
"""

from __future__ import annotations

import re
import shlex

from runctl.errors import InputError

FILE_SYSTEMS = ("ext4", "xfs")
#: Seconds that a disk may take to appear after AttachVolume.
_APPEARS_S = 60
_MOUNT_POINT = re.compile(r"/[\w./+@-]*[\w+@-]")
#: Where mounting something else would break the machine.
_SYSTEM = frozenset(
    {"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin", "/sys",
     "/tmp", "/usr", "/var"}  # noqa: S108  # refused, not used
)  # fmt: skip


def check_mount_point(text: str) -> str:
    """A directory that a disk may be mounted on.

    Raises:
        InputError: relative, with odd characters, or one of the system's own.
    """
    plain = text.rstrip("/") or "/"
    if not _MOUNT_POINT.fullmatch(plain) or ".." in plain.split("/") or plain in _SYSTEM:
        raise InputError(
            f"--mount {text}: not a directory to mount a disk on",
            allowed="an absolute path that is not one of the system's own",
            example="--mount /data",
        )
    return plain


def _find(volume_id: str, device: str, wait_s: int, absent: str = "") -> str:
    """Sets `dev`, or does `absent`: as a rule complains and ends with 4."""
    absent = absent or f'echo "the disk {volume_id} did not appear on this machine" >&2; exit 4'
    name = "nvme-Amazon_Elastic_Block_Store_" + volume_id.replace("-", "")
    xen = device.replace("/dev/sd", "/dev/xvd")
    return f"""\
set -u
disks=${{RUNCTL_DISKS:-/dev/disk/by-id}}
dev=
tries=0
while :; do
  if [ -e "$disks"/{shlex.quote(name)} ]; then dev=$(readlink -f "$disks"/{shlex.quote(name)}); break; fi
  dev=$(lsblk -dnpo NAME,SERIAL 2>/dev/null | awk '$2 == "{volume_id.replace("-", "")}" {{ print $1; exit }}')
  [ -n "$dev" ] && break
  if grep -qs '^ec2' /sys/hypervisor/uuid && [ -b {shlex.quote(xen)} ]; then dev={shlex.quote(xen)}; break; fi
  [ "$tries" -ge {wait_s} ] && break
  tries=$((tries + 1)); sleep 1
done
[ -n "$dev" ] || {{ {absent}; }}
"""


_PARTS = """\
part=$dev
first=$(lsblk -nrpo NAME,TYPE "$dev" | awk '$2 == "part" { print $1; exit }')
[ -n "$first" ] && part=$first
"""


def _there(directory: str) -> str:
    """A directory as a word of the shell; RUNCTL_ROOT stands before it where a machine is only a directory."""
    return '"${RUNCTL_ROOT:-}"' + shlex.quote(directory)


def mount_script(volume_id: str, device: str, directory: str, format_as: str = "") -> str:
    """Mount a disk; format it before only when that was asked for and it is blank.

    Ends with 4 when the disk does not appear, 5 when it is blank and may not be formatted, 6 when it shall be formatted
    and is not blank, 7 when something else is mounted there.
    """
    where = _there(directory)
    blank = (
        f'mkfs -t {format_as} "$dev" >&2 || exit 1'
        if format_as
        else 'echo "the disk is blank; --format ext4 formats it" >&2; exit 5'
    )
    full = (
        'if blkid -p "$dev" >/dev/null 2>&1; then\n'
        '  echo "the disk holds data already; leave --format out" >&2; exit 6\nfi\n'
        if format_as
        else ""
    )
    return f"""{_find(volume_id, device, _APPEARS_S)}{full}\
{_PARTS}\
there=$(findmnt -rno SOURCE --mountpoint {where})
if [ "$there" = "$part" ]; then echo "$part is mounted on {directory} already"; exit 0; fi
if [ -n "$there" ]; then echo "$there is mounted on {directory}" >&2; exit 7; fi
blkid -p "$part" >/dev/null 2>&1
case $? in
  0) ;;
  2) {blank} ;;
  *) echo "what is on the disk cannot be read" >&2; exit 1 ;;
esac
mkdir -p {where} && mount "$part" {where} && echo "$part is mounted on {directory}"
"""


def copy_script(volume_id: str, device: str, uri: str, directory: str, *, region: str, format_as: str = "") -> str:
    """Mount a disk on a place of our own, copy a prefix of S3 into a directory of it, write out, unmount.

    Copying is left to the machine's own tools: `aws s3 sync`, else `s5cmd`; what is there already is not fetched again.
    What they say goes to a log that `copied_script` reads. Ends as `mount_script`, or with 9 when there is no tool,
    else as the tool has ended.
    """
    place, log = (f"{_there('/mnt')}/runctl-{volume_id}{more}" for more in ("", ".log"))
    source, into = shlex.quote(uri.rstrip("/") + "/"), shlex.quote("/" + directory.strip("/"))
    return f"""set -u
if command -v aws >/dev/null 2>&1; then tool=aws
elif command -v s5cmd >/dev/null 2>&1; then tool=s5cmd
else echo "neither aws nor s5cmd is on this machine, so nothing can be copied" >&2; exit 9; fi
(
{mount_script(volume_id, device, f"/mnt/runctl-{volume_id}", format_as)}) >&2 || exit $?
place={place} log={log}
trap 'code=$?; sync; cd /; umount "$place" >&2 && rmdir "$place"; exit $code' EXIT
trap 'exit 130' INT TERM
into="$place"{into}
mkdir -p "$into" || exit 1
export AWS_DEFAULT_REGION="${{AWS_DEFAULT_REGION:-{region}}}"
case $tool in
  aws) aws s3 sync {source} "$into" >"$log" 2>"$log.errors" ;;
  s5cmd) s5cmd sync {source}'*' "$into/" >"$log" 2>"$log.errors" ;;
esac
code=$?
if [ "$code" -ne 0 ]; then
  tail -n 20 "$log.errors" >&2
  echo "$tool ended with $code: $(tail -n 1 "$log.errors" | cut -c 1-300)" >&2
  exit "$code"
fi
echo "$(find "$into" -type f | wc -l | tr -d ' ') files, $(du -sk "$into" | cut -f 1) KiB on the disk"
"""


def copied_script(volume_id: str) -> str:
    """The last thing that a running `copy_script` has said, for a line of progress."""
    return f"tail -c 400 {_there('/mnt')}/runctl-{volume_id}.log 2>/dev/null | tr '\\r' '\\n' | tail -n 1"


def unmount_script(volume_id: str, device: str) -> str:
    """Write out and unmount everything of a disk.

    Ends with 3 and the names of who holds it when it is busy. A disk that the system does not see is not mounted.
    """
    gone = f'echo "{volume_id} is not seen by this machine: nothing to unmount"; exit 0'
    return f"""{_find(volume_id, device, 0, gone)}\
sync
for part in $(lsblk -nrpo NAME "$dev"); do
  findmnt -rno TARGET -S "$part" | while IFS= read -r place; do
    umount "$place" && echo "unmounted $place" && continue
    echo "$place is busy; it is used by:" >&2
    fuser -vm "$place" >&2 2>&1
    exit 3
  done || exit 3
done
"""


def grow_script(volume_id: str, device: str) -> str:
    """Let partition and file system fill the disk.

    Ends with 4 when the disk is not there, 8 for a file system it does not know.
    """
    return f"""{_find(volume_id, device, 0)}\
{_PARTS}\
if [ "$part" != "$dev" ]; then
  number=$(echo "$part" | sed 's/.*[^0-9]\\([0-9][0-9]*\\)$/\\1/')
  growpart "$dev" "$number" || [ $? -eq 1 ] || exit 1
fi
kind=$(blkid -p -s TYPE -o value "$part")
place=$(findmnt -rno TARGET -S "$part" | head -n 1)
case $kind in
  ext2|ext3|ext4) resize2fs "$part" >&2 && echo "$kind on $part fills the disk" ;;
  xfs) [ -n "$place" ] || {{ echo "xfs grows only while it is mounted" >&2; exit 8; }}
       xfs_growfs "$place" >&2 && echo "xfs on $place fills the disk" ;;
  *) echo "cannot grow a file system of type ${{kind:-unknown}}" >&2; exit 8 ;;
esac
"""


def instructions(volume_id: str, device: str, directory: str = "/data") -> str:
    """What a person types on the machine to use a disk just attached."""
    name = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + volume_id.replace("-", "")
    return (
        f"on the machine (as {device}):\n"
        f"  sudo mkfs -t ext4 {name}   # only if it is new: this deletes what is on it\n"
        f"  sudo mkdir -p {directory} && sudo mount {name} {directory}"
    )

"""What a machine runs at its first start: a timer that ends it with the laptop shut, then the caller's own script.

The timer is a small loop that looks at a file with the time to end. It starts at every start of the machine, so that
neither a reboot nor a stop and start loses it, and whoever extends a machine's time writes the file anew. `shutdown`
ends the machine for good because it was launched with InstanceInitiatedShutdownBehavior=terminate. Everything is plain
POSIX sh: Ubuntu's is dash.
"""

from __future__ import annotations

import base64
import gzip
from datetime import datetime

from runctl.errors import InputError

#: EC2 User Guide, "Run commands when you launch an instance": 16 KB before base64.
LARGEST = 16 * 1024
#: Set where a machine is a directory (the embedded cloud): every path below is under it, and systemd is left alone.
ROOT = "RUNCTL_MACHINE_ROOT"

_LOOP = f"""#!/bin/sh
# Ends this machine at the time in the file "expires" (seconds since 1970), else at the time given as $1.
d=${{{ROOT}-}}/var/lib/runctl
at=$1
while :; do
  said=$(cat "$d/expires" 2>/dev/null)
  case $said in '' | *[!0-9]*) ;; *) at=$said ;; esac
  left=$((at - $(date +%s)))
  if [ "$left" -le 0 ]; then
    shutdown -h now || poweroff
    left=30
  fi
  [ "$left" -lt 30 ] || left=30
  sleep "$left"
done
"""

_INSTALL = """d=${{{root}-}}/var/lib/runctl
umask 077
mkdir -p "$d"
echo {at} > "$d/expires.new" && mv "$d/expires.new" "$d/expires"
cat > "$d/ttl.sh" <<'runctl-end'
{loop}runctl-end
if [ -z "${{{root}-}}" ] && command -v systemctl > /dev/null 2>&1; then
  cat > /etc/systemd/system/runctl-ttl.service <<'runctl-end'
[Unit]
Description=runctl ends this machine when its time is over
[Service]
ExecStart=/bin/sh /var/lib/runctl/ttl.sh {at}
Restart=always
RestartSec=10
[Install]
WantedBy=multi-user.target
runctl-end
  systemctl daemon-reload
  systemctl enable runctl-ttl.service
  systemctl --no-block restart runctl-ttl.service
else
  b=${{{root}-}}/var/lib/cloud/scripts/per-boot
  mkdir -p "$b"
  cat > "$b/runctl-ttl" <<'runctl-end'
#!/bin/sh
d=${{{root}-}}/var/lib/runctl
old=$(cat "$d/ttl.pid" 2> /dev/null)
grep -q "$d/ttl.sh" "/proc/${{old:-none}}/cmdline" 2> /dev/null && exit 0
nohup sh "$d/ttl.sh" {at} > /dev/null 2>&1 < /dev/null &
echo $! > "$d/ttl.pid"
runctl-end
  chmod 700 "$b/runctl-ttl"
  sh "$b/runctl-ttl"
fi
"""

_THEN = """s=${{{root}-}}/var/lib/runctl/user-data
mkdir -p "${{s%/*}}"
( umask 077; base64 -d <<'runctl-end' | gzip -d > "$s"
{packed}
runctl-end
)
chmod 700 "$s"
exec "$s"
"""


def timer_script(expires_at: datetime) -> str:
    """Shell lines, without a "#!" line, that set the timer or move one that is set; run as root, as often as wanted."""
    at = int(expires_at.timestamp())
    return _INSTALL.format(root=ROOT, at=at, loop=_LOOP)


def user_data(script: str, expires_at: datetime | None) -> str:
    """The user data of a launch, before base64; "" when there is nothing to run.

    Args:
        script: the caller's own, with its "#!" line; "" for none.
        expires_at: when the machine ends itself, None for never.

    Raises:
        InputError: EC2 takes no more than 16 KB.
    """
    text = script
    if expires_at is not None:
        text = f"#!/bin/sh\n# runctl: ends itself at {expires_at.isoformat()}\n{timer_script(expires_at)}"
        if script:
            packed = base64.encodebytes(gzip.compress(script.encode(), 9, mtime=0)).decode().strip()
            text += _THEN.format(root=ROOT, packed=packed)
    size = len(text.encode())
    if size > LARGEST:
        raise InputError(
            f"--user-data: {size} bytes with runctl's timer",
            allowed=f"{LARGEST} bytes, of which the timer needs 2 KB and the script counts compressed",
            example="a script that fetches the rest from S3",
        )
    return text

# Runs in the guest, as its first process: udev, then the command that the host left, then the end of the machine.
# What the command says goes to the second serial port as it comes, and to `output`; its exit code to `status`.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home LANG=C.UTF-8 TMPDIR=/run/t FLASHDECK_PATIENCE=5 PYTHONUNBUFFERED=1 FLASHDECK_GUEST=1
cd "$FLASHDECK_TREE" || exit
stty -F /dev/ttyS1 raw
ip link set lo up
/lib/systemd/systemd-udevd --daemon
{
  timeout -k 10 "$FLASHDECK_SECONDS" sh /run/results/command
  echo $? >/run/results/status
} 2>&1 | tee /run/results/output >/dev/ttyS1
dmesg >/run/results/kernel.log
sync
echo o >/proc/sysrq-trigger
sleep 60

# A coordinator on a port of its own, a user of the lab, and a daemon whose boards are in the pool.
export LG_HOSTNAME=desk LG_USERNAME=ann
port=$("$PYTHON" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
export LG_COORDINATOR="127.0.0.1:$port"
sed -i "s/20408/$port/" .config/flashdeck/flashdeck.toml
mkdir coordinator
stays "listening on" <<<"env -C coordinator labgrid-coordinator -l $LG_COORDINATOR"
daemon
timeout 60 bash -c "until labgrid-client resources | grep -q bench-1/left; do sleep 0.1; done"

# Comes before the commands of a page: a daemon on its bench, and what its comments of HTML mean.
# PAGE, BENCH and PYTHON are given; HOME is a fresh directory, and where the commands are typed.
set -Eeo pipefail
PS4='+ ${BASH_SOURCE##*/}:$LINENO: '
trap 'ended=$?; echo "$PAGE:$LINENO: ended with $ended: $BASH_COMMAND" >&2' ERR
trap 'status=$?; trap - ERR; running=$(jobs -p); [ -z "$running" ] || { kill $running 2>/dev/null; wait $running || true; }; exit $status' EXIT

# keep NAME: what stands in the block is that file.
keep() {
  mkdir -p "$(dirname "$1")"
  cat >"$1"
}

# stays TEXT: the block does not end by itself; the page goes on once it has said TEXT.
stays() {
  local said log
  log=$(mktemp -p "$HOME/.test")
  said=$(cat)
  bash -c "exec $said" >"$log" 2>&1 </dev/null &
  timeout 60 grep -q -m 1 -e "$1" <(tail -n +1 --pid=$! -f "$log") || { cat "$log" >&2; return 1; }
}

# ends_with CODE: the block ends with that exit code.
ends_with() {
  local status=0 said
  said=$(cat)
  bash -c "$said" || status=$?
  [ "$status" -eq "$1" ] || { echo "$PAGE: ended with $status, not with $1: $said" >&2; return 1; }
}

# on_terminal TEXT KEYS [TEXT KEYS …]: the block runs on a terminal; each time that TEXT is there, KEYS are typed.
on_terminal() {
  "$PYTHON" -m manual.terminal "$@"
}

# firmware FILE PARTITION VERSION: a build of that version, linked for that partition, is written.
firmware() {
  mkdir -p "$(dirname "$1")"
  "$PYTHON" -m manual.firmware "$@"
}

# The daemon of the bench, as `flashdeckd` alone would be started by a person.
daemon() {
  stays "listens on" <<<flashdeckd
}

if [ -e "$BENCH/before.sh" ]; then
  source "$BENCH/before.sh"
fi
set -x
source "$HOME/.test/page"

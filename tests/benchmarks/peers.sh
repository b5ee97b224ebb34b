#!/bin/sh
# Makes the environment of the peers: peers.sh FOLDER. A peer that cannot be had is no failure: the benchmark says so and goes on.
set -u
folder=$1
lock=$(dirname "$0")/peers.lock
python=${PYTHON:-python3}
export PIP_DISABLE_PIP_VERSION_CHECK=1

install() {
    "$folder/bin/python" -m pip install --quiet --no-deps --require-hashes "$@"
}

rm -f "$folder/.stamp"
if ! "$python" -m venv --clear "$folder"; then
    echo "peers: $folder cannot be made; the benchmark runs without them" >&2
    exit 0
fi
sed '/^zen-engine==/,$d' "$lock" > "$folder/first.txt"
sed -n '/^zen-engine==/,/^#/p' "$lock" > "$folder/beside.txt"
sed -n '/^astm==/,$p' "$lock" > "$folder/then.txt"

# astm 0.5.0 (2013) imports a name that left Python in 3.10. One line at the start of this environment's interpreter gives it back, for its
# setup.py as for itself. Nothing else of it is changed.
site=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo 'import collections, collections.abc; collections.Iterable = collections.abc.Iterable' > "$site/astm_shim.pth"

complete=yes
install -r "$folder/first.txt" || { echo "peers: python-hl7 cannot be installed; the benchmark runs without it" >&2; complete=no; }
install --no-build-isolation -r "$folder/then.txt" || { echo "peers: python-astm cannot be installed; the benchmark runs without it" >&2; complete=no; }
install -r "$folder/beside.txt" || { echo "peers: zen-engine cannot be installed; the benchmark runs without it" >&2; complete=no; }
[ $complete = no ] || touch "$folder/.stamp"

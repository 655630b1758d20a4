#!/bin/sh
# Records every scenario of a seed, one process each, unattended: sample_traces/lab/record_each.sh SEED OUT WORK [SCENARIO…]
# A scenario that fails, hangs or is refused is told in OUT/log.txt and the next one goes on; one that OUT has already is
# left alone, so that the same line goes on where it was stopped. PYTHON is the interpreter that has seamscope.
set -u
seed=$1 out=$2 work=$3
shift 3
python=${PYTHON:-python3}
record="$(dirname "$0")/record.py"
mkdir -p "$out" "$work"
[ $# -gt 0 ] || set -- $("$python" "$record" --list | cut -d ' ' -f 1)
kept=0
for scenario in "$@"; do
  [ ! -e "$out/$scenario/expected.json" ] || { kept=$((kept + 1)); continue; }
  # the first one of a system builds its apps
  timeout -k 30 "${LONGEST_S:-900}" "$python" "$record" --scenario "$scenario" --seed "$seed" --out "$out" --work "$work" \
    >> "$out/log.txt" 2>&1 < /dev/null || echo "$scenario: status $?" >> "$out/log.txt"
  [ ! -e "$out/$scenario/expected.json" ] || kept=$((kept + 1))
done
echo "$kept recorded of $#" | tee -a "$out/log.txt"

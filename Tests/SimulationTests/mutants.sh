#!/bin/bash
# Builds one deliberate bug after the other into the simulator (`#if MUTANT_NAME`) and looks whether SEEDS seeds find it.
set -u
cd "$(dirname "$0")/../.."
seeds=${SEEDS:-1000}
mutants=${MUTANTS:-VOTE_NOT_PERSISTED ACKNOWLEDGED_BEFORE_FSYNC OLD_TERM_COMMITTED_BY_COUNT UP_TO_DATE_CHECK_DROPPED
CONFLICT_NOT_TRUNCATED MATCHING_SUFFIX_TRUNCATED LEARNER_COUNTED TWO_CHANGES_IN_FLIGHT READ_WITHOUT_QUORUM
LEASE_AFTER_CLOCK_JUMP SNAPSHOT_WITHOUT_MEMBERSHIP APPLIED_INDEX_NOT_RESTORED FOLDER_FSYNC_DROPPED VERSION_CHECK_DROPPED
ADDRESS_FREED_EARLY TRANSACTION_IN_FLIGHT_IGNORED RETIRED_BEFORE_REMOVED}
found=0
all=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
row() { printf '%-32s %-8s %-8s %s\n' "$@"; }
row mutant seed seconds "what the checkers saw"
for mutant in $mutants; do
    all=$((all + 1))
    if ! CORE_ONLY=1 MUTANT=$mutant swift build -c release --scratch-path .build/mutants --product simulator \
        >"$log" 2>&1; then
        row "$mutant" - - "does not build: $(grep -m 1 error: "$log")"
        continue
    fi
    begin=$(date +%s)
    .build/mutants/release/simulator --seeds "$seeds" --until-failure >"$log"
    seconds=$(($(date +%s) - begin))
    line=$(grep -m 1 '^seed [0-9]* failed: ' "$log")
    if [ -n "$line" ]; then
        found=$((found + 1))
        seed=${line#seed }
        row "$mutant" "${seed%% *}" "$seconds" "$(cut -c 1-110 <<<"${line#*failed: }")"
    else
        row "$mutant" none "$seconds" "not found in $seeds seeds"
    fi
done
echo "$found of $all found"
[ "$found" = "$all" ]

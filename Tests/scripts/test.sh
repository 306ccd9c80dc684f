#!/bin/bash
# All tests: unit and simulation, then (as root) the lab's, inside namespaces that end with one process, then the
# runtime's on cgroup v2 in a virtual machine.
# The last line is "N passed, N failed".
set -u
cd "$(dirname "$0")/../.."
here=Tests/scripts
work=.build/test-run
mkdir -p "$work"
rm -rf "$work"/* .build/lab-logs
passed=0
failed=0

count() { # count FILE NAME: adds up an xunit file
    local file=$1 name=$2 tests failures
    if [ ! -s "$file" ]; then
        echo "$name: the tests did not run to their end"
        failed=$((failed + 1))
        return
    fi
    tests=$(grep -o '<testcase ' "$file" | wc -l)
    failures=$(grep -o '<failure ' "$file" | wc -l)
    [ "$failures" -le "$tests" ] || failures=$tests
    passed=$((passed + tests - failures))
    failed=$((failed + failures))
    echo "$name: $((tests - failures)) passed, $failures failed"
}

root=
[ "$(id -u)" = 0 ] && root=yes
[ -n "$root" ] && $here/host-state.sh >"$work/before"

echo "building"
swift build --build-tests >"$work/build.log" 2>&1 || {
    grep -E "error:" "$work/build.log" | sort -u | head -40
    tail -n 20 "$work/build.log"
    echo "0 passed, 1 failed"
    exit 1
}

echo "unit and simulation"
swift test --skip-build --skip LabTests --xunit-output "$work/unit.xml" >"$work/unit.log" 2>&1
status=$?
grep -E '✘|recorded an issue|Fatal error|skipped' "$work/unit.log" | head -60
count "$work/unit-swift-testing.xml" "unit and simulation"
[ $status = 0 ] || [ $failed -gt 0 ] || failed=$((failed + 1))

if [ -n "$root" ]; then
    echo "lab"
    unshare --mount --net --pid --fork --kill-child --mount-proc sh -c '
        mount --make-rprivate / && ip link set lo up &&
        exec swift test --skip-build --no-parallel --filter LabTests --xunit-output "$1"' sh "$work/lab.xml" \
        >"$work/lab.log" 2>&1
    status=$?
    grep -E '✘|recorded an issue|Fatal error|skipped' "$work/lab.log" | head -80
    before=$failed
    count "$work/lab-swift-testing.xml" "lab"
    [ $status = 0 ] || [ $failed -gt $before ] || failed=$((failed + 1))
    if [ $status != 0 ] && [ -d .build/lab-logs ]; then
        for log in .build/lab-logs/*/*; do
            echo "--- $log"
            tail -n 25 "$log"
        done
    fi
    $here/host-state.sh >"$work/after"
    if diff "$work/before" "$work/after" >"$work/leaks"; then
        passed=$((passed + 1))
    else
        echo "the machine is not as it was before (< before, > after):"
        cat "$work/leaks"
        failed=$((failed + 1))
    fi
else
    echo "skipped: the lab's tests need root"
fi

if [ "$(uname -m)" = x86_64 ] && command -v qemu-system-x86_64 >/dev/null; then
    echo "cgroup v2, in a virtual machine"
    $here/cgroup2.sh >"$work/cgroup2.log" 2>&1
    status=$?
    grep -vE '^(ok|#) ' "$work/cgroup2.log"
    counts=$(sed -n 's/^cgroup v2: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$work/cgroup2.log")
    counts=${counts:-0 0}
    before=$failed
    passed=$((passed + ${counts%% *}))
    failed=$((failed + ${counts##* }))
    [ $status = 0 ] || [ $failed -gt $before ] || failed=$((failed + 1))
else
    echo "skipped: cgroup v2 needs qemu-system-x86 on x86-64 (make test-deps)"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

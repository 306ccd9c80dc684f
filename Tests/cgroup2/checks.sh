# What a container gets on cgroup v2, seen from the machine and from the inside. Runs in the virtual machine of
# Tests/scripts/cgroup2.sh. Each check is a line: "ok NAME" or "not ok NAME: why".
groups=/sys/fs/cgroup/swarm/containers
tasks=/var/lib/swarm/tasks

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1: $(echo "$2" | tr '\n' ' ')"; }

same() { # same NAME EXPECTED FOUND
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "\"$3\" instead of \"$2\""; fi
}

contains() { # contains NAME TEXT PART
    case $2 in *"$3"*) ok "$1" ;; *) not_ok "$1" "no \"$3\" in: $2" ;; esac
}

at_least() { # at_least NAME LEAST FOUND
    if [ "$3" -ge "$2" ] 2>/dev/null; then ok "$1"; else not_ok "$1" "\"$3\" is less than $2"; fi
}

# What is said of a condition that does not come true.
EVIDENCE="swarmctl stack ps --no-trunc s"

comes_true() { # comes_true NAME SECONDS CONDITION: waits for it
    if wait_for "$2" "$3"; then ok "$1"; else not_ok "$1" "not in $2 s: $(sh -c "$EVIDENCE" 2>&1)"; fi
}

wait_for() { # wait_for SECONDS CONDITION
    local deadline=$(($(seconds) + $1))
    until $2; do
        [ "$(seconds)" -lt $deadline ] || return 1
        usleep 100000
    done
}

phase() { echo "# $(cut -d' ' -f1 /proc/uptime) s: $1"; }
seconds() { cut -d. -f1 /proc/uptime; }
field() { sed -n "s/^$2 //p" "$1"; } # field FILE NAME: of lines "NAME VALUE"
log() { cat "$tasks/$1/container-json.log" 2>/dev/null; }

# Starting swarmctl costs seconds here: what is asked again and again is asked with curl.
api() { curl -sS --unix-socket /run/swarm/swarm.sock "http://swarm$1" 2>&1; }
answers() { api /_ping | grep -q OK; }
says() { api /tasks | grep -q "$1"; }

# The first process of the container with this host name, as a pid of the machine.
pid_of() {
    local pid
    for pid in $(cat $groups/*/cgroup.procs 2>/dev/null); do
        [ "$(sed -n 's/^NSpid:.*\t//p' "/proc/$pid/status" 2>/dev/null)" = 1 ] || continue
        cat "/proc/$pid/environ" 2>/dev/null | tr '\0' '\n' | grep -qx "HOSTNAME=$1" && echo "$pid" && return
    done
    return 1
}
id_of() { sed -n 's|^0::/swarm/containers/||p' "/proc/$1/cgroup"; } # id_of PID
start_time() { sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20; }
runs() { pid=$(pid_of "$1") && id=$(id_of "$pid"); } # sets pid and id

# The programs of all processes but the kernel's, which may be loading a module.
programs() {
    for link in /proc/[0-9]*/exe; do readlink "$link"; done >/run/programs
    grep -v /kmod /run/programs | sort | uniq -c
}
mounts() { cut -d' ' -f2,3 /proc/mounts | sort; }

start_swarmd() {
    swarmd >>/run/swarmd.log 2>&1 &
    daemon=$!
    wait_for 60 answers
}
deploy() { # deploy GENERATION
    GENERATION=$1 swarmctl stack deploy --detach --resolve-image never -c /stack.yml s >/run/deploy 2>&1 ||
        not_ok "the stack is deployed" "$(cat /run/deploy)"
}

phase "a node"
touch /run/swarmd.log
tail -f /run/swarmd.log >/dev/ttyS1 &
if ! start_swarmd || ! phase init || ! swarmctl init --advertise-addr 10.0.2.15 >/dev/null ||
    ! phase image || ! swarmctl image import /image.tar box:1 >/dev/null; then
    not_ok "a node comes up" "see the log of swarmd"
    exit
fi
contains "the node says that it has cgroup v2" "$(api /info)" '"CgroupVersion":"2"'
# What there is without a container must be there again at the end.
mounts_before=$(mounts)
programs_before=$(programs)
phase "a stack"
deploy 1

phase "limits"
limited_looked() { runs limited && log "$id" | grep -q looked; }
comes_true "a container with limits runs" 60 limited_looked
[ -n "$id" ] || exit
group=$groups/$id
same "cpu.max is the CPU limit" "50000 100000" "$(cat "$group/cpu.max")"
same "memory.max is the memory limit" 67108864 "$(cat "$group/memory.max")"
same "pids.max is the limit of processes" 20 "$(cat "$group/pids.max")"
text=$(log "$id")
contains "the CPU limit is seen inside" "$text" "inside cpu.max 50000 100000"
contains "the memory limit is seen inside" "$text" "inside memory.max 67108864"
contains "swap is limited beside it" "$text" "inside memory.swap.max 67108864"
contains "the limit of processes is seen inside" "$text" "inside pids.max 20"
contains "the container is at the root of its groups" "$text" 'group 0::/\n'
contains "its own group alone is mounted inside" "$text" 'mounted / /sys/fs/cgroup\n'
contains "a limit cannot be lifted from inside" "$text" "can't create /sys/fs/cgroup/pids.max: Read-only"
contains "a foreign device can be made" "$text" 'made\n'
contains "a foreign device cannot be read" "$text" "can't open /tmp/kmsg: Operation not permitted"
contains "a foreign device cannot be written" "$text" "can't create /tmp/kmsg: Operation not permitted"
contains "a usual device can be read" "$text" "zeroes 2"
contains "no process can be started beyond the limit" "$text" "can't fork: Resource temporarily unavailable"
at_least "the kernel counted it" 1 "$(field "$group/pids.events" max)"
throttled() { [ "$(field "$group/cpu.stat" nr_throttled)" -gt 0 ]; }
comes_true "the CPU limit throttles" 30 throttled
touch "/proc/$pid/root/tmp/enough"
# What the runtime reads of a container's use.
at_least "CPU time is counted" 1 "$(field "$group/cpu.stat" usage_usec)"
at_least "memory is counted" 1 "$(cat "$group/memory.current")"
at_least "page cache is told apart" 0 "$(field "$group/memory.stat" inactive_file)"

phase "out of memory"
out_of_memory() { says "task: non-zero exit (137): out of memory"; }
comes_true "an out-of-memory kill is named" 60 out_of_memory

phase "health"
seen() { runs checked && [ -e "/proc/$pid/root/tmp/seen" ]; }
comes_true "a health check is run" 60 seen
same "it runs in the container's group" "0::/" "$(cat "/proc/$pid/root/tmp/seen")"
rm "/proc/$pid/root/tmp/well"
unhealthy() { says "unhealthy container"; }
comes_true "one that fails is named" 60 unhealthy

phase "stopping"
waits() { runs "$1" && log "$id" | grep -q waits; }
polite_waits() { waits polite; }
deaf_waits() { waits deaf; }
comes_true "a container that stops when asked runs" 60 polite_waits
polite_pid=$pid polite_id=$id
comes_true "a container that does not runs" 60 deaf_waits
deaf_pid=$pid deaf_id=$id
# The old tasks and their logs stay in the history.
deploy 2
both_gone() { [ ! -e "/proc/$polite_pid" ] && [ ! -e "/proc/$deaf_pid" ]; }
comes_true "both are gone" 60 both_gone
contains "one that stops when asked had the time to" "$(log "$polite_id")" ready
text=$(log "$deaf_id")
asked=$(echo "$text" | sed -n 's/.*asked \([0-9]*\);.*/\1/p')
last=$(echo "$text" | sed -n 's/.*tick \([0-9]*\);.*/\1/p' | tail -n 1)
case $((last - asked)) in
2 | 3 | 4 | 5 | 6) ok "one that does not is killed after its grace period" ;;
*) not_ok "one that does not is killed after its grace period" "asked at \"$asked\" s, seen last at \"$last\" s" ;;
esac

phase "a restart of swarmd"
runs counter
started=$(start_time "$pid")
kill -9 $daemon
wait $daemon 2>/dev/null
lines=$(log "$id" | wc -l)
more_lines() { [ "$(log "$id" | wc -l)" -gt $((lines + 3)) ]; }
comes_true "a container runs on without swarmd" 20 more_lines
start_swarmd || not_ok "swarmd starts again" "see its log"
ready() { api /nodes | grep -q '"State":"ready"'; }
comes_true "the node is ready again" 60 ready
before="$pid $id $started"
runs counter
same "process, container and start time are the same after it" "$before" "$pid $id $(start_time "$pid")"
numbers=$(log "$id" | sed -n 's/.*line \([0-9]*\);.*/\1/p')
same "no line of its log is lost or doubled" "$(seq 0 $(($(echo "$numbers" | wc -l) - 1)) | md5sum)" \
    "$(echo "$numbers" | md5sum)"
swarmctl stack ps --no-trunc s --format '{{.Name}}|{{.CurrentState}}|{{.Error}}' >/run/tasks
cat /run/tasks
same "its task was not replaced" 1 "$(grep -c '^s_counter.1|Running' /run/tasks)"
contains "service ps names the out-of-memory kill" "$(grep ^s_hungry /run/tasks)" "(137): out of memory"
contains "service ps names the failed health check" "$(grep ^s_checked /run/tasks)" "unhealthy container"

phase "removal"
swarmctl stack rm s >/run/removal 2>&1 || not_ok "the stack is removed" "$(cat /run/removal)"
EVIDENCE="ls $tasks; find $groups -mindepth 1 -type d"
removed() { [ -z "$(ls $tasks)" ]; }
comes_true "no folder of a container is left" 60 removed
same "no cgroup of a container is left" "" "$(find $groups -mindepth 1 -type d)"
as_before() { [ "$(programs)" = "$programs_before" ]; }
wait_for 10 as_before
same "no process is left" "$programs_before" "$(programs)"
same "no member of a group is left" "" "$(cat /sys/fs/cgroup/swarm/*/cgroup.procs)"
same "no mount is left" "$mounts_before" "$(mounts)"

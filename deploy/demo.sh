#!/bin/bash
# demo.sh PROGRAMS: a cluster on this machine, used as a person would. `make demo` calls it.
set -eu
programs=$(cd "$1" && pwd)
dir=${LAB_DIR:-/run/swarm-demo}
export PATH=$programs:$PATH
here=$(cd "$(dirname "$0")" && pwd)

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
run() { say "$*"; "$@"; }
# What a person would type on a node.
on() {
    local node=$1
    shift
    say "$* # on $node"
    swarmctl lab exec --dir "$dir" "$node" -- "$@"
}

clean() { swarmctl lab down --dir "$dir" >/dev/null 2>&1 || true; }
trap 'echo "interrupted: removing the cluster"; clean; exit 130' INT TERM
trap 'status=$?; [ $status = 0 ] || { echo "the demo failed"; clean; }; rm -rf "${work:-}"; exit $status' EXIT

swarmctl lab ls --dir "$dir" >/dev/null 2>&1 && clean
started=$(date +%s)
run swarmctl lab up --managers 3 --dir "$dir"
on n1 swarmctl node ls

# A small image, made here: the machine may have no internet.
work=$(mktemp -d)
"$here/examples/web/image.sh" "$work"
for node in n1 n2 n3; do on "$node" swarmctl image import "$work/web.tar" web:1; done

on n1 swarmctl service create --no-resolve-image --name web --replicas 2 --limit-memory 32M --limit-pids 20 --init --update-monitor 1s web:1 \
    sh -c 'echo "hello from $HOSTNAME"; exec httpd -f -p 8080 -h /www'
on n2 swarmctl service scale web=5
on n3 swarmctl service ps web
on n1 swarmctl service logs web

say "the leader is killed; its containers go on, another manager takes over"
run swarmctl lab kill --dir "$dir" n1
on n2 swarmctl service scale web=6
run swarmctl lab start --dir "$dir" n1
on n2 swarmctl service update --no-resolve-image --env-add VERSION=2 --update-parallelism 2 web
on n3 swarmctl service ps web
on n2 swarmctl node ls
on n2 swarmctl service ls
echo
echo "up after $(($(date +%s) - started)) s. Go on with: $programs/swarmctl lab exec --dir $dir n1 -- swarmctl node ls"
echo "Remove it with: make demo-down"

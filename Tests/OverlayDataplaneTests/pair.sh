#!/bin/sh
# Two nodes and a container on each, in network namespaces of the caller's own one:
#
#   ca ── br0+tap (na) ── underlay bridge (here) ── (nb) br0+tap ── cb
#
# Run it inside `unshare --mount --net --pid --fork --kill-child`: it changes nothing outside, and leaves nothing.
# usage: pair.sh PROGRAM MODE   MODE: check | bench; environment: SECONDS_EACH, UNDERLAY_MTU, CIPHER
set -eu
program=$1
mode=$2
each=${SECONDS_EACH:-3}
underlay=${UNDERLAY_MTU:-1500}
cipher=${CIPHER:-auto}
mtu=$((underlay - 82))
mount -t tmpfs none /run
mkdir -p /run/netns /run/pair
cd /run/pair

in_ns() {
    ns=$1; shift
    if [ "$ns" = self ]; then "$@"; else nsenter --net=/run/netns/"$ns" -- "$@"; fi
}

# start NAME SPACE ROLE…: in the background, until it says that it is ready.
start() {
    name=$1; space=$2; shift 2
    rm -f "$name.out"
    in_ns "$space" "$program" "$@" >"$name.out" 2>&1 &
    eval "${name}_job=$!"
    ready "$name"
}
finish() { # NAME [LABEL]
    eval "wait \$${1}_job" || true
    sed "s/^/${2:-$1}: /" "$1.out" | grep -v ': ready$'
}
ready() {
    tries=0
    until grep -q ready "$1.out" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 500 ] || { echo "$1 did not start"; cat "$1.out"; exit 1; }
        sleep 0.02
    done
}

ip link set lo up
ip link add sw type bridge
ip link set sw mtu "$underlay" up
for n in a b; do
    ip netns add n$n
    ip netns add c$n
    in_ns n$n ip link set lo up
    in_ns c$n ip link set lo up
    ip link add u$n mtu "$underlay" type veth peer name eth0 netns n$n
    ip link set u$n mtu "$underlay" master sw up
    in_ns n$n ip link set eth0 mtu "$underlay" up
    in_ns n$n ip link add br0 type bridge
    in_ns n$n ip tuntap add tap0 mode tap vnet_hdr
    in_ns n$n ip link set tap0 mtu $mtu master br0 up
    in_ns n$n ip link add v0 mtu $mtu type veth peer name eth0 netns c$n
    in_ns n$n ip link set v0 mtu $mtu master br0 up
    in_ns n$n ip link set br0 mtu $mtu up
done
in_ns na ip addr add 192.0.2.1/24 dev eth0
in_ns nb ip addr add 192.0.2.2/24 dev eth0
in_ns ca ip link set eth0 address 02:42:0a:4d:00:02 mtu $mtu up
in_ns cb ip link set eth0 address 02:42:0a:4d:00:03 mtu $mtu up
in_ns ca ip addr add 10.77.0.2/24 dev eth0
in_ns cb ip addr add 10.77.0.3/24 dev eth0

nodes_up() {
    rm -f stop
    start na na node a 192.0.2.1 192.0.2.2 tap0 $mtu "$cipher" stop
    start nb nb node b 192.0.2.2 192.0.2.1 tap0 $mtu "$cipher" stop
}
nodes_down() {
    touch stop
    finish na
    finish nb
}
stream() { # LABEL FROM TO ADDRESS
    label=$1; from=$2; to=$3; address=$4
    start sink "$to" sink 5201
    in_ns "$from" "$program" source "$address" 5201 "$each" >source.out || { cat source.out; exit 1; }
    finish sink "$label"
}

case $mode in
check)
    marker=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    rm -f ended
    start underlay_capture self capture "$marker" ended
    start inside_capture ca capture "$marker" ended
    nodes_up
    in_ns ca "$program" ping 10.77.0.3 20
    start markersink cb sink 5202
    in_ns ca "$program" marker 10.77.0.3 5202 "$marker"
    finish markersink
    stream tcp ca cb 10.77.0.3
    in_ns cb "$program" ping 10.77.0.2 20
    touch ended
    finish underlay_capture
    finish inside_capture
    nodes_down
    ;;
bench)
    stream underlay na nb 192.0.2.2
    nodes_up
    in_ns ca "$program" ping 10.77.0.3 200
    stream overlay ca cb 10.77.0.3
    stream overlay_back cb ca 10.77.0.2
    nodes_down
    ;;
esac

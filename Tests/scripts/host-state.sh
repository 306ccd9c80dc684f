#!/bin/bash
# Lists what a test could leave on the machine: links, mounts, network namespaces, nftables tables, cgroups, processes.
set -u
echo "[links]"
ip -o link | awk -F': ' '{print $2}' | sort
echo "[mounts]"
awk '{print $5, $9}' /proc/self/mountinfo | sort
echo "[network namespaces]"
ls /run/netns 2>/dev/null
echo "[nftables]"
nft list tables 2>/dev/null
echo "[cgroups]"
for root in $(findmnt --noheadings --raw --output TARGET --types cgroup,cgroup2); do
    find "$root" -mindepth 1 -maxdepth 1 -type d | sort
done
echo "[processes]"
ps -e -o comm= | grep -E '^(swarmd|swarmctl|container-init|docker-registry|registry|tcpdump)$' | sort

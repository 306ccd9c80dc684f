#!/bin/bash
# install.sh WHY PACKAGE...: installs Debian packages, saying first which; starts no service.
set -eu
why=$1
shift
missing=()
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
echo "installing $why: ${missing[*]}"
if [ "$(id -u)" != 0 ]; then
    echo "install.sh: run as root: apt-get install ${missing[*]}" >&2
    exit 1
fi
# A package's service must not start because it was installed (invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=yes
fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the named sets need from Debian's packages; already installed ones cost one dpkg query.
# Usage: tools/install-packages.sh run|test [...]      (as root, or with sudo on the PATH)
# No service is started or left enabled: a temporary policy-rc.d forbids it while packages configure themselves.
set -eu

run_set="gcc libc6-dev meson ninja-build pkg-config libini-config-dev libjansson-dev uthash-dev
libphp8.2-embed php8.2-dev php8.2-opcache"
test_set="clang libclang-rt-14-dev llvm-14 clang-format libcmocka-dev python3-pytest python3-requests python3-pil git curl
php8.2-cli php8.2-fpm nginx-light php8.2-mysql php8.2-xml php8.2-mbstring php8.2-intl php8.2-gd php8.2-curl php8.2-zip
mariadb-server wordpress wordpress-theme-twentytwentythree dokuwiki phpmyadmin
php-symfony-framework-bundle php-symfony-twig-bundle php-symfony-yaml php-symfony-dotenv brotli zstd iproute2 procps"
bench_set="apache2 libapache2-mod-php8.2 wrk"

packages=""
for set_name in "$@"; do
    case $set_name in
        run) packages="$packages $run_set" ;;
        test) packages="$packages $test_set" ;;
        bench) packages="$packages $bench_set" ;;
        *) echo "install-packages.sh: no set is called '$set_name' (run, test or bench)" >&2; exit 2 ;;
    esac
done

missing=""
for package in $packages; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "These packages are missing and neither root nor sudo is at hand:$missing" >&2; exit 1; }
    sudo=sudo
fi
. /etc/os-release
[ "${ID:-}" = debian ] || echo "This is ${PRETTY_NAME:-not Debian}: package names are Debian 12's and may differ." >&2

policy=/usr/sbin/policy-rc.d
kept=""
masked=""
tidy() {
    $sudo rm -f "$policy"
    [ -z "$kept" ] || $sudo mv "$kept" "$policy"
    for unit in $masked; do $sudo rm -f "/etc/systemd/system/$unit.service"; done
}
if [ -e "$policy" ]; then
    kept="$policy.plimsoll-kept"
    $sudo mv "$policy" "$kept"
fi
trap tidy EXIT INT TERM
printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
$sudo chmod 755 "$policy"

echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing

# What a package enabled for the next boot is disabled again; what ran before is left as it was.
for unit in nginx php8.2-fpm mariadb apache2; do
    case "$missing" in *"$unit"*|*"$unit-"*) $sudo systemctl disable "$unit.service" >/dev/null 2>&1 || true ;; esac
done

#!/usr/bin/env bash
# Boots real systems and takes the packages through the product's life on each.
#
#   qemu-test.sh [--tier TIER] [--keep] [--scenario NAME] [--old DIR] --deb-amd64 X --deb-arm64 Y --deb-armhf Z
#
# TIER is amd64 (systemd in a container, with a desktop's keyring), arm64 or armhf (a whole
# machine under qemu, Debian's kernel, headless), arm64-gui (the same with a keyring), armv6
# (which programs run on which processor) or all. X, Y and Z are the agentkeys packages;
# agentkeys-broker's are in the same directory, older ones of both in DIR (dist/deb-old).
#
# Prints each test as `ok N - name` or `not ok N - name`, then for each tier
# `PASS|FAIL|SKIP tier=T boot=S total=S log=FILE`. A missing end marker is a failure.
# Exit code: 0 all passed, 1 one failed, 77 all were skipped, 64 usage.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)/qemu
export AGENTKEYS_BENCH_CACHE=${AGENTKEYS_BENCH_CACHE:-$HOME/.cache/agentkeys-bench}
boot_limit=${BENCH_BOOT_LIMIT:-300} total_limit=${BENCH_LIMIT:-1800} # seconds, of a machine that is made

usage() {
	sed -n '4,9s/^# \{0,1\}//p' "$0" >&2
	echo "qemu-test.sh: error: $*" >&2
	exit 64
}

tier=all keep='' scenario=scenario old=dist/deb-old
declare -A deb=()
while [ $# -gt 0 ]; do
	case $1 in
	--keep) keep=yes && shift && continue ;;
	-h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | head -n -1 && exit 0 ;;
	--tier | --scenario | --old | --deb-amd64 | --deb-arm64 | --deb-armhf) [ $# -ge 2 ] || usage "$1 needs a value" ;;
	*) usage "unknown argument $1" ;;
	esac
	case $1 in
	--tier) tier=$2 ;;
	--scenario) scenario=$2 ;;
	--old) old=$2 ;;
	*) deb[${1#--deb-}]=$2 ;;
	esac
	shift 2
done
case $tier in
all) tiers=(armv6 amd64 arm64 armhf arm64-gui) ;;
amd64 | arm64 | armhf | arm64-gui | armv6) tiers=("$tier") ;;
*) usage "unknown tier $tier" ;;
esac
[ -e "$here/guest/$scenario" ] || usage "unknown scenario $scenario"
[ "$(id -u)" -eq 0 ] || usage "only root can make the machines"
for file in "${deb[@]}"; do
	[ -s "$file" ] || usage "$file is not there; make deb builds the packages"
done
mkdir -p "$AGENTKEYS_BENCH_CACHE"

now() { date +%s.%N; }
since() { printf '%.1f' "$(echo "$(now) - $1" | bc)"; }

# one PATTERN: the only file of that name, or an error.
one() {
	local found=("$1")
	# shellcheck disable=SC2206 # the pattern is meant to be one
	[ -e "${found[0]}" ] || found=($1)
	if [ "${#found[@]}" -ne 1 ] || [ ! -e "${found[0]}" ]; then
		echo "bench: not exactly one $1" >&2
		return 1
	fi
	echo "${found[0]}"
}

# pack ARCH DIR: what the machine under test gets.
pack() {
	local arch=$1 dir=$2
	mkdir -p "$dir/new" "$dir/old"
	cp "$here"/guest/* "$here"/../../docs/{operate,monitoring}.md "$dir/"
	[ "$scenario" = scenario ] || cp "$here/guest/$scenario" "$dir/scenario"
	cp "${deb[$arch]}" "$dir/new/agentkeys.deb"
	cp "$(one "$(dirname "${deb[$arch]}")/agentkeys-broker_*_$arch.deb")" "$dir/new/agentkeys-broker.deb"
	cp "$(one "$old/agentkeys_*_$arch.deb")" "$dir/old/agentkeys.deb"
	cp "$(one "$old/agentkeys-broker_*_$arch.deb")" "$dir/old/agentkeys-broker.deb"
}

# watch PID LOG: waits for the machine's end within the limits; sets $boot.
watch() {
	local pid=$1 log=$2 start seen
	seen=$(grep -ac '^# stage' "$log" || true)
	start=$(now) boot=''
	while kill -0 "$pid" 2>/dev/null; do
		if [ -z "$boot" ] && [ "$(grep -ac '^# stage' "$log")" -gt "$seen" ]; then
			boot=$(since "$start")
		fi
		if [ -z "$boot" ] && [ "$(since "$start" | cut -d. -f1)" -ge "$boot_limit" ]; then
			echo "# no sign of life within $boot_limit s" >>"$log"
			break
		fi
		if [ "$(since "$made" | cut -d. -f1)" -ge "$total_limit" ]; then
			echo "# not at its end within $total_limit s" >>"$log"
			break
		fi
		sleep 0.2
	done
	end "$pid"
}

# end PID: asks, then insists. nspawn passes the request on to its systemd.
end() {
	pkill -TERM -P "$1" 2>/dev/null || true
	for _ in $(seq 100); do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.2
	done
	pkill -KILL -P "$1" 2>/dev/null || true
	kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# boot_until_done COMMAND...: boots again for as long as the scenario says so.
boot_until_done() {
	local boots=0 first='' made
	made=$(now)
	: >"$log"
	while [ "$boots" -lt 5 ]; do
		setsid "$@" </dev/null >>"$log" 2>&1 &
		watch $! "$log"
		first=${first:-$boot}
		boots=$((boots + 1))
		[ "$(grep -ac '^BENCH_REBOOT=' "$log")" -eq "$boots" ] || break
	done
	boot=$first
}

run_container() {
	local root=$work/root flavour=desktop
	[ "$scenario" != monitoring ] || flavour=monitored
	mkdir -p "$root"
	tar -C "$root" --numeric-owner -xpf "$("$here/rootfs" amd64 $flavour)"
	"$here/prepare" "$root"
	pack amd64 "$root/opt/bench"
	touch "$root/opt/bench/desktop-board"
	# nspawn's console is a terminal.
	boot_until_done script -qefc "exec '$here/container' '$root'" /dev/null
}

# run_machine ARCH FLAVOUR
run_machine() {
	local arch=$1 image
	image=$("$here/image" "$arch" "$2")
	qemu-img create -q -f qcow2 -b "$image" -F raw "$work/disk.qcow2"
	pack "$arch" "$work/payload"
	mkfs.vfat -C "$work/payload/stick.img" 2048 >/dev/null
	[ "$2" != desktop ] || touch "$work/payload/desktop-board"
	tar -C "$work/payload" -cf "$work/payload.tar" .
	boot_until_done "$here/machine" "$arch" "$("$here/kernel" "$arch")" "$work/disk.qcow2" "$work/payload.tar"
}

run_tier() {
	local name=$1 arch=${1%-gui} log verdict=PASS boot=''
	[ "$name" = armv6 ] && arch=armhf
	if [ -z "${deb[$arch]:-}" ]; then
		echo "SKIP tier=$name boot= total= log= (no --deb-$arch)"
		return 77
	fi
	work=$(mktemp -d "/dev/shm/agentkeys-bench.XXXXXX")
	log=$AGENTKEYS_BENCH_CACHE/log-$name-$scenario started=$(now)
	rm -f "$log"
	case $name in
	armv6) "$here/armv6" "${deb[armhf]}" >"$log" 2>&1 || true ;;
	amd64) run_container ;;
	arm64-gui) run_machine arm64 desktop ;;
	*) run_machine "$arch" lean ;;
	esac
	tr -d '\r' <"$log" | grep -aE '^(ok|not ok|#|1\.\.)' || true
	tr -d '\r' <"$log" | grep -qa '^E2E_RC=0$' || verdict=FAIL
	if tr -d '\r' <"$log" | grep -qa '^not ok'; then verdict=FAIL; fi
	if [ -n "$keep" ]; then echo "# kept: $work"; else rm -rf "$work"; fi
	echo "$verdict tier=$name boot=$boot total=$(since "$started") log=$log"
	[ "$verdict" = PASS ]
}

"$here/setup"
passed=0 failed=0
for t in "${tiers[@]}"; do
	rc=0
	run_tier "$t" || rc=$?
	case $rc in
	0) passed=$((passed + 1)) ;;
	77) ;;
	*) failed=$((failed + 1)) ;;
	esac
done
[ "$failed" -eq 0 ] || exit 1
[ "$passed" -gt 0 ] || exit 77

# shellcheck shell=bash
# Sourced by bench/boot and bench/cpu: QEMU without KVM, beside which we are measured.

# qemu PEER MIB VCPUS [ARGUMENT]...: becomes QEMU with the processor that PEER names (qemu-max, qemu-qemu64), its console on stdin and stdout.
qemu() {
    local model=${1#qemu-} mib=$2 vcpus=$3
    shift 3
    exec qemu-system-x86_64 -accel tcg -cpu "$model" -m "$mib" -smp "$vcpus" -display none -serial stdio -no-reboot -nodefaults "$@"
}

# expand_peers PEER...: each on a line of its own, once; qemu stands for both of its processors, of which the faster counts.
expand_peers() { printf '%s\n' "$@" | sed 's/^qemu$/qemu-max\nqemu-qemu64/' | awk '!seen[$0]++'; }

has_qemu() { command -v qemu-system-x86_64 >/dev/null; }

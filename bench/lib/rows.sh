# shellcheck shell=bash
# Sourced by bench/cpu: rows and select_rows.

# NAME GROUP GOAL WHAT. GOAL is how many times native's time ours may take, or
#   qemu    less time than QEMU
#   >=N     at least N (a factor, not a time)
#   -       measured only: neither marked nor part of the mean
# A NAME that cpu-guest does not know is a program of cpu.c.
rows() {
    cat <<'ROWS'
sha256sum       busybox 2.5   busybox sha256sum of 64 MiB of text
gzip            busybox 2.5   busybox gzip -9 of 16 MiB of text
gunzip          busybox 2.5   busybox gunzip to 64 MiB of text
sieve           cpu     2.5   sieve of Eratosthenes in 4 MiB
interp          cpu     2.5   bytecode interpreter, a switch
fib35           cpu     2.5   fib(35): direct calls and returns
fnptr           cpu     2.5   calls by pointer
qsort5m         cpu     1.7   quicksort of 5 million integers
branchy         cpu     1.7   unpredictable branches
chase8m         cpu     1.7   pointer chase through 8 MiB
matmul_sse2     cpu     2.5   matrix product, vectors of doubles
fp_scalar       cpu     2.5   scalar doubles
memcpy_libc     memory  2     memcpy of 16 MiB
memset_libc     memory  2     memset of 16 MiB
rep_movsb       memory  2     rep movsb of 16 MiB
rep_movsq       memory  2     rep movsq of 16 MiB
rep_stosq       memory  2     rep stosq of 16 MiB
str_libc        memory  3     strlen and memcmp of short strings
getppid20k      os      qemu  20,000 system calls
fork2000        os      qemu  fork, exit, wait
forkexec300     os      qemu  fork, exec, exit, wait
pipe20k         os      qemu  ping-pong of two processes through pipes
mmap64m         os      qemu  mmap, touch, munmap of 64 MiB
mprotect2000    os      qemu  mmap, touch, mprotect, munmap of 64 KiB
smp2            smp     >=1.9 two busy processes on two vCPUs: times the work of one
rep_movsb_alias extra   -     rep movsb between addresses exactly 16 MiB apart
str_bytes       extra   -     strings, byte by byte
atomics         extra   -     locked instructions; with one vCPU QEMU leaves out the lock
ROWS
}

# select_rows [NAME|GROUP]...: the rows asked for (all without a name), in the table's order; fails with a name that is none.
select_rows() {
    rows | awk -v asked="$*" '
        BEGIN { n = split(asked, names, " "); for (i = 1; i <= n; i++) known[names[i]] = 0 }
        n == 0 || $1 in known || $2 in known { print }
        { if ($1 in known) known[$1] = 1; if ($2 in known) known[$2] = 1 }
        END {
            for (i = 1; i <= n; i++) if (!known[names[i]]) {
                print "bench/cpu: there is no row and no group \"" names[i] "\" (-h lists them)." >"/dev/stderr"
                bad = 1
            }
            exit bad
        }'
}

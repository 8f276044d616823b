# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What is measured, for scripts/bench, a line each:
#
#   table | in --quick | goal | state | label | operation and its arguments
#
# The goal is for the time of cubby, as a part of that of
#   ext4   the ext4 itself
#   fuse   the fastest other FUSE file system
#   kv     the faster one of LMDB with zstd and RocksDB
# "-" in place of the part means that there is none. The state is
#   set    reads what was prepared: `count` entries of this size
#   new    takes names that were not used before
#   write  changes something, so no read-only peer takes part
#   fill   adds them first, untimed
#   drop   drops what this mount has cached, but not what is below it
#   cold   drops everything, down to the disk
# Scans are of 10,000 entries of 1 KiB, the scale is of entries of 256 bytes; a
# mix has sizes as a compile cache has, half of them below `size`. What a new
# process does first it pays for in page faults, more in a larger store: the
# other one has looked around before. Gets of a library are those of a process
# that has got all of it twice: some remember what they were asked for again.
# cubby has its store open with CUBBY_COMPRESS_LATER: as RocksDB, it compresses
# what is added in the background. The others do so before an add returns.
# The arguments are those of tests/bench/bench.h.
# shellcheck disable=SC2034 # used by who sources this
operations='
hot    | q | ext4 1.25 | set       | 4 KiB                  | hit size=4K count=256 passes=8 warm=1
hot    | q | ext4 1.1  | set       | 64 KiB                 | hit size=64K count=128 passes=4 warm=1
hot    | q | ext4 1.05 | set       | 1 MiB                  | hit size=1M count=16 passes=8 warm=1
hot    |   | ext4 -    | set       | 4 KiB, 8 processes     | hit size=4K count=256 passes=8 warm=1 processes=8
hot    |   | ext4 -    | set       | 64 KiB, 8 processes    | hit size=64K count=128 passes=4 warm=1 processes=8
hot    |   | ext4 -    | set       | 1 MiB, 8 processes     | hit size=1M count=16 passes=4 warm=1 processes=8
hot    | q | ext4 1.5  | new write | 64 KiB, just added     | hit-after-add size=64K count=64
cold   | q | fuse 0.9  | set drop  | 4 KiB, backing warm    | hit size=4K count=256
cold   | q | fuse 0.9  | set drop  | 64 KiB, backing warm   | hit size=64K count=128
cold   | q | fuse 1.0  | set drop  | 1 MiB, backing warm    | hit size=1M count=16
cold   |   | fuse 1.0  | set drop  | 16 MiB, backing warm   | hit size=16M count=4
cold   |   | fuse -    | set cold  | 1 MiB, all cold        | hit size=1M count=16
cold   |   | fuse -    | set cold  | 16 MiB, all cold       | hit size=16M count=4
cold   |   | fuse -    | set drop  | a touch of 16 MiB, mapped, backing warm | touch size=16M count=4
miss   | q | fuse 1.0  | new       | fresh name             | miss count=512
miss   |   | ext4 -    | new       | same name again        | miss count=512 warm=1
change | q | fuse 0.7  | new write | add 4 KiB              | add size=4K count=128
change | q | fuse 0.5  | new write | add 64 KiB             | add size=64K count=64
change | q | fuse 0.7  | new write | add 1 MiB              | add size=1M count=8
change |   | fuse 0.5  | new write | add 1 MiB in 4 KiB writes | add size=1M piece=4K count=4
change | q | ext4 0.3  | new write | add 4 KiB with fsync   | add size=4K fsync=1 count=24
change |   | ext4 0.3  | new write | add 512 KiB with fsync | add size=512K fsync=1 count=8
change | q | fuse 1.0  | new write fill | unlink 4 KiB      | unlink size=4K count=128
scan   |   | ext4 0.7  | drop      | readdir and stat of 10,000, per entry | scan span=10000
scan   |   | ext4 -    |           | the same again         | scan span=10000 warm=1 passes=3
library | q | kv 1.0   | set       | get 1 KiB              | get size=1K count=4096 passes=2 warm=2
library | q | kv 1.0   | set       | get 4 KiB              | get size=4K count=4096 warm=2
library |   | kv 1.0   | set       | get 32 KiB             | get size=32K count=512 passes=2 warm=2
library | q | kv 0.65  | set       | get 256 KiB            | get size=256K count=96 passes=2 warm=2
library |   | kv 0.65  | set       | get 2 MiB              | get size=2M count=16 passes=2 warm=2
library | q | kv -     | new       | miss                   | miss size=1K count=4096
library | q | kv -     | new write | add 1 KiB              | add size=1K count=512
library | q | kv 0.6   | new write | add 32 KiB             | add size=32K count=64
library |   | kv 0.6   | new write | add 256 KiB            | add size=256K count=16
library |   | kv 0.6   | new write | add 2 MiB              | add size=2M count=4
scale  |   | kv -      |           | open                   | open size=256
scale  |   | kv -      |           | get                    | get size=256 count=5000 warm=1
scale  |   | kv -      | new write | add, a new process     | add size=256 count=500
scale  |   | kv -      | new write | add                    | add size=256 count=500 look=20000
scale  |   | kv -      | new write | add of the mix         | mix size=8K count=200
scale  |   | kv -      | new write fill | delete            | delete size=256 count=500
'

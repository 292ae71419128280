<?php
// SPDX-License-Identifier: Apache-2.0
// Shared memory of every kind, 4 MiB each, held until the end: SysV, memfd, APCu, a file in /dev/shm that is deleted but open, and
// an anonymous mapping (MAP_SHARED). OPcache's segment comes with php.ini.
$block = random_bytes(4 << 20);

$sysv = shmop_open(0x706c696d, 'c', 0600, 4 << 20) ?: throw new Exception('no SysV segment');
shmop_write($sysv, $block, 0);

$c = FFI::cdef('int memfd_create(const char *, unsigned); long write(int, const char *, unsigned long);
    void *mmap(void *, unsigned long, int, int, int, long);');
$memfd = $c->memfd_create('plimsoll-test', 0);
$c->write($memfd, $block, 4 << 20);
$shared = $c->mmap(null, 4 << 20, 3, 0x21, -1, 0); // PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS
FFI::memcpy($shared, $block, 4 << 20);

apcu_store('block', substr($block, 0, (4 << 20) - 4096)) ?: throw new Exception('no APCu');

$deleted = fopen('/dev/shm/gone', 'w');
fwrite($deleted, $block);
unlink('/dev/shm/gone');

unset($block);
gc_mem_caches();
echo "ready\n";
sleep(300);

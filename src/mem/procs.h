// SPDX-License-Identifier: Apache-2.0
// The processes of a container: who they are and what their memory is made of, as far as one may see.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_ROLES(X)                                                                                                            \
    X(OTHER, "process")                                                                                                          \
    X(FRANKENPHP, "frankenphp")                                                                                                  \
    X(CADDY, "caddy")                                                                                                            \
    X(FPM_MASTER, "php-fpm master") X(FPM_WORKER, "php-fpm pool") X(APACHE, "apache") X(NGINX, "nginx")                          \
        X(ROADRUNNER, "roadrunner") X(GO, "go") X(PHP_CLI, "php") X(PLIMSOLL_MASTER, "plimsoll master")                          \
            X(PLIMSOLL_EDGE, "plimsoll edge") X(PLIMSOLL_MOLD, "plimsoll mold") X(PLIMSOLL_WORKER, "plimsoll worker")            \
                X(XRAY, "plimsoll-xray")
enum proc_role {
#define X(id, name) ROLE_##id,
    PROC_ROLES(X)
#undef X
        ROLE_N
};
const char *proc_role_name(enum proc_role role);

// How much one may see of others: /proc/PID/{smaps_rollup,maps,mem,fd} readable for all, only for some (root with Docker's
// default capabilities: not those of another uid, nor of non-dumpable ones), or status and statm only.
enum sight { SIGHT_FULL, SIGHT_DOCKER, SIGHT_NONE };
const char *sight_name(enum sight sight); // "full", "docker", "none"

// What the anonymous memory of a process is, in bytes of resident memory. A page shared with a forked parent or child counts by
// its share, so that php_heap + native + go_heap + stacks + jit = total, and total = pss_anon (rss_anon where that isn't known).
struct proc_split {
    int64_t total;
    int64_t php_heap;      // ZendMM chunks and huge blocks, resident
    int64_t php_heap_live; // the part of it that ZendMM has handed out (pages in use); -1: not told
    int64_t native;        // [heap] and other anonymous mappings
    int64_t go_heap;
    int64_t stacks;
    int64_t jit;
};

struct proc_info {
    pid_t pid, ppid;
    uid_t uid;
    uint64_t start_time; // of /proc/PID/stat: with pid the identity
    char comm[16];
    char pool[32]; // php-fpm's pool, from its process title; "" where there is none
    enum proc_role role;
    // /proc/PID/status; -1 where it lacks the line (gVisor: no RssAnon)
    int64_t rss, rss_anon, rss_file, rss_shmem, page_tables, swap;
    int32_t threads;
    // smaps_rollup
    bool pss_known;
    int64_t pss, pss_anon, pss_file, pss_shmem, private_dirty;
    // maps and mem
    bool split_known;
    struct proc_split split;
    int64_t text;         // resident file mappings that are executable; -1: not known
    bool visible;         // its maps may be read
    bool php, go;         // it has PHP, a Go runtime in it, as far as could be seen
    bool heap_exact;      // ZendMM's own count of bytes agrees with the chunks found
    int32_t php_heaps;    // ZendMM heaps: threads with PHP under ZTS; 0: none or not known
    int64_t php_bytes;    // address space of ZendMM's chunks and huge blocks = memory_get_usage(true); -1: not known
    int64_t memory_limit; // PHP's, from the running process or its server's configuration; -1: not known, 0: none
};

// SPDX-License-Identifier: Apache-2.0
// The words of a judgement.
#pragma once

// The words of a judgement, as they stand in plimsoll.replay/1 and plimsoll.xray/1.
#define MEM_VERDICTS(X)                                                                                                          \
    X(UNDECIDED, "undecided")                                                                                                    \
    X(STEADY, "steady") X(WARMING_UP, "warming_up") X(CYCLIC, "cyclic") X(STEPPED, "stepped") X(GROWING, "growing")              \
        X(SATURATED, "saturated")
#define MEM_CAUSES(X)                                                                                                            \
    X(NONE, "null")                                                                                                              \
    X(TMPFS, "tmpfs") X(DELETED_FILES, "deleted_files") X(SHARED_MEMORY, "shared_memory") X(PHP_HEAP, "php_heap")                \
        X(NATIVE, "native") X(GO_HEAP, "go_heap") X(PROCESS_ANON, "process_anon") X(KERNEL, "kernel")                            \
            X(PAGE_CACHE, "page_cache") X(UNKNOWN, "unknown")
// The series that are judged; the first is the whole, by mem_hard(). A line that the sample can't tell is left out.
#define MEM_LINES(X)                                                                                                             \
    X(TOTAL, "total")                                                                                                            \
    X(ANON, "anonymous") X(TMPFS, "files_in_memory") X(DELETED_FILES, "deleted_files") X(SHARED_MEMORY, "shared_memory")         \
        X(PHP_HEAP, "php_heap") X(GO_HEAP, "go_heap") X(NATIVE, "native") X(KERNEL, "kernel") X(PAGE_CACHE, "page_cache")

enum mem_verdict {
#define X(id, name) VERDICT_##id,
    MEM_VERDICTS(X)
#undef X
        VERDICT_N
};
enum mem_cause {
#define X(id, name) CAUSE_##id,
    MEM_CAUSES(X)
#undef X
        CAUSE_N
};
enum mem_line {
#define X(id, name) LINE_##id,
    MEM_LINES(X)
#undef X
        LINE_N
};

const char *mem_verdict_name(enum mem_verdict verdict); // never NULL
const char *mem_cause_name(enum mem_cause cause);       // "null" for CAUSE_NONE
const char *mem_line_name(enum mem_line line);

// SPDX-License-Identifier: Apache-2.0
// A recording of memory: the traces' CSV, read row by row and written row by row.
#pragma once
#include <stddef.h>

#include "mem/sample.h"

// The format: the first line names the columns (the names of tbl/mem_fields.def, of v1 or v2, or an alias; any order), every
// later line is a row. `t` (seconds) is required and the only clock. Unknown columns are ignored; a field that is missing,
// empty or not a number is "not known"; "12.0" and "1e6" are numbers; a limit may be "max". Lines end in LF or CRLF; a byte
// order mark, quotes, blank lines, rows that are too short or too long and an unfinished last line are put up with. A row
// without a t, or whose t does not rise, is left out. Rows from the first with nprocs = 0 to the end are teardown: the
// recording ends before them. Memory is bounded whatever the file holds: RECORDING_LINE_MAX bytes a line, a longer row is left
// out; RECORDING_COLUMNS_MAX columns, more are ignored.
#define RECORDING_LINE_MAX 65536
#define RECORDING_COLUMNS_MAX 1024

struct recording;

// Why it can't be read, in words, with the place. line 0: no particular line; column 0: none, else its number from 1.
struct recording_error {
    uint64_t line;
    unsigned column;
    char text[200];
};

// What was put up with, for those who want to say so.
struct recording_notes {
    uint64_t lines;         // read, header included
    uint64_t rows;          // given out
    uint64_t rows_left_out; // no t, t not rising, too long
    uint64_t bad_numbers;   // fields that are no numbers
    uint64_t columns_unknown;
    bool teardown; // the recording ended with nprocs = 0
    uint64_t first_bad_line;
    unsigned first_bad_column;
};

// Reads the header from fd (borrowed; read sequentially, a pipe is fine) or from n bytes at p (borrowed).
// 0, -ENOMEM, -EBADMSG (not a recording) or read(2)'s; *ret_error says why.
int recording_open(int fd, struct recording **ret, struct recording_error *ret_error);
int recording_open_text(const char *p, size_t n, struct recording **ret, struct recording_error *ret_error);
// 1: *ret_sample is the next row; 0: the end; else as recording_open(). No allocation.
int recording_next(struct recording *r, struct mem_sample *ret_sample, struct recording_error *ret_error);
void recording_notes(const struct recording *r, struct recording_notes *ret);
struct recording *recording_close(struct recording *r); // accepts and returns NULL

// Writing: text into the caller's buffer, no allocation. `columns` is a set of fields as in mem_sample.known; t comes first.
enum recording_names { RECORDING_V1, RECORDING_V2 };
#define RECORDING_TEXT_MAX 4096 // a header or a row always fits
// The length written, LF included, NUL-terminated; 0 where cap is too small.
size_t recording_header(enum recording_names names, const uint64_t columns[2], char *buf, size_t cap);
size_t recording_row(const struct mem_sample *s, const uint64_t columns[2], char *buf, size_t cap);

// STEM.procs.csv, a row per process and second (t,pid,comm,VmRSS,RssAnon,RssFile,RssShmem,Pss,...). It fills what the recording
// itself lacks: the sums over processes; and it says which process grew. It never splits anonymous memory: a process's name
// doesn't say how much of it is PHP's heap.
struct recording_procs;
int recording_procs_open(int fd, struct recording_procs **ret, struct recording_error *ret_error);
// Takes the rows up to s->t into account and fills the sum fields that *s doesn't know from those at s->t exactly.
int recording_procs_fill(struct recording_procs *r, struct mem_sample *s, struct recording_error *ret_error);
// The process whose anonymous memory grew most between its first and its last row so far; false where there is none.
struct recording_proc {
    int pid;
    char comm[16];
    int64_t rss_anon_first, rss_anon_last;
    int64_t anon_min, anon_max; // of Pss_Anon, else RssAnon; -1: not told
    uint64_t rows;
};
bool recording_procs_grower(const struct recording_procs *r, struct recording_proc *ret);
// All of them so far, in the order of their appearance; owned by r, valid until the next fill.
const struct recording_proc *recording_procs_get(const struct recording_procs *r, unsigned *ret_n);
struct recording_procs *recording_procs_close(struct recording_procs *r);
